import type { PolicyProvider } from '../../azure/provider-policy/provider-policy.ts'
import { RECOMMENDED_POLICY_HASH } from '../../azure/provider-policy/recommended.ts'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { addPin, readPins, removePins } from './pins.ts'
import { describeWeaknesses, describeWeaknessesOfText, type PolicySource } from './policy-source.ts'
import { demand } from './provider.ts'

export type PinOptions = {
  /** `undefined`: the policy that is in force. */
  readonly source: PolicySource | undefined
  readonly sourceArguments: string
  readonly name: string | undefined
  readonly json: boolean
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware: boolean
  readonly clock: () => Date
}

/** Makes tokens count that are issued under a policy: the one in force, or one that is to be. */
export async function pinPolicy(
  provider: PolicyProvider,
  store: Store,
  options: PinOptions,
): Promise<number> {
  const { source, json } = options
  const { url } = provider
  const policy = source ?? (await readInForce(provider))
  const name = options.name ?? (policy.hash === RECOMMENDED_POLICY_HASH ? 'recommended' : undefined)
  const { hash } = policy
  const answer = await addPin(store, { issuer: url, hash, name }, options)
  const pins = await readPins(store, url, options.clock())
  if (json) {
    printJson({ provider: url, hash, changed: answer === 'applied', pins })
    return 0
  }
  const weaknesses =
    'outline' in policy ? describeWeaknesses(policy.outline) : describeWeaknessesOfText(policy.text)
  const others = pins.filter((pin) => pin !== hash)
  printText(
    [
      `${hash} is pinned${answer === 'unchanged' ? ' already: nothing was changed' : ''} for ${url}.\n`,
      'Running services count its tokens from their next request on.\n',
      ...weaknesses.map((weakness) => `\n${weakness}\n`),
      others.length === 0 ? '' : `\nPinned beside it: ${others.join(', ')}\n`,
      source === undefined
        ? ''
        : `\nPublish it, if it is not in force yet:\n  ${COMMAND} azure policy set --provider ${url} ${options.sourceArguments}\n`,
    ].join(''),
  )
  return 0
}

async function readInForce(provider: PolicyProvider) {
  const { url } = provider
  const { text, hash } = demand(await provider.readPolicy(), url)
  if (text === undefined) {
    throw new Error(
      `${url} has no TPM policy to pin: publish one with ${COMMAND} azure policy set --pin`,
    )
  }
  return { text, hash }
}

export type UnpinOptions = {
  readonly hash: string
  /** Whether a pin may go whose policy is in force, or may be. */
  readonly isForced: boolean
  /** How many devices may lose their access by it. */
  readonly acceptedDenials: number
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware: boolean
  readonly json: boolean
  readonly clock: () => Date
}

/** Ends the trust in tokens under a policy. Not while it is in force, unless forced. */
export async function unpinPolicy(
  provider: PolicyProvider,
  store: Store,
  options: UnpinOptions,
): Promise<number> {
  const { hash, json } = options
  const { url } = provider
  if (!options.isForced) {
    const inForce = await provider.readPolicy()
    if (!inForce.ok) {
      throw new Error(
        `whether this policy is in force at ${url} cannot be seen (${inForce.failure.reason}): --force unpins it all the same`,
      )
    }
    if (inForce.value.hash === hash) {
      throw new Error(
        `this policy is in force at ${url}, and every token under it would be refused: publish another one first (${COMMAND} azure policy set), or say --force`,
      )
    }
  }
  const { outcome, newlyDenied } = await removePins(store, { ...options, issuer: url })
  const pins = await readPins(store, url, options.clock())
  const isRefused = outcome === 'denials_not_accepted'
  if (json) {
    const changed = outcome === 'applied'
    printJson({ provider: url, hash, changed, newly_denied: newlyDenied, pins })
  } else if (isRefused) printText(describeLosses(hash, newlyDenied))
  else printText(describeUnpinned(url, { hash, pins, isDone: outcome === 'applied' }))
  return isRefused ? EXIT.refused : EXIT.done
}

function describeLosses(hash: string, newlyDenied: number): string {
  return `${hash} is pinned as before: the last evidence of ${plural(newlyDenied, 'device')} came under it, and they
would lose the access that they have. Publish another policy, let them attest under it, then unpin.
If that is what you want, say the number: --accept-denials ${newlyDenied}
`
}

function describeUnpinned(
  url: string,
  input: {
    readonly hash: string
    readonly pins: readonly string[]
    readonly isDone: boolean
  },
): string {
  const { hash, pins, isDone } = input
  const done = isDone ? 'is not pinned any more' : 'was not pinned'
  const left =
    pins.length === 0
      ? `No policy is pinned for it now: all of its tokens are refused. To pin one:\n  ${COMMAND} azure policy pin --provider ${url}\n`
      : `Pinned: ${pins.join(', ')}\n`
  return `${hash} ${done} for ${url}.\n${left}`
}
