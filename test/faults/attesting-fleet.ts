import { AttestationAgent } from '../../src/simulator/agent.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { recordBoot, startVirtualDevice } from '../../src/simulator/virtual-device.ts'

/** A token that was obtained for a nonce, and may have been handed in. */
export type Submission = { readonly nonce: string; readonly token: string }

/** An attestation that the service has answered for. */
export type Acknowledged = {
  readonly deviceId: string
  readonly attestationId: string
  readonly verdict: string
}

/** What virtual devices know of their attestations against a service that may die at any moment. */
export type AttestingFleet = {
  readonly agents: readonly AttestationAgent[]
  readonly acknowledged: Acknowledged[]
  /** Handed in, but the answer has not come. */
  readonly inDoubt: Map<AttestationAgent, Submission>
  /** Nonces that are known to be spent, with the device. */
  readonly spent: { readonly deviceId: string; readonly nonce: string }[]
}

/** Every fourth device has Secure Boot off, so that not all verdicts are the same. */
export async function startFleet(baseUrl: string, size: number): Promise<AttestingFleet> {
  const keys = primeSharingKeys()
  const boots = [await recordBoot(keys), await recordBoot(keys, { secureBoot: false })] as const
  const agents: AttestationAgent[] = []
  for (let index = 0; index < size; index++) {
    const recordedBoot = boots[index % 4 === 3 ? 1 : 0]
    const device = await startVirtualDevice({ name: `device ${index}`, keys, recordedBoot })
    // A service that is gone shall be noticed at once.
    agents.push(new AttestationAgent({ device, baseUrl, maxAttempts: 1 }))
  }
  return { agents, acknowledged: [], inDoubt: new Map(), spent: [] }
}

/** Lets every device attest again and again until the service is gone. */
export async function attestUntilGone(fleet: AttestingFleet): Promise<void> {
  await Promise.all(fleet.agents.map((agent) => attestAgain(fleet, agent)))
}

async function attestAgain(fleet: AttestingFleet, agent: AttestationAgent): Promise<void> {
  for (;;) {
    const submission = await obtainSubmission(agent)
    if (submission === undefined) return
    fleet.inDoubt.set(agent, submission)
    const outcome = await handIn(fleet, agent, submission)
    if (outcome === 'gone') return
    if (outcome === 'spent') throw new Error('a nonce was spent before it was handed in')
    fleet.inDoubt.delete(agent)
  }
}

/** A nonce and a token for it; `undefined` when the service is gone. */
export async function obtainSubmission(agent: AttestationAgent): Promise<Submission | undefined> {
  const challenge = await agent.requestChallenge()
  if (!challenge.ok) return expectGone(challenge.failure)
  const { nonce } = challenge.value
  const token = await agent.obtainToken(nonce)
  return token.ok ? { nonce, token: token.value } : expectGone(token.failure)
}

/** Hands in and notes the answer. Any other answer than these three is thrown. */
export async function handIn(
  fleet: AttestingFleet,
  agent: AttestationAgent,
  submission: Submission,
): Promise<'recorded' | 'spent' | 'gone'> {
  const { nonce } = submission
  const answer = await agent.submitToken(submission)
  if (answer.ok) {
    const { attestation_id: attestationId, device_id: deviceId, verdict } = answer.value
    fleet.acknowledged.push({ attestationId, deviceId, verdict })
    fleet.spent.push({ deviceId, nonce })
    return 'recorded'
  }
  if ('code' in answer.failure && answer.failure.code === 'nonce_spent') {
    fleet.spent.push({ deviceId: agent.device.deviceId, nonce })
    return 'spent'
  }
  expectGone(answer.failure)
  return 'gone'
}

/** Hands in again what was in doubt: each nonce is good for one record, or has been. */
export async function settleDoubts(fleet: AttestingFleet): Promise<void> {
  for (const [agent, submission] of fleet.inDoubt) {
    const outcome = await handIn(fleet, agent, submission)
    if (outcome === 'gone') throw new Error('the service is gone again')
  }
  fleet.inDoubt.clear()
}

function expectGone(failure: { readonly reason: string }): undefined {
  if (failure.reason === 'agent_service_unreachable') return
  throw new Error(`the service answered: ${JSON.stringify(failure)}`)
}
