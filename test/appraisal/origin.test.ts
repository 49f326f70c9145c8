import { describe, expect, test } from 'vitest'
import { appraiseOrigin } from '../../src/appraisal/origin.ts'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { asAttestationPolicyHash } from '../../src/evidence/token/attestation-token.ts'
import { BUILT_IN_POLICY_HASH } from '../../src/verifier/built-in-policy.ts'
import { expectOk } from '../support/refusal.ts'
import { makeAnchor } from '../support/trust-anchors.ts'

const NOW = new Date('2026-06-15T12:00:00Z')
const OURS = 'https://countersign.example'
const AZURE = 'https://contoso.weu.attest.azure.net'
const HASH = asAttestationPolicyHash(Buffer.alloc(32, 1).toString('base64url'))
const one = await makeAnchor('One')
const two = await makeAnchor('Two')

const read = (document: object) => expectOk(parseReferenceValues({ enclaves: [], ...document }))

/** As where the configuration names trust anchors. */
const CONFIGURED = expectOk(parseReferenceValues({ enclaves: [] }, { requiresHardware: true }))

function originOf(
  document: object,
  changes: Partial<Parameters<typeof appraiseOrigin>[0]> = {},
): string {
  return appraiseOrigin({
    issuer: OURS,
    attestationPolicyHash: BUILT_IN_POLICY_HASH,
    claims: {},
    referenceValues: read(document),
    now: NOW,
    ...changes,
  })
}

describe('evidence of the built-in verifier', () => {
  const claims = { aikTrustAnchor: one.fingerprint, aikValidated: true }

  test('needs no pin, and no anchor where none is listed', () => {
    expect(originOf({})).toBe('accepted')
    expect(originOf({ trust_anchors: [] }, { claims })).toBe('accepted')
    expect(originOf({ azure_policies: [{ issuer: AZURE, hash: HASH }] })).toBe('accepted')
  })

  test('needs a listed anchor where some are', () => {
    const trust_anchors = [one.entry()]
    expect(originOf({ trust_anchors }, { claims })).toBe('accepted')
    expect(
      originOf({ trust_anchors }, { claims: { ...claims, aikTrustAnchor: two.fingerprint } }),
    ).toBe('anchor_not_listed')
    expect(originOf({ trust_anchors }, { claims: { aikValidated: true } })).toBe(
      'anchor_not_listed',
    )
  })

  test.each([[{}], [{ aikValidated: false }], [{ ...claims, aikValidated: false }]])(
    'of a key that no root vouched for is not believed where hardware has to be proven: %j',
    (unproven) => {
      const listing = read({ trust_anchors: [one.entry()] })
      expect(listing.requiresHardware).toBe(true)
      for (const referenceValues of [listing, CONFIGURED]) {
        expect(originOf({}, { claims: unproven, referenceValues })).toBe('hardware_unproven')
      }
      expect(originOf({}, { claims: unproven })).toBe('accepted')
    },
  )

  test('of a key that a configured root vouched for is believed', () => {
    expect(originOf({}, { claims, referenceValues: CONFIGURED })).toBe('accepted')
  })

  test('of a key whose certificate leaves its purpose out is believed under a lax entry alone', () => {
    const unnamed = { ...claims, aikPurposeNamed: false }
    const lax = one.entry({ attestation_key_purpose: 'lax' })
    const required = one.entry({ attestation_key_purpose: 'required' })
    const origin = (...trust_anchors: object[]) => originOf({ trust_anchors }, { claims: unnamed })
    expect(origin(lax)).toBe('accepted')
    expect(origin(required, lax)).toBe('accepted')
    expect(origin(one.entry())).toBe('anchor_not_listed')
    expect(origin(required)).toBe('anchor_not_listed')
    const ended = one.entry({ ...lax, valid_until: '2026-01-02T00:00:00Z' })
    expect(origin(one.entry(), ended)).toBe('anchor_not_listed')
    expect(
      originOf({ trust_anchors: [one.entry()] }, { claims: { ...claims, aikPurposeNamed: true } }),
    ).toBe('accepted')
  })

  test('is believed in the time of an entry, and in the gap between two it is not', () => {
    const trust_anchors = [
      one.entry({ valid_until: '2026-06-01T00:00:00Z' }),
      one.entry({ valid_from: '2026-07-01T00:00:00Z' }),
    ]
    const at = (time: string) => originOf({ trust_anchors }, { claims, now: new Date(time) })
    expect(at('2026-05-31T23:59:59.999Z')).toBe('accepted')
    expect(at('2026-06-01T00:00:00Z')).toBe('anchor_not_listed')
    expect(at('2026-07-01T00:00:00Z')).toBe('accepted')
    expect(at('2036-01-01T00:00:01Z')).toBe('anchor_not_listed')
  })

  test('that a provider claims to be, by the same text of policy, needs its pin', () => {
    const listed = { azure_policies: [{ issuer: AZURE, hash: HASH }], trust_anchors: [one.entry()] }
    expect(originOf(listed, { issuer: AZURE, claims })).toBe('policy_not_pinned')
  })
})

describe('evidence of a provider', () => {
  const of = (azure_policies: readonly object[], changes: object = {}) =>
    originOf({ azure_policies }, { issuer: AZURE, attestationPolicyHash: HASH, ...changes })

  test('needs a pin of its issuer and its policy', () => {
    expect(of([{ issuer: AZURE, hash: HASH }])).toBe('accepted')
    expect(of([])).toBe('policy_not_pinned')
    expect(of([{ issuer: 'https://fabrikam.weu.attest.azure.net', hash: HASH }])).toBe(
      'policy_not_pinned',
    )
    expect(of([{ issuer: AZURE, hash: BUILT_IN_POLICY_HASH }])).toBe('policy_not_pinned')
  })

  test('is believed in the time of the pin', () => {
    const valid_until = '2026-06-15T12:00:00Z'
    expect(of([{ issuer: AZURE, hash: HASH, valid_until }])).toBe('policy_not_pinned')
    const now = new Date(NOW.getTime() - 1)
    expect(of([{ issuer: AZURE, hash: HASH, valid_until }], { now })).toBe('accepted')
  })

  test('needs no anchor: the provider looks at certificates itself', () => {
    const document = {
      azure_policies: [{ issuer: AZURE, hash: HASH }],
      trust_anchors: [one.entry()],
    }
    expect(originOf(document, { issuer: AZURE, attestationPolicyHash: HASH })).toBe('accepted')
  })

  test('that says itself that nobody vouches is not believed where hardware has to be proven', () => {
    const document = { enclaves: [], azure_policies: [{ issuer: AZURE, hash: HASH }] }
    const configured = expectOk(parseReferenceValues(document, { requiresHardware: true }))
    const of = (claims: object, referenceValues = configured) =>
      originOf({}, { issuer: AZURE, attestationPolicyHash: HASH, claims, referenceValues })
    expect(of({ aikValidated: false })).toBe('hardware_unproven')
    expect(of({ aikValidated: true })).toBe('accepted')
    expect(of({})).toBe('accepted')
    expect(of({ aikValidated: false }, read(document))).toBe('accepted')
    const changes = {
      issuer: AZURE,
      attestationPolicyHash: asAttestationPolicyHash('x'),
      claims: { aikValidated: false },
    }
    expect(originOf({}, { ...changes, referenceValues: configured })).toBe('policy_not_pinned')
  })

  test('cannot make up for a missing pin by naming an anchor', () => {
    const claims = { aikTrustAnchor: one.fingerprint }
    const changes = { issuer: AZURE, attestationPolicyHash: HASH, claims }
    expect(originOf({ trust_anchors: [one.entry()] }, changes)).toBe('policy_not_pinned')
  })
})
