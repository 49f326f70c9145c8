import type { EvaluationRequest } from './evaluation-request.ts'
import { MAX_KEPT_CHARS, MAX_KEPT_VALUES } from './limits.ts'

/**
 * A question as it may be kept: what a policy can read of it, and no secret. Nothing else of what was
 * sent is in it, as no header and no member that AuthZEN does not know is in an `EvaluationRequest`.
 */
export type KeptRequest = {
  readonly request: EvaluationRequest
  /** Where a value stood that is not kept: `['context', 'access_token']`. */
  readonly leftOut: readonly MemberPath[]
  /** Names and types of its values, without the values: what questions of one kind have in common. */
  readonly shape: string
}

/** Stands in the place of a device among kept questions that name none; no device has such an id. */
export const NO_DEVICE_ID = 'none'

/** Names from a variable of a policy on: `['subject', 'properties', 'role']`. */
export type MemberPath = readonly string[]

/** Values under such names are left out, whatever they are. */
const SECRET_NAME =
  /token|secret|passw|passphrase|pwd|credential|authorization|cookie|dpop|proof|assertion|api[-_]?key|private[-_]?key|session[-_]?id|jwt|saml|(?:^|[-_])(?:pin|otp|code)$/i

/**
 * Values in which such forms stand anywhere are left out, whatever they are called: a JWS or JWE, a
 * header's credentials, PEM, a URL with a password or with a parameter of such a name.
 */
const SECRET_TEXT =
  /\beyJ[\w-]{8,}\.|\b(?:bearer|dpop|basic)\s+[\w+/=.~-]{16}|-----BEGIN |:\/\/[^/?#\s]{1,256}@|[?&#;][\w.-]{0,64}(?:token|secret|passw|code|assertion|api[-_]?key|jwt|sig)[\w.-]{0,64}=/i

/** What may still be copied, and what was found on the way. */
type Budget = { values: number; chars: number; readonly leftOut: MemberPath[]; shape: string }

/** A member that is not kept; a value is never a symbol. */
const LEFT_OUT = Symbol('left out')

/**
 * Copies what of a question may be kept. `undefined` for one that is too large, or whose type or id has
 * the form of a secret: such a question is counted and not kept. Takes a bounded number of steps.
 */
export function keepRequest(request: EvaluationRequest): KeptRequest | undefined {
  const { subject, resource, action, context } = request
  const texts = [subject.type, subject.id, resource.type, resource.id, action.name]
  if (texts.some(isSecretText)) return undefined
  const budget: Budget = { values: MAX_KEPT_VALUES, chars: MAX_KEPT_CHARS, leftOut: [], shape: '' }
  for (const text of texts) budget.chars -= text.length
  const copy = (properties: Properties, ...path: string[]) => copyObject(properties, path, budget)
  const kept: EvaluationRequest = {
    subject: {
      ...copyNames(subject),
      properties: copy(subject.properties, 'subject', 'properties'),
    },
    resource: {
      ...copyNames(resource),
      properties: copy(resource.properties, 'resource', 'properties'),
    },
    action: { name: action.name, properties: copy(action.properties, 'action', 'properties') },
    context: copy(context, 'context'),
  }
  if (budget.values < 0 || budget.chars < 0) return undefined
  return { request: kept, leftOut: budget.leftOut, shape: `${subject.type}\n${budget.shape}` }
}

/** Whether a text has the form of a secret, whatever it is called. */
export function isSecretText(text: string): boolean {
  return SECRET_TEXT.test(text)
}

type Properties = Readonly<Record<string, unknown>>

function copyNames({ type, id }: EvaluationRequest['subject']) {
  return { type, id }
}

function copyObject(object: Properties, path: MemberPath, budget: Budget): Properties {
  const members: [string, unknown][] = []
  for (const name in object) {
    // Looks no further once it is too much: what is left makes no difference.
    if (budget.values < 0 || budget.chars < 0) break
    if (!Object.hasOwn(object, name)) continue
    budget.chars -= name.length
    const copied = SECRET_NAME.test(name)
      ? LEFT_OUT
      : copyValue(object[name], [...path, name], budget)
    if (copied === LEFT_OUT) budget.leftOut.push([...path, name])
    else members.push([name, copied])
  }
  // Own members whatever they are called, `__proto__` too.
  return Object.fromEntries(members)
}

function copyValue(value: unknown, path: MemberPath, budget: Budget): unknown {
  budget.values -= 1
  if (typeof value === 'string') {
    budget.chars -= value.length
    if (isSecretText(value)) return LEFT_OUT
  }
  if (Array.isArray(value)) return copyList(value, path, budget)
  if (typeof value === 'object' && value !== null) {
    return copyObject(value as Properties, path, budget)
  }
  budget.shape += `${path.join('.')}:${value === null ? 'null' : typeof value}\n`
  return value
}

/** A list is kept whole or not at all, as its places mean something. */
function copyList(list: readonly unknown[], path: MemberPath, budget: Budget): unknown {
  const before = budget.leftOut.length
  budget.shape += `${path.join('.')}:list\n`
  const copied: unknown[] = []
  for (const item of list) {
    if (budget.values < 0 || budget.chars < 0) break
    const { shape } = budget
    copied.push(copyValue(item, path, budget))
    // How many there are is a value and not a type.
    budget.shape = shape
  }
  if (!copied.includes(LEFT_OUT) && budget.leftOut.length === before) return copied
  budget.leftOut.length = before
  return LEFT_OUT
}
