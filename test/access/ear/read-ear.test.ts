import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readEar } from '../../../src/access/ear/read-ear.ts'
import { TRUST_CLAIMS, tierOf } from '../../../src/appraisal/trust-vector.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

const VERIFIER = { developer: 'https://verifier.example', build: '1.0' }

function earOf(changes: object = {}, submod: object = {}): Json {
  const device = { ear_status: 'affirming', ear_trustworthiness_vector: { hardware: 2 }, ...submod }
  return {
    ...{ eat_profile: 'tag:ietf.org,2026:rats/ear#04', iat: 1_772_438_400 },
    ...{ ear_verifier_id: VERIFIER, submods: { device }, ...changes },
  }
}

test('the profile that is written, and the one before it, are read alike', () => {
  for (const draft of ['04', '03']) {
    const eat_profile = `tag:ietf.org,2026:rats/ear#${draft}`
    expect(expectOk(readEar(earOf({ eat_profile, exp: 1_772_438_460 })))).toEqual({
      ...{ profile: eat_profile, issuer: undefined, subject: undefined, verifier: VERIFIER },
      issuedAt: new Date('2026-03-02T08:00:00Z'),
      expiresAt: new Date('2026-03-02T08:01:00Z'),
      ...{ status: 'affirming', nonces: [], confirmationKey: undefined },
      submods: [
        {
          ...{ label: 'device', status: 'affirming', policyIds: [], nonces: [] },
          vector: new Map([['hardware', 2]]),
        },
      ],
    })
  }
})

test("Veraison's profile of before is read in its own spelling", () => {
  const veraison = {
    eat_profile: 'tag:github.com,2023:veraison/ear',
    iat: 1_666_529_184,
    'ear.verifier-id': { developer: 'https://veraison-project.org', build: 'vts 0.0.1' },
    'ear.raw-evidence': 'NzQ3MjY5NzM2NTYzNzQK',
    submods: {
      PSA: {
        'ear.status': 'contraindicated',
        'ear.trustworthiness-vector': { 'instance-identity': 2, executables: 96, hardware: 2 },
        'ear.appraisal-policy-id': 'https://veraison.example/policy/1/60a0068d',
      },
    },
  }
  const ear = expectOk(readEar(veraison))
  expect(ear).toMatchObject({ status: 'contraindicated', verifier: { build: 'vts 0.0.1' } })
  expect(ear.submods[0]?.policyIds).toEqual(['https://veraison.example/policy/1/60a0068d'])
  expect([...(ear.submods[0]?.vector ?? [])]).toContainEqual(['executables', 96])
})

test('two spellings in one result could be two results', () => {
  const other = { 'ear.status': 'affirming' }
  const at = (failure: object) => Object(failure).at
  expect(at(expectRefusal(readEar(earOf(other)), 'ear_malformed'))).toBe('')
  expect(at(expectRefusal(readEar(earOf({}, other)), 'ear_malformed'))).toBe('submods.device')
})

test('no other profile is taken for one of these', () => {
  for (const eat_profile of [undefined, 7, '', 'tag:ietf.org,2026:rats/ear#05', '__proto__']) {
    expectRefusal(readEar(earOf({ eat_profile })), 'ear_profile_unknown')
  }
  for (const value of [null, [], 'text', 3]) expectRefusal(readEar(value), 'ear_profile_unknown')
})

const MALFORMED: readonly (readonly [object, string])[] = [
  [{ iat: undefined }, 'iat'],
  [{ iat: '1772438400' }, 'iat'],
  [{ iat: 1.5 }, 'iat'],
  [{ exp: -0.1 }, 'exp'],
  [{ ear_verifier_id: undefined }, 'verifier'],
  [{ ear_verifier_id: { developer: 'x' } }, 'verifier.build'],
  [{ ear_status: 'good' }, 'status'],
  [{ eat_nonce: 'short' }, 'eat_nonce'],
  [{ eat_nonce: 'n'.repeat(89) }, 'eat_nonce'],
  [{ submods: {} }, 'submods'],
  [{ submods: [] }, 'submods'],
  [{ submods: { device: 'eyJ' } }, 'submods.device'],
  [{ submods: { device: {} } }, 'submods.device.status'],
]

test.each(MALFORMED)('%j is refused at %s', (changes, at) => {
  const failure = expectRefusal(readEar(earOf(changes)), 'ear_malformed')
  expect(failure).toMatchObject({ at })
})

const VECTORS: readonly object[] = [
  {},
  { hardware: '2' },
  { hardware: 2.5 },
  { hardware: 128 },
  { hardware: -129 },
  { firmware: 2 },
]

test.each(VECTORS)('the vector %j is refused', (ear_trustworthiness_vector) => {
  const submod = { ear_trustworthiness_vector }
  expectRefusal(readEar(earOf({}, submod)), 'ear_malformed')
})

describe('a status is never better than what it stands on', () => {
  test('of one submodule, its worst claim', () => {
    const values = fc.integer({ min: -128, max: 127 })
    const vectors = fc.dictionary(fc.constantFrom(...TRUST_CLAIMS), values, { minKeys: 1 })
    const order = ['affirming', 'none', 'warning', 'contraindicated'] as const
    fc.assert(
      fc.property(vectors, fc.constantFrom(...order), (vector, ear_status) => {
        const worst = Math.max(...Object.values(vector).map((one) => order.indexOf(tierOf(one))))
        const read = readEar(earOf({}, { ear_status, ear_trustworthiness_vector: vector }))
        if (order.indexOf(ear_status) >= worst) expect(expectOk(read).status).toBe(ear_status)
        else expectRefusal(read, 'ear_status_too_good')
      }),
    )
  })

  test('of the whole, its worst submodule', () => {
    const submods = { good: { ear_status: 'affirming' }, bad: { ear_status: 'warning' } }
    expect(expectOk(readEar(earOf({ submods }))).status).toBe('warning')
    const whole = (ear_status: string) => readEar(earOf({ submods, ear_status }))
    expect(expectOk(whole('contraindicated')).status).toBe('contraindicated')
    for (const status of ['affirming', 'none']) {
      expect(expectRefusal(whole(status), 'ear_status_too_good')).toMatchObject({
        at: 'ear_status',
      })
    }
  })

  test('a claim that is missing is none, and nothing is read into it', () => {
    const [submod] = expectOk(readEar(earOf())).submods
    expect(submod?.vector.get('configuration')).toBeUndefined()
    const zero = { ear_trustworthiness_vector: { hardware: 2, configuration: 0 } }
    expectRefusal(readEar(earOf({}, zero)), 'ear_status_too_good')
  })
})

describeVectors('the examples of draft-ietf-rats-ear', () => {
  const EXAMPLES = [
    'ear-json-1',
    'ear-json-2',
    'ext-teep-json-1',
    'ext-veraison-json-1',
    'ext-veraison-json-2',
  ]

  test.each(EXAMPLES)('%s, which is valid by its CDDL, is read', (name) => {
    const example = vectorJson(`rats/ear/examples/${name}.json`)
    const ear = expectOk(readEar(example))
    expect(ear.verifier).toEqual(example.ear_verifier_id)
    expect(ear.submods.map(({ label }) => label)).toEqual(Object.keys(example.submods))
    for (const { label, status, vector, policyIds } of ear.submods) {
      const submod = example.submods[label]
      expect(status).toBe(submod.ear_status)
      expect(Object.fromEntries(vector)).toEqual(submod.ear_trustworthiness_vector)
      expect(policyIds).toEqual(submod.ear_appraisal_policy_ids)
    }
  })
})
