import { createPolicyToken, type PolicySigner } from '../../azure/provider-policy/policy-token.ts'
import type { PolicyInForce, PolicyProvider } from '../../azure/provider-policy/provider-policy.ts'
import { COMMAND } from '../../base/command.ts'
import type { Store } from '../../store/store.ts'
import { EXIT } from '../framework/command.ts'
import { printJson, printText } from '../framework/output.ts'
import { describeDifference } from './compare.ts'
import { addPin, readPins } from './pins.ts'
import { describeWeaknesses, type PolicySource } from './policy-source.ts'
import { demand } from './provider.ts'

export type PublishOptions = {
  readonly source: PolicySource
  /** How the policy was named on the command line, for the commands that are advised. */
  readonly sourceArguments: string
  readonly signer: PolicySigner | undefined
  /** Whether the new policy may be pinned first. */
  readonly mayPin: boolean
  readonly name: string | undefined
  readonly json: boolean
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware: boolean
  readonly clock: () => Date
  readonly confirm: (question: string) => Promise<boolean>
}

/**
 * Publishes a policy that is pinned, or pins it first: between a policy that is in force and its pin
 * all tokens would be refused, while a pin without its policy does nothing. Pins of other policies
 * stay, so that tokens under the old policy count until they end.
 */
export async function publishPolicy(
  provider: PolicyProvider,
  store: Store,
  options: PublishOptions,
): Promise<number> {
  const { source, json } = options
  const { url } = provider
  const pins = await readPins(store, url, options.clock())
  const isPinned = pins.includes(source.hash)
  const inForce = demand(await provider.readPolicy(), url)
  const isSame = inForce.text === source.text
  if (!json) printText(describePlan(url, { inForce, source, pins }))
  if (!isPinned && !options.mayPin) {
    if (json)
      printJson({ provider: url, hash: source.hash, published: false, reason: 'not_pinned' })
    else printText(describeRefusal(url, options.sourceArguments))
    return EXIT.refused
  }
  if (!isSame && !(await options.confirm(`Publish this policy to ${url}?`))) {
    printText('Nothing was changed.\n')
    return EXIT.refused
  }
  const { hash } = source
  if (!isPinned) await addPin(store, { issuer: url, hash, name: options.name }, options)
  if (!isSame) await publish(provider, options, isPinned)
  if (json) printJson({ provider: url, hash, published: !isSame, pinned: true })
  else printText(describeOutcome(url, { hash, isSame, isPinned, pins }))
  return EXIT.done
}

async function publish(
  provider: PolicyProvider,
  { source, signer }: PublishOptions,
  wasPinned: boolean,
): Promise<void> {
  const { url } = provider
  const token = await createPolicyToken(source.text, signer)
  const note = wasPinned ? '' : '; its pin stays, and does nothing until it is in force'
  demand(await provider.publishPolicy(token), url, note)
}

function describePlan(
  url: string,
  plan: {
    readonly inForce: PolicyInForce
    readonly source: PolicySource
    readonly pins: readonly string[]
  },
): string {
  const { inForce, source, pins } = plan
  if (inForce.text === source.text) {
    return `${url} has ${source.label} already (${source.hash}).\n`
  }
  const weaknesses = describeWeaknesses(source.outline).map((weakness) => `\n${weakness}\n`)
  const isOldOpen = inForce.hash !== undefined && !pins.includes(inForce.hash)
  const old = isOldOpen
    ? '\nThe policy that is in force now is not pinned: its tokens are refused.\n'
    : ''
  return [describeDifference(url, inForce, source), ...weaknesses, old, '\n'].join('')
}

function describeRefusal(url: string, sourceArguments: string): string {
  return `Not published: this policy is not pinned, so that every token under it would be refused
(policy_not_pinned) and the fleet locked out. Pin it first, then publish it:
  ${COMMAND} azure policy pin --provider ${url} ${sourceArguments}
or let this command do both in that order, with --pin.
`
}

function describeOutcome(
  url: string,
  outcome: {
    readonly hash: string
    readonly isSame: boolean
    readonly isPinned: boolean
    readonly pins: readonly string[]
  },
): string {
  const { hash, isSame, isPinned, pins } = outcome
  const others = pins.filter((pin) => pin !== hash)
  const done = isSame ? '' : `Published to ${url}, and read back.\n`
  const pinned = isPinned ? 'It was pinned before.' : 'It is pinned now.'
  const remove = others.map((pin) => `  ${COMMAND} azure policy unpin ${pin} --provider ${url}\n`)
  const next =
    others.length === 0
      ? ''
      : `Tokens under other pinned policies still count. When no device brings them any more:\n${remove.join('')}`
  return `${done}Policy hash  ${hash}\n${pinned}\n${next}`
}
