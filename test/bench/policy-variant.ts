import { appraise } from '../../src/appraisal/appraise.ts'
import { type AttestationClaims, CLAIM_NAMES, CLAIMS } from '../../src/appraisal/claims.ts'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { asAttestationPolicyHash } from '../../src/evidence/token/attestation-token.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import { evaluatePolicy } from '../../src/policy/language/evaluate.ts'
import type { PolicyInput } from '../../src/policy/language/input.ts'
import { prepareLibrary } from './policy-library.ts'
import type { Run, Variant } from './rounds.ts'
import { unwrap } from './unwrap.ts'
import { readInput, say } from './variant.ts'

export type PolicyBenchInput = {
  readonly variant: Variant
  readonly warmUpSeconds: number
  readonly seconds: number
}

/** How many evaluations there are between two looks at the clock. */
const BATCH = 500
const AUTHOR = Buffer.alloc(32, 0xa1).toString('base64url')

const { variant, warmUpSeconds, seconds } = readInput<PolicyBenchInput>()
const policy = unwrap(compilePolicy(BASELINE_POLICY))
/** A healthy device, and one whose kernel is not isolated. */
const inputs = [
  prepareInput(healthyClaims()),
  prepareInput({ ...healthyClaims(), vbsEnabled: false }),
]
const evaluate =
  variant === 'path'
    ? (input: PolicyInput) => evaluatePolicy(policy, input, { scope: 'device' })
    : prepareLibrary(BASELINE_POLICY)

expectAlike()
runFor(warmUpSeconds)
say(runFor(seconds))

function runFor(duration: number): Run {
  const cpu = process.cpuUsage()
  const begun = performance.now()
  let count = 0
  let elapsed = 0
  while (elapsed < duration * 1000) {
    for (let at = 0; at < BATCH; at++) for (const input of inputs) evaluate(input)
    count += BATCH * inputs.length
    elapsed = performance.now() - begun
  }
  const { user, system } = process.cpuUsage(cpu)
  const micros = (user + system) / count
  return {
    opsPerSecond: (count / elapsed) * 1000,
    details: { process_cpu_us: Math.round(micros * 100) / 100 },
  }
}

/** Both have to come to the same, or the figures would say nothing. */
function expectAlike(): void {
  for (const input of inputs) {
    const expected = evaluatePolicy(policy, input, { scope: 'device' }).map(({ status }) => status)
    const actual = evaluate(input).map(({ status }) => status)
    const isDecided = !expected.includes('undecidable')
    if (!isDecided || actual.join() !== expected.join())
      throw new Error('an outcome is not what it should be')
  }
}

/** Nothing is undecidable, for making errors is what costs the library most. */
function healthyClaims(): AttestationClaims {
  const bools = CLAIM_NAMES.filter((name) => CLAIMS[name].kind === 'bool')
  return {
    ...Object.fromEntries(bools.map((name) => [name, true])),
    enclaveAuthorId: AUTHOR,
    enclaveSvn: 7,
    enclaveFlags: 0,
  }
}

function prepareInput(claims: AttestationClaims): PolicyInput {
  const now = new Date()
  const enclaves = [{ name: 'agent', author_id: AUTHOR, minimum_svn: 5 }]
  const referenceValues = unwrap(parseReferenceValues({ enclaves }))
  const result = appraise({ claims, referenceValues, now })
  const times = { attestedAt: now, validUntil: now }
  const attestationPolicyHash = asAttestationPolicyHash('')
  return { attestation: { claims, result, issuer: '', attestationPolicyHash, ...times }, now }
}
