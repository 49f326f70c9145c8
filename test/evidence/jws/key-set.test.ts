import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { importKeySet, KEY_SET_REASONS } from '../../../src/evidence/jws/key-set.ts'
import { issueCertificate, issueChain, makeKeyPair } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

const { publicKey } = await makeKeyPair({ kind: 'rsa' })
const { n, e } = await crypto.subtle.exportKey('jwk', publicKey)
const good = { kid: 'good', kty: 'RSA', n, e }
const other = await issueCertificate({ subject: 'Other', key: { kind: 'rsa' } })
const x5c = [Buffer.from(other.der).toString('base64')]
const rsa1024 = await issueCertificate({ subject: 'Weak', key: { kind: 'rsa', bits: 1024 } })
const ec = await issueCertificate({ subject: 'EC' })

const base64 = (der: Uint8Array) => Buffer.from(der).toString('base64')

describe('importKeySet', () => {
  test('takes keys with modulus and exponent', async () => {
    const { keys, ignored } = expectOk(await importKeySet({ keys: [good] }))
    expect(keys.get('good')?.key.use.name).toBe('RSASSA-PKCS1-v1_5')
    expect(keys.get('good')?.validity).toBeUndefined()
    expect(ignored).toEqual([])
  })

  test('takes the key of a lone certificate and does not look at its dates', async () => {
    const { keys } = expectOk(await importKeySet({ keys: [{ kid: 'c', kty: 'RSA', x5c }] }))
    const jwk = await crypto.subtle.exportKey('jwk', other.keys.publicKey)
    expect(keys.get('c')?.jwk.n).toBe(jwk.n)
    expect(keys.get('c')?.validity).toBeUndefined()
  })

  test('notes when all certificates of a chain are valid', async () => {
    const notAfter = new Date('2024-07-01T00:00:00Z')
    const chain = await issueChain({ key: { kind: 'rsa' }, notAfter })
    const certificates = [chain.leaf, chain.intermediate, chain.root].map(({ der }) => base64(der))
    const set = await importKeySet({ keys: [{ kid: 'c', kty: 'RSA', x5c: certificates }] })
    expect(expectOk(set).keys.get('c')?.validity).toEqual({
      notBefore: new Date('2024-01-01T00:00:00Z'),
      notAfter,
    })
  })

  test.each([
    ['malformed', 'no object'],
    ['malformed', { ...good, kid: undefined }],
    ['malformed', { ...good, kid: '' }],
    ['malformed', { ...good, kid: 'k'.repeat(257) }],
    ['malformed', { kid: 'x', kty: 'RSA' }],
    ['malformed', { kid: 'x', kty: 'RSA', x5c: [] }],
    ['malformed', { kid: 'x', kty: 'RSA', x5c: 'text' }],
    ['malformed', { kid: 'x', kty: 'RSA', x5c: [5] }],
    ['malformed', { kid: 'x', kty: 'RSA', x5c: ['AAAA'] }],
    ['malformed', { kid: 'x', kty: 'RSA', x5c: ['A'.repeat(131_076)] }],
    ['malformed', { kid: 'x', kty: 'RSA', x5c: Array.from({ length: 9 }, () => x5c[0]) }],
    ['not_rsa', { kid: 'x', kty: 'EC', crv: 'P-256', x: 'A', y: 'A' }],
    ['not_rsa', { kid: 'x', kty: 'oct', k: 'AQAB' }],
    ['private', { ...good, d: 'AQAB' }],
    ['other_use', { ...good, use: 'enc' }],
    ['other_use', { ...good, alg: 'PS256' }],
    ['refused', { ...good, e: 'AQ' }],
    ['refused', { ...good, n: 'AQAB' }],
    ['refused', { kid: 'x', kty: 'RSA', x5c: [base64(rsa1024.der)] }],
    ['refused', { kid: 'x', kty: 'RSA', x5c: [base64(ec.der)] }],
    ['certificate_mismatch', { ...good, x5c }],
  ])('passes over a key that is %s', async (why, entry) => {
    const spare = { ...good, kid: 'spare' }
    const { keys, ignored } = expectOk(await importKeySet({ keys: [entry, spare] }))
    expect([...keys.keys()]).toEqual(['spare'])
    expect(ignored.map((key) => key.why)).toEqual([why])
    expectRefusal(await importKeySet({ keys: [entry] }), 'key_set_empty')
  })

  test('uses neither of two keys that share a name', async () => {
    const impostor = { kid: 'good', kty: 'RSA', x5c }
    const spare = { ...good, kid: 'spare' }
    const { keys, ignored } = expectOk(await importKeySet({ keys: [good, impostor, spare] }))
    expect([...keys.keys()]).toEqual(['spare'])
    expect(ignored).toEqual([{ kid: 'good', why: 'ambiguous_kid' }])
  })

  test('takes a key that is merely listed twice', async () => {
    const { keys, ignored } = expectOk(await importKeySet({ keys: [good, good] }))
    expect(keys.size).toBe(1)
    expect(ignored).toEqual([{ kid: 'good', why: 'duplicate' }])
  })

  test.each([[undefined], [null], ['text'], [[]], [{}], [{ keys: {} }], [{ keys: null }]])(
    'refuses %j',
    async (json) => {
      expectRefusal(await importKeySet(json), 'key_set_malformed')
    },
  )

  test('refuses a set without keys and one with too many', async () => {
    expectRefusal(await importKeySet({ keys: [] }), 'key_set_empty')
    const keys = Array.from({ length: 65 }, (_, at) => ({ ...good, kid: `${at}` }))
    expectRefusal(await importKeySet({ keys }), 'key_set_too_large')
  })

  test('property: arbitrary JSON is refused for a declared reason', async () => {
    const entry = fc.dictionary(
      fc.constantFrom('kid', 'kty', 'n', 'e', 'x5c', 'use', 'd'),
      fc.oneof(fc.jsonValue(), fc.constantFrom('RSA', 'AQAB')),
    )
    const json = fc.oneof(fc.jsonValue(), fc.record({ keys: fc.array(entry, { maxLength: 4 }) }))
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        const result = await importKeySet(value)
        if (!result.ok) expect(KEY_SET_REASONS).toContain(result.failure.reason)
      }),
    )
  })
})

describeVectors("Azure Attestation's key sets", () => {
  const read = async (name: string) =>
    expectOk(await importKeySet(vectorJson(`maa/jwks/jwks-wus-${name}-2022-11-17.json`)))

  test('give three keys that have neither modulus nor exponent beside their certificates', async () => {
    const { keys, ignored } = await read('shared')
    expect([...keys.keys()]).toEqual([
      'XxRc2vLh1E5FrsNawnRH3PzuFgqg3q7NvCdnjoJHBGE=',
      'D5DR62_fG0AlpALMbsP-wriTWjU',
      '5n95sus8qrcBcVLXZu3lPYgdMlM',
    ])
    expect(ignored).toEqual([])
    expect([...keys.values()].map((key) => key.validity?.notAfter.toISOString())).toEqual([
      undefined,
      '2023-05-03T19:26:15.000Z',
      '2022-03-02T18:31:17.000Z',
    ])
  })

  test('are the same key for every provider of a region', async () => {
    const kid = 'XxRc2vLh1E5FrsNawnRH3PzuFgqg3q7NvCdnjoJHBGE='
    const sets = await Promise.all(['shared', 'isolated', 'aad'].map(read))
    expect(new Set(sets.map(({ keys }) => keys.get(kid)?.jwk.n)).size).toBe(1)
  })
})
