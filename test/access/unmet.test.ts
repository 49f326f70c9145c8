import { expect, test } from 'vitest'
import { assess } from '../../src/access/assess.ts'
import type { TrustRecord } from '../../src/access/trust-record.ts'
import { describeShortfall, listUnmet } from '../../src/access/unmet.ts'
import type { AttestationClaims } from '../../src/appraisal/claims.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import { BUILT_IN_POLICY_HASH } from '../../src/verifier/built-in-policy.ts'
import {
  ATTESTED_AT,
  AUTHOR,
  agent,
  HEALTHY,
  IMAGE,
  NOW,
  OTHER_AUTHOR,
  referenceValues,
  VALID_UNTIL,
} from '../policy/healthy-device.ts'
import { expectOk } from '../support/refusal.ts'

const policy = expectOk(compilePolicy(BASELINE_POLICY))

function recordOf(claims: AttestationClaims | null): TrustRecord {
  return {
    ...{
      deviceId: 'dev_a',
      keyKind: 'aik',
      enrolment: 'admitted',
      owner: null,
      entraDeviceId: null,
    },
    ...{ labels: [], ring: 1, quarantine: null, generation: 1, vouched: false, createdAt: NOW },
    graces: {},
    firstFailedAt: { bitlocker_on: '2026-05-01T00:00:00.000Z' },
    attestation: claims && {
      ...{ attestationId: 'att_a', attestedAt: ATTESTED_AT, validUntil: VALID_UNTIL },
      ...{ issuer: 'https://verifier.example', attestationPolicyHash: BUILT_IN_POLICY_HASH },
      ...{ confirmationKey: 'key', claims },
    },
  }
}

function unmetOf(claims: AttestationClaims | null, enclaves: readonly object[] = [agent()]) {
  const rules = { policy, referenceValues: referenceValues(enclaves) }
  const record = recordOf(claims)
  return listUnmet(assess({ ...rules, record, now: NOW }), { record, rules, now: NOW })
}

const words = (claims: AttestationClaims, enclaves?: readonly object[]) =>
  unmetOf(claims, enclaves).flatMap(({ clause, shortfalls }) =>
    shortfalls.map((one) => `${clause}: ${describeShortfall(one)}`),
  )

test('an enclave that is too old is told with its versions and the ones that are listed', () => {
  const claims = { ...HEALTHY, enclaveSvn: 2 }
  expect(words(claims, [agent({ minimum_svn: 3 })])).toEqual([
    'enclave_current: enclaveSvn 2, needs at least 3',
  ])
  // Of several entries that name it, the one that asks for the least has to be reached.
  const both = [agent({ minimum_svn: 9 }), agent({ minimum_svn: 4, image_ids: [IMAGE] })]
  expect(words(claims, both)).toEqual(['enclave_current: enclaveSvn 2, needs at least 4'])
  expect(words(HEALTHY, [agent({ minimum_platform_svn: 5 })])).toEqual([
    'enclave_current: enclavePlatformSvn 2, needs at least 5',
  ])
})

test('an enclave that is not listed is told by what names it', () => {
  const [unmet] = unmetOf({ ...HEALTHY, enclaveAuthorId: OTHER_AUTHOR })
  expect(unmet).toEqual({
    ...{ clause: 'enclave_listed', severity: 'enforce', status: 'fail' },
    shortfalls: [
      {
        reads: 'attestation.enclaveAuthorId',
        actual: OTHER_AUTHOR,
        required: 'an author that the reference values list',
      },
    ],
  })
  const image = Buffer.alloc(16, 0x77).toString('base64url')
  expect(
    words(HEALTHY, [{ name: 'a', author_id: AUTHOR, minimum_svn: 1, image_ids: [image] }]),
  ).toContain(
    `enclave_listed: enclaveImageId ${IMAGE}, needs one that is listed for its author now`,
  )
})

test('a clause that is only reported is told too, and since when it fails', () => {
  expect(unmetOf({ ...HEALTHY, bitlockerEnabled: false })).toEqual([
    {
      ...{ clause: 'bitlocker_on', severity: 'report', status: 'fail' },
      since: '2026-05-01T00:00:00.000Z',
      shortfalls: [{ reads: 'attestation.bitlockerEnabled', actual: false, required: 'true' }],
    },
  ])
})

test('a claim that was never made leaves a clause undecidable, and says so', () => {
  const { bitlockerEnabled: _, ...claims } = HEALTHY
  expect(unmetOf(claims)).toMatchObject([
    {
      clause: 'bitlocker_on',
      status: 'undecidable',
      cause: 'No such key: bitlockerEnabled',
      shortfalls: [{ reads: 'attestation.bitlockerEnabled', required: 'true' }],
    },
  ])
})

test('a healthy device and one that never attested have none', () => {
  expect(unmetOf(HEALTHY)).toEqual([])
  expect(unmetOf(null)).toEqual([])
})
