import type { AttestationAgent } from './agent.ts'
import type { AkAuthority } from './ak-authority.ts'
import type { KeySource } from './key-source.ts'
import type { AgentFailure } from './service-client.ts'
import {
  startVirtualDevice,
  type VirtualDevice,
  type VirtualDeviceOptions,
} from './virtual-device.ts'

/** What a virtual device does, and what a service must make of it. */
export type Scenario = {
  /** Kebab-case, unique. */
  readonly name: string
  /** One sentence: what the device is, or tries. */
  readonly tries: string
  readonly device: Pick<VirtualDeviceOptions, 'boot' | 'enclave'>
  /** Done to the device after it has started, behind the back of its TPM. */
  readonly tamper?: (device: VirtualDevice) => VirtualDevice
  /** What the agent does; a plain attestation when left out. */
  readonly run?: (agent: AttestationAgent, helpers: ScenarioHelpers) => Promise<ScenarioAttempt>
  /** Moves the service's clock, so that whatever else is to be seen must be over. */
  readonly movesClock?: boolean
  readonly expected: ScenarioExpectation
}

/** What a scenario needs besides its agent. */
export type ScenarioHelpers = {
  readonly keys: KeySource
  /** The service's clock, which the agent shares. */
  readonly now: () => Date
  readonly advanceClock: (ms: number) => void | Promise<void>
  /** Asks the service as an identity provider would. */
  readonly decide: (deviceId: string) => Promise<ScenarioDecision>
  /** Reasons of the device's refused attempts, as an administrator sees them. */
  readonly listRefusals: (deviceId: string) => Promise<readonly string[]>
  /** A certificate authority that no service knows. */
  readonly strangeAuthority: AkAuthority
}

export type ScenarioDecision = {
  readonly decision: boolean
  readonly verdict: string | undefined
  readonly reasons: readonly string[]
}

/** How the agent's last submission ended: with reasons of a recorded verdict, or refused. */
export type ScenarioAttempt = {
  readonly reasons: readonly string[]
  /** What the agent was told; `undefined` when the attestation was recorded. */
  readonly refusal: string | undefined
}

export type ScenarioExpectation = {
  /** The device's verdict when all is done; `unknown` when nothing was ever recorded. */
  readonly verdict: 'trusted' | 'untrusted' | 'stale' | 'unknown'
  /**
   * Must be among the reasons: clause ids, or what an administrator sees of a refused attempt,
   * which says more than `refusal`.
   */
  readonly reasons: readonly string[]
  readonly refusal: string | undefined
  /** The AuthZEN decision when all is done. */
  readonly decision: boolean
}

export type ScenarioOutcome = {
  readonly scenario: Scenario
  readonly deviceId: string
  readonly verdict: string
  readonly reasons: readonly string[]
  readonly refusal: string | undefined
  readonly decision: boolean
  /** Whether all of it is as expected. */
  readonly correct: boolean
}

/** Starts the scenario's device, and tampers with it where the scenario says so. */
export async function startScenarioDevice(
  scenario: Scenario,
  options: Omit<VirtualDeviceOptions, 'name' | 'boot' | 'enclave'>,
): Promise<VirtualDevice> {
  const device = await startVirtualDevice({ ...options, ...scenario.device, name: scenario.name })
  return scenario.tamper?.(device) ?? device
}

/**
 * Plays a scenario and asks for the decision. Throws when the service could not be talked to: that
 * says nothing about the device.
 */
export async function playScenario(
  scenario: Scenario,
  agent: AttestationAgent,
  helpers: ScenarioHelpers,
): Promise<ScenarioOutcome> {
  const attempt = await (scenario.run ?? attestOnce)(agent, helpers)
  const { deviceId } = agent.device
  const { decision, verdict = 'unknown', reasons } = await helpers.decide(deviceId)
  const seen = { verdict, decision, refusal: attempt.refusal }
  const refusals = await helpers.listRefusals(deviceId)
  const allReasons = [...new Set([...attempt.reasons, ...reasons, ...refusals])]
  const { expected } = scenario
  const correct =
    seen.verdict === expected.verdict &&
    seen.decision === expected.decision &&
    seen.refusal === expected.refusal &&
    expected.reasons.every((reason) => allReasons.includes(reason))
  return { scenario, deviceId, ...seen, reasons: allReasons, correct }
}

export async function attestOnce(agent: AttestationAgent): Promise<ScenarioAttempt> {
  return readAttempt(await agent.attest())
}

/** A refusal is an answer; anything else that failed is a fault of the set-up and is thrown. */
export function readAttempt(
  result:
    | { readonly ok: true; readonly value: { readonly reasons: readonly { code: string }[] } }
    | { readonly ok: false; readonly failure: AgentFailure },
): ScenarioAttempt {
  if (result.ok)
    return { reasons: result.value.reasons.map(({ code }) => code), refusal: undefined }
  return { reasons: [], refusal: refusalCode(result.failure) }
}

function refusalCode(failure: AgentFailure): string {
  if (failure.reason === 'agent_request_refused' && failure.status < 500) {
    return failure.code ?? `status_${failure.status}`
  }
  const detail = 'status' in failure ? `status ${failure.status}` : failure.detail
  throw new Error(`the ${failure.step} step failed: ${failure.reason} (${detail})`)
}
