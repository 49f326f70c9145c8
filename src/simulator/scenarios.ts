import type { Result } from '../base/result.ts'
import type { AgentAttestation, AttestationAgent } from './agent.ts'
import {
  readAttempt,
  type Scenario,
  type ScenarioAttempt,
  type ScenarioExpectation,
  type ScenarioHelpers,
} from './scenario.ts'
import type { AgentFailure } from './service-client.ts'
import { claimSecureBoot, forgeWithOwnCertificate, forgeWithoutSignature } from './tampering.ts'
import { ENCLAVE_FLAGS, MINIMUM_ENCLAVE_SVN } from './virtual-enclave.ts'

/**
 * What the service says in each case: clause ids of the baseline policy, codes of the evidence, token
 * and agent rooms. Everything that depends on their wording is in this table.
 */
const EXPECTED = {
  trusted: { verdict: 'trusted', reasons: [], refusal: undefined, decision: true },
  secureBootOff: untrusted('secure_boot_on'),
  debuggableEnclave: untrusted('enclave_not_debuggable'),
  oldEnclave: untrusted('enclave_current'),
  testSigning: untrusted('test_signing_off'),
  replayed: { verdict: 'trusted', reasons: [], refusal: 'nonce_spent', decision: true },
  forged: refused('token_key_unknown'),
  unsigned: refused('token_draft'),
  logRewritten: refused('log_pcr_mismatch', ['log_pcr_mismatch']),
  eventRewritten: refused('log_event_digest_mismatch', ['log_event_digest_mismatch']),
  expired: { verdict: 'stale', reasons: [], refusal: undefined, decision: false },
} as const satisfies Readonly<Record<string, ScenarioExpectation>>

const PAST_VALIDITY_MS = 60_000

export const HEALTHY: Scenario = {
  name: 'healthy',
  tries: 'A device as it should be.',
  device: {},
  expected: EXPECTED.trusted,
}

/** Devices whose evidence alone is wrong: what they do is a plain attestation. */
export const UNHEALTHY: readonly Scenario[] = [
  {
    name: 'secure-boot-off',
    tries: 'Starts with Secure Boot off and says so.',
    device: { boot: { secureBoot: false } },
    expected: EXPECTED.secureBootOff,
  },
  {
    name: 'debuggable-enclave',
    tries: 'Runs the agent in an enclave that a debugger can open.',
    device: { enclave: { flags: ENCLAVE_FLAGS.fullDebug } },
    expected: EXPECTED.debuggableEnclave,
  },
  {
    name: 'old-enclave',
    tries: 'Runs a version of the enclave that has known faults.',
    device: { enclave: { enclaveSvn: MINIMUM_ENCLAVE_SVN - 1 } },
    expected: EXPECTED.oldEnclave,
  },
  {
    name: 'tampered-log',
    tries: 'Starts with Secure Boot off and rewrites the log, digests included, to say it was on.',
    device: { boot: { secureBoot: false } },
    tamper: (device) => claimSecureBoot(device, 'recomputed'),
    expected: EXPECTED.logRewritten,
  },
  {
    name: 'edited-event',
    tries: 'Starts with Secure Boot off and edits that one event, leaving its digest alone.',
    device: { boot: { secureBoot: false } },
    tamper: (device) => claimSecureBoot(device, 'kept'),
    expected: EXPECTED.eventRewritten,
  },
  {
    name: 'test-signing',
    tries: 'Lets Windows load drivers that anybody signed.',
    device: { boot: { testSigning: true } },
    expected: EXPECTED.testSigning,
  },
]

/** The demonstration fleet. The last one moves the clock, so it must stay last. */
export const SCENARIOS: readonly Scenario[] = [
  HEALTHY,
  ...UNHEALTHY,
  {
    name: 'replayed-nonce',
    tries: 'Attests, then hands in the same token and nonce again; only the first counts.',
    device: {},
    run: replaySubmission,
    expected: EXPECTED.replayed,
  },
  {
    name: 'forged-token',
    tries: 'Improves its token and signs it itself, with its own certificate in the header.',
    device: { boot: { secureBoot: false } },
    run: (agent, helpers) =>
      submitForgery(agent, (token) =>
        forgeWithOwnCertificate({ token, keys: helpers.keys, authority: helpers.strangeAuthority }),
      ),
    expected: EXPECTED.forged,
  },
  {
    name: 'unsigned-token',
    tries: 'Improves its token and leaves the signature out (alg none).',
    device: { boot: { secureBoot: false } },
    run: (agent) => submitForgery(agent, forgeWithoutSignature),
    expected: EXPECTED.unsigned,
  },
  {
    name: 'expired',
    tries: 'Attests once and is not heard of again until its attestation is too old.',
    device: {},
    run: attestAndFallSilent,
    movesClock: true,
    expected: EXPECTED.expired,
  },
]

async function replaySubmission(agent: AttestationAgent): Promise<ScenarioAttempt> {
  const honest = await obtainToken(agent)
  if (!honest.ok) return readAttempt(honest)
  const first = await agent.submitToken(honest.value)
  if (!first.ok) return readAttempt(first)
  return readAttempt(await agent.submitToken(honest.value))
}

async function submitForgery(
  agent: AttestationAgent,
  forge: (token: string) => string | Promise<string>,
): Promise<ScenarioAttempt> {
  const honest = await obtainToken(agent)
  if (!honest.ok) return readAttempt(honest)
  const { token, nonce } = honest.value
  return readAttempt(await agent.submitToken({ token: await forge(token), nonce }))
}

async function attestAndFallSilent(
  agent: AttestationAgent,
  helpers: ScenarioHelpers,
): Promise<ScenarioAttempt> {
  const result: Result<AgentAttestation, AgentFailure> = await agent.attest()
  if (result.ok) {
    const remaining = Date.parse(result.value.valid_until) - helpers.now().getTime()
    await helpers.advanceClock(remaining + PAST_VALIDITY_MS)
  }
  return readAttempt(result)
}

async function obtainToken(
  agent: AttestationAgent,
): Promise<Result<{ readonly token: string; readonly nonce: string }, AgentFailure>> {
  const challenge = await agent.requestChallenge()
  if (!challenge.ok) return challenge
  const { nonce } = challenge.value
  const token = await agent.obtainToken(nonce)
  return token.ok ? { ok: true, value: { token: token.value, nonce } } : token
}

function untrusted(clause: string) {
  return { verdict: 'untrusted', reasons: [clause], refusal: undefined, decision: false } as const
}

/** Refused with nothing recorded but the attempt. */
function refused(refusal: string, reasons: readonly string[] = []) {
  return { verdict: 'unknown', reasons, refusal, decision: false } as const
}
