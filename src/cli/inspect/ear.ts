import { type Ear, readEar } from '../../access/ear/read-ear.ts'
import { type EarTokenFailure, verifyEar } from '../../access/ear/verify-ear.ts'
import { importReceiptKeys } from '../../access/receipt/keys.ts'
import { tierOf } from '../../appraisal/trust-vector.ts'
import { err, type Result } from '../../base/result.ts'
import { decodeCompactJws, parseJsonObject } from '../../evidence/jws/compact-jws.ts'
import { verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import {
  FINDING_EXITS,
  FINDING_JSON,
  type Finding,
  report,
  verdictOf,
} from '../framework/finding.ts'
import { option, required, text } from '../framework/options.ts'
import { readJsonFile, readJudgedText } from '../framework/read-file.ts'
import { renderTable } from '../framework/table.ts'
import { UsageError } from '../framework/usage-error.ts'
import type { InspectionFailure } from './failure.ts'
import { readTime } from './read-time.ts'

type Inspected = Result<Ear, EarTokenFailure | InspectionFailure>

export const inspectEar = verb({
  summary: 'an attestation result (EAR), of this service or of another verifier',
  about: `A JWT is checked against the key set of its issuer. JSON is read as its claims, which nobody
signed: it is never verified.`,
  arguments: { file: required(text('FILE', 'the result; - is standard input')) },
  options: {
    jwks: text('FILE', 'the key set of the issuer; needed for a JWT'),
    issuer: text('URL', 'who must have issued it'),
    at: option('TIME', 'when it must count, such as 2026-03-02T08:00:00Z; otherwise now', readTime),
    nonce: text('TEXT', 'the nonce that it must carry'),
  },
  json: FINDING_JSON,
  exits: FINDING_EXITS,
  async run({ file, jwks, issuer, at: now = new Date(), nonce, json }) {
    const content = readJudgedText(file)
    const claims = parseJsonObject(content)
    const inspected = claims
      ? refuseUnsigned(claims)
      : await verifyEar(content, { keys: await readKeys(jwks), issuer, now })
    const outcome = checkNonce(inspected, nonce)
    const unbelieved = readEar(claims ?? decodeCompactJws(content)?.payload)
    const finding: Finding = {
      ...verdictOf(outcome),
      ...(unbelieved.ok && describe(unbelieved.value)),
      remarks: remarksOn(outcome),
    }
    return report(finding, { json, text: explain(finding) })
  },
})

async function readKeys(file: string | undefined) {
  if (file === undefined) throw new UsageError('a JWT needs the key set of its issuer (--jwks)')
  const keys = await importReceiptKeys(readJsonFile(file))
  if (!keys.ok) throw new UsageError(`${file} is no usable key set: ${keys.failure.reason}`)
  return keys.value
}

/** A nonce of the whole or of any of its submodules. */
function checkNonce(inspected: Inspected, expected: string | undefined): Inspected {
  if (expected === undefined || !inspected.ok) return inspected
  const { nonces, submods } = inspected.value
  const all = [...nonces, ...submods.flatMap((submod) => submod.nonces)]
  return all.includes(expected) ? inspected : err({ reason: 'ear_nonce_differs' })
}

/** What is wrong with its form is told first. */
function refuseUnsigned(claims: object): Inspected {
  const ear = readEar(claims)
  return ear.ok ? err({ reason: 'ear_unsigned' }) : ear
}

function describe(ear: Ear) {
  const { profile, issuer, subject, verifier, status, nonces, submods } = ear
  return {
    ...{ profile, issuer, subject, status, verifier, nonces },
    issued_at: ear.issuedAt.toISOString(),
    expires_at: ear.expiresAt?.toISOString(),
    confirmation_key: ear.confirmationKey,
    submods: submods.map(({ label, status: own, vector, policyIds, nonces: ownNonces }) => ({
      ...{ label, status: own, policy_ids: policyIds, nonces: ownNonces },
      vector: [...vector].map(([claim, value]) => ({ claim, value, tier: tierOf(value) })),
    })),
  }
}

function remarksOn(outcome: Inspected): string[] {
  const remarks: string[] = []
  if (!outcome.ok) return remarks
  const { confirmationKey, expiresAt, submods } = outcome.value
  if (confirmationKey === undefined) {
    remarks.push('it confirms no key (cnf), so whoever holds it could present it')
  }
  if (expiresAt === undefined) remarks.push('it never ends: go by when it was issued')
  for (const { label, vector } of submods) {
    if (vector.size === 0) remarks.push(`${label} has no vector: its status is the issuer's word`)
  }
  return remarks
}

function explain(finding: Finding): string {
  const { profile, issuer, subject, status, issued_at, expires_at, submods } = finding
  if (profile === undefined || !Array.isArray(submods)) return ''
  const head = fields({
    ...{ profile, issuer, subject, status },
    'issued at': issued_at,
    'expires at': expires_at,
    'confirmation key': finding.confirmation_key,
  })
  const rows = (submods as ReturnType<typeof describe>['submods']).flatMap((submod) => {
    const said = submod.vector.map(({ claim, value, tier }) => [claim, String(value), tier])
    return [
      [submod.label, '', submod.status],
      ...said.map(([claim = '', ...rest]) => [`  ${claim}`, ...rest]),
    ]
  })
  return `${head}\nSubmodules\n${renderTable(['claim', 'value', 'status'], rows)}\n`
}
