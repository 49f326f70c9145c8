import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { appraise } from '../../src/appraisal/appraise.ts'
import type { AttestationClaims } from '../../src/appraisal/claims.ts'
import { statusOf, tierOf } from '../../src/appraisal/trust-vector.ts'
import {
  agent,
  appraised,
  FAMILY,
  HEALTHY,
  IMAGE,
  NOW,
  OTHER_AUTHOR,
  referenceValues,
  withoutClaim,
} from '../policy/healthy-device.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

test('a healthy device with a listed enclave is affirmed in every claim', () => {
  expect(appraised(HEALTHY)).toMatchObject({
    status: 'affirming',
    vector: { instanceIdentity: 2, configuration: 2, executables: 2, hardware: 2 },
    enclave: { listed: true, name: 'agent', svnCurrent: true, debuggable: false },
  })
})

describe('saying nothing is never a pass', () => {
  test('no claims give no vector and no status', () => {
    const result = appraised({})
    expect(result.status).toBe('none')
    expect(Object.values(result.vector)).toEqual([undefined, undefined, undefined, undefined])
    expect(Object.values(result.enclave)).toEqual([undefined, undefined, undefined, undefined])
  })

  test('empty reference values list nobody and refuse nobody', () => {
    const { enclave, vector, status } = appraised(HEALTHY, referenceValues([]))
    expect(enclave).toMatchObject({ listed: undefined, svnCurrent: undefined, debuggable: false })
    expect(vector.instanceIdentity).toBeUndefined()
    expect(status).toBe('none')
  })

  test('an entry that asks for an id that the token lacks decides nothing', () => {
    const reference = referenceValues([agent({ family_id: FAMILY, image_ids: [IMAGE] })])
    for (const name of ['enclaveFamilyId', 'enclaveImageId'] as const) {
      expect(appraised(withoutClaim(name), reference).enclave.listed).toBeUndefined()
    }
    expect(appraised(HEALTHY, reference).enclave.listed).toBe(true)
  })

  test('a missing security version is neither current nor old', () => {
    expect(appraised(withoutClaim('enclaveSvn')).enclave).toMatchObject({
      listed: true,
      svnCurrent: undefined,
    })
  })

  test('enclave claims without a verified report count for nothing', () => {
    const claims = { ...HEALTHY, vbsReportPresent: false }
    expect(appraised(claims).enclave.listed).toBeUndefined()
  })

  test.each(['aikValidated', 'enclaveFlags', 'secureBootEnabled', 'codeIntegrityEnabled'] as const)(
    'without %s a device is not affirmed',
    (name) => expect(appraised(withoutClaim(name)).status).not.toBe('affirming'),
  )
})

describe('enclaves and reference values', () => {
  test('an enclave of another author, family or image is not listed', () => {
    const reference = referenceValues([agent({ family_id: FAMILY, image_ids: [IMAGE] })])
    const other = Buffer.alloc(16, 9).toString('base64url')
    for (const claims of [
      { ...HEALTHY, enclaveAuthorId: OTHER_AUTHOR },
      { ...HEALTHY, enclaveFamilyId: other },
      { ...HEALTHY, enclaveImageId: other },
    ]) {
      const { enclave, vector, status } = appraised(claims, reference)
      expect(enclave).toMatchObject({ listed: false, svnCurrent: undefined })
      expect(vector).toMatchObject({ instanceIdentity: 97, executables: 33 })
      expect(status).toBe('contraindicated')
    }
  })

  test('an image that differs is not listed even when the family is unsaid', () => {
    const reference = referenceValues([agent({ family_id: FAMILY, image_ids: [IMAGE] })])
    const claims = { ...withoutClaim('enclaveFamilyId'), enclaveImageId: FAMILY }
    expect(appraised(claims, reference).enclave.listed).toBe(false)
  })

  test('the security versions of enclave and platform must both reach the minimum', () => {
    const reference = referenceValues([agent({ minimum_svn: 7, minimum_platform_svn: 2 })])
    const current = (claims: AttestationClaims) => appraised(claims, reference).enclave.svnCurrent
    expect(current(HEALTHY)).toBe(true)
    expect(current({ ...HEALTHY, enclaveSvn: 6 })).toBe(false)
    expect(current({ ...HEALTHY, enclavePlatformSvn: 1 })).toBe(false)
    expect(current(withoutClaim('enclavePlatformSvn'))).toBeUndefined()
    expect(current({ ...withoutClaim('enclavePlatformSvn'), enclaveSvn: 6 })).toBe(false)
  })

  test('overlapping entries: any of them lets an enclave be current', () => {
    const entries = [agent({ name: 'old', minimum_svn: 7 }), agent({ name: 'new', minimum_svn: 9 })]
    for (const enclaves of [entries, entries.toReversed()]) {
      expect(appraised(HEALTHY, referenceValues(enclaves)).enclave).toMatchObject({
        listed: true,
        name: 'old',
        svnCurrent: true,
      })
    }
  })

  test('an entry counts from valid_from until just before valid_until', () => {
    const listed = (from: string, until: string) =>
      appraised(HEALTHY, referenceValues([agent({ valid_from: from, valid_until: until })])).enclave
        .listed
    const later = '2026-06-01T00:00:00Z'
    const earlier = '2026-04-01T00:00:00Z'
    expect(listed(earlier, later)).toBe(true)
    expect(listed(NOW.toISOString(), later)).toBe(true)
    expect(listed(earlier, NOW.toISOString())).toBe(false)
    expect(listed(later, '2026-07-01T00:00:00Z')).toBe(false)
  })

  test.each([1, 2, 4, 8, 3])('an enclave with flags %i is debuggable', (enclaveFlags) => {
    const { enclave, vector } = appraised({ ...HEALTHY, enclaveFlags })
    expect(enclave.debuggable).toBe(true)
    expect(vector.executables).toBe(96)
  })
})

describe('the vector', () => {
  const cases: readonly [AttestationClaims, string, number | undefined][] = [
    [{ ...HEALTHY, secureBootEnabled: false }, 'configuration', 96],
    [{ ...HEALTHY, osKernelDebuggingDisabled: false }, 'configuration', 96],
    [{ ...HEALTHY, hvciEnabled: false }, 'configuration', 32],
    [{ ...HEALTHY, notSafeMode: false }, 'configuration', 32],
    [withoutClaim('vbsEnabled'), 'configuration', 36],
    [{ ...HEALTHY, testSigningDisabled: false }, 'executables', 96],
    [{ ...HEALTHY, codeIntegrityEnabled: false }, 'executables', 33],
    [{ ...HEALTHY, enclaveSvn: 4 }, 'executables', 32],
    [{ ...HEALTHY, aikValidated: false }, 'hardware', 97],
  ]
  test.each(cases)('case %#', (claims, member, value) => {
    const { vector, status } = appraised(claims)
    expect(vector).toMatchObject({ [member]: value })
    expect(status).toBe(tierOf(value ?? 0))
  })

  test('a status is never better than the worst claim', () => {
    const value = fc.option(fc.integer({ min: -128, max: 127 }), { nil: undefined })
    const vectors = fc.record({
      instanceIdentity: value,
      configuration: value,
      executables: value,
      hardware: value,
    })
    const order = ['affirming', 'none', 'warning', 'contraindicated']
    fc.assert(
      fc.property(vectors, (vector) => {
        const worst = Math.max(...Object.values(vector).map((v) => order.indexOf(tierOf(v ?? 0))))
        expect(statusOf(vector)).toBe(order[worst])
      }),
    )
  })
})

test('an appraisal looks at no entry of another author, however many there are', () => {
  const reference = referenceValues()
  const untouchable = new Proxy([], {
    get: () => expect.fail('an entry of another author was looked at'),
  })
  const others = Array.from(
    { length: 1_000 },
    (_, index) => [`author ${index}`, untouchable] as const,
  )
  const enclavesByAuthor = new Map([...others, ...reference.enclavesByAuthor])
  const input = { claims: HEALTHY, now: NOW }
  const among = appraise({ ...input, referenceValues: { ...reference, enclavesByAuthor } })
  expect(among).toEqual(appraise({ ...input, referenceValues: reference }))
  expect(among.enclave.listed).toBe(true)
})

describeVectors('AR4SI', () => {
  test('every tier vector of the draft', () => {
    const { tier_vectors } = vectorJson('rats/ar4si-values.json')
    expect(tier_vectors.length).toBeGreaterThan(0)
    for (const { value, tier } of tier_vectors)
      expect([value, tierOf(value)]).toEqual([value, tier])
  })
})
