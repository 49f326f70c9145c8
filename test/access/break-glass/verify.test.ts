import { createHmac, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { BreakGlassClaims } from '../../../src/access/break-glass/claims.ts'
import { readBreakGlassKeys } from '../../../src/access/break-glass/keys.ts'
import {
  MAX_BREAK_GLASS_CHARS,
  MAX_BREAK_GLASS_KEYS,
  MAX_BREAK_GLASS_SIGNATURES,
  MAX_REASON_CHARS,
} from '../../../src/access/break-glass/limits.ts'
import { signBreakGlass } from '../../../src/access/break-glass/sign.ts'
import {
  BREAK_GLASS_TYPE,
  decodeBreakGlass,
  signingInput,
} from '../../../src/access/break-glass/token.ts'
import { type BreakGlassRules, opensFor } from '../../../src/access/break-glass/verify.ts'
import { DEVICE_TOKEN_TYPE, verifyDeviceToken } from '../../../src/access/device-token.ts'
import { RECEIPT_TYPE } from '../../../src/access/receipt/receipt.ts'
import { toBase64Url } from '../../../src/base/encoding.ts'
import { err, ok } from '../../../src/base/result.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  AUDIENCE,
  CLAIMS,
  createHolder,
  DEVICE,
  forge,
  type Holder,
  keySetOf,
  NOW,
  OTHER_DEVICE,
  pack,
  renamed,
  rulesOf,
  tokenOf,
  unpack,
  verify,
} from './break-glass-fixture.ts'

let alice: Holder
let bob: Holder
let carol: Holder
let mallory: Holder
let rules: BreakGlassRules
let token: string

beforeAll(async () => {
  const names = ['alice', 'bob', 'carol', 'mallory']
  const holders = await Promise.all(names.map(createHolder))
  ;[alice, bob, carol, mallory] = holders as [Holder, Holder, Holder, Holder]
  rules = await rulesOf([alice, bob, carol])
  token = await tokenOf([alice, bob])
})

const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)

describe('a token that enough people signed', () => {
  test('says what it allows and who allowed it', async () => {
    expect(expectOk(await verify(token, rules))).toEqual({ claims: CLAIMS, kids: ['alice', 'bob'] })
  })

  test('may have more signatures than are wanted, in any order', async () => {
    const all = await tokenOf([carol, bob, alice])
    expect(expectOk(await verify(all, rules)).kids).toEqual(['carol', 'bob', 'alice'])
  })

  test('is good for keys that are called by their thumbprints', async () => {
    const thumbprint = rules.keys.get('alice')?.thumbprint ?? ''
    const named = await tokenOf([renamed(alice, thumbprint), bob])
    expect(expectOk(await verify(named, rules)).kids).toEqual(['alice', 'bob'])
  })

  test('does not mind signatures of others', async () => {
    const { kids } = expectOk(await verify(await tokenOf([mallory, alice, bob]), rules))
    expect(kids).toEqual(['alice', 'bob'])
  })

  test('counts from iat to exp, and by the skew around them', async () => {
    expectOk(await verify(token, rules, later(-60)))
    expectRefusal(await verify(token, rules, later(-61)), 'break_glass_not_yet_valid')
    expectOk(await verify(token, rules, later(1800 + 59)))
    const late = expectRefusal(await verify(token, rules, later(1800 + 60)), 'break_glass_expired')
    expect(late).toMatchObject({ jti: CLAIMS.jti })
    expectRefusal(await verify(token, rules, new Date(Number.NaN)), 'break_glass_expired')
    // RFC 7519 §2: seconds may have a fraction.
    const part = await tokenOf([alice, bob], { iat: CLAIMS.iat + 0.5, exp: CLAIMS.exp + 0.5 })
    expectOk(await verify(part, rules, later(1800 + 60)))
    expectRefusal(await verify(part, rules, later(1800 + 60.5)), 'break_glass_expired')
    expectRefusal(await verify(part, rules, later(-60)), 'break_glass_not_yet_valid')
  })

  test('opens for its device, and for every device if it says so', () => {
    const anywhere = { ...CLAIMS, sub: '*' }
    const unnamed = err({ reason: 'device_not_named' })
    expectOk(opensFor(CLAIMS, ok(DEVICE)))
    expectOk(opensFor(anywhere, ok(OTHER_DEVICE)))
    expectOk(opensFor(anywhere, unnamed))
    expectRefusal(opensFor(CLAIMS, ok(OTHER_DEVICE)), 'break_glass_wrong_device')
    expectRefusal(opensFor(CLAIMS, unnamed), 'break_glass_wrong_device')
    expectRefusal(opensFor(CLAIMS, ok('*')), 'break_glass_wrong_device')
  })

  test('fits its limits with all the signatures and text that it may have', async () => {
    const holders = Array.from({ length: MAX_BREAK_GLASS_SIGNATURES }, (_, i) =>
      renamed(alice, `${i}`.padStart(43, '0')),
    )
    const big = await tokenOf(holders, { sub: '*', reason: '界'.repeat(MAX_REASON_CHARS) })
    expect(big.length).toBeLessThanOrEqual(MAX_BREAK_GLASS_CHARS)
    expectOk(decodeBreakGlass(big))
  })
})

describe('an attack', () => {
  test('with fewer signatures than are wanted opens nothing', async () => {
    expectRefusal(await verify(await tokenOf([alice]), rules), 'break_glass_too_few_signatures')
    const { payload } = unpack(token)
    const none = pack({ payload, signatures: [] })
    expectRefusal(await verify(none, rules), 'break_glass_too_few_signatures')
  })

  test('with one key twice, under one name or two, has one signature', async () => {
    const thumbprint = rules.keys.get('alice')?.thumbprint ?? ''
    for (const again of [alice, renamed(alice, thumbprint), renamed(alice, 'eve')]) {
      const twice = await tokenOf([alice, again])
      expectRefusal(await verify(twice, rules), 'break_glass_too_few_signatures')
    }
    const { key, ...rest } = rules.keys.get('alice') ?? expect.fail()
    const doubled = new Map([...rules.keys, ['again', { ...rest, key, kid: 'again' }]])
    const twice = await tokenOf([alice, renamed(alice, 'again')])
    const refusal = await verify(twice, { ...rules, keys: doubled })
    expectRefusal(refusal, 'break_glass_too_few_signatures')
  })

  test('with keys of its own opens nothing, whatever names they have', async () => {
    const strangers = await tokenOf([mallory, await createHolder('eve')])
    expectRefusal(await verify(strangers, rules), 'break_glass_too_few_signatures')
    const posing = await tokenOf([alice, renamed(mallory, 'bob')])
    expectRefusal(await verify(posing, rules), 'break_glass_signature_invalid')
  })

  test('that adds a wrong signature of a known key is not outvoted', async () => {
    const posing = await tokenOf([alice, bob, renamed(mallory, 'carol')])
    expectRefusal(await verify(posing, rules), 'break_glass_signature_invalid')
  })

  test('that brings its key in the header is refused', async () => {
    const { kid: _, ...jwk } = mallory.jwk
    for (const header of [{ jwk }, { x5c: ['AA'] }, { jku: 'https://evil.example' }]) {
      const brought = await forge([alice, bob], { header })
      expectRefusal(await verify(brought, rules), 'break_glass_header_refused')
    }
  })

  test('that swaps the payload under good signatures is refused', async () => {
    const other = unpack(await tokenOf([mallory], { sub: '*' }))
    const swapped = pack({ payload: other.payload, signatures: unpack(token).signatures })
    expectRefusal(await verify(swapped, rules), 'break_glass_signature_invalid')
  })

  test('that puts signatures of two tokens together is refused', async () => {
    const mine = unpack(await tokenOf([alice], { sub: '*' }))
    const theirs = unpack(await tokenOf([bob]))
    const signatures = [...mine.signatures, ...theirs.signatures]
    const mixed = pack({ payload: mine.payload, signatures })
    expectRefusal(await verify(mixed, rules), 'break_glass_signature_invalid')
  })

  test('with no algorithm, or one keyed by the public key, is refused', async () => {
    const hmac = (message: Uint8Array) =>
      createHmac('sha256', Buffer.from(alice.jwk.x, 'base64url')).update(message).digest()
    const signers = [alice, bob].map((one) => ({ ...one, sign: hmac }))
    for (const alg of ['none', 'None', 'HS256', 'ES256', 'RS256', '', null, ['EdDSA']]) {
      const forged = await forge(signers, { header: { alg } })
      expectRefusal(await verify(forged, rules), 'break_glass_header_refused')
    }
    const empty = signers.map((one) => ({ ...one, sign: () => new Uint8Array() }))
    expectRefusal(await verify(await forge(empty, {}), rules), 'break_glass_signature_invalid')
  })

  test('with another type or a critical header is refused', async () => {
    for (const typ of [DEVICE_TOKEN_TYPE, RECEIPT_TYPE, 'JWT', undefined, `${BREAK_GLASS_TYPE} `]) {
      const forged = await forge([alice, bob], { header: { typ } })
      expectRefusal(await verify(forged, rules), 'break_glass_header_refused')
    }
    for (const header of [{ crit: ['exp'] }, { b64: false }, { kid: 7 }, { kid: '' }, { x: 1 }]) {
      const forged = await forge([alice, bob], { header })
      expectRefusal(await verify(forged, rules), 'break_glass_header_refused')
    }
  })

  test('with a token for another service is refused', async () => {
    for (const aud of ['https://other.example', `${AUDIENCE}/`, 'https://TRUST.example.com']) {
      const other = await tokenOf([alice, bob], { aud })
      expectRefusal(await verify(other, rules), 'break_glass_wrong_audience')
    }
  })

  test('with a token that lives too long is refused', async () => {
    const long = await tokenOf([alice, bob], { exp: CLAIMS.iat + 3601 })
    expectRefusal(await verify(long, rules), 'break_glass_lifetime_too_long')
    expectOk(await verify(long, { ...rules, maxSeconds: 3601 }))
  })

  test('where nobody configured keys is refused', async () => {
    expectRefusal(await verify(token, undefined), 'break_glass_not_configured')
  })

  test('with a token of another kind in the place of ours is refused', async () => {
    const compact = `${pack({ alg: 'ES256', kid: 'alice', typ: DEVICE_TOKEN_TYPE })}.${pack(CLAIMS)}.AAAA`
    expectRefusal(await verify(compact, rules), 'break_glass_malformed')
    const [header, payload, signature] = compact.split('.')
    const general = pack({ payload, signatures: [{ protected: header, signature }] })
    expectRefusal(await verify(general, rules), 'break_glass_header_refused')
  })

  test('with ours in the place of a device token is refused', async () => {
    const { payload, signatures } = unpack(token)
    const [{ protected: header, signature }] = signatures
    const keyOf = () => rules.keys.get('alice')?.key
    for (const text of [token, `${header}.${payload}.${signature}`]) {
      const read = await verifyDeviceToken(text, { issuer: AUDIENCE, keyOf, now: NOW })
      expectRefusal(read, 'device_token_invalid')
    }
  })
})

describe('a payload', () => {
  const wrong: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ['jti', { jti: 'bgl_1' }],
    ['jti', { jti: `rcp_${'a'.repeat(26)}` }],
    ['iss', { iss: '' }],
    ['aud', { aud: [AUDIENCE] }],
    ['sub', { sub: 'dev_a' }],
    ['sub', { sub: '**' }],
    ['sub', { sub: undefined }],
    ['reason', { reason: '  ' }],
    ['reason', { reason: 'a\nb' }],
    ['reason', { reason: 'abc\u202edef' }],
    ['reason', { reason: 'a'.repeat(MAX_REASON_CHARS + 1) }],
    ['iat', { iat: '1' }],
    ['iat', { iat: -1, exp: 1 }],
    ['exp', { exp: `${CLAIMS.exp}` }],
    ['exp', { exp: CLAIMS.iat }],
    ['exp', { exp: Number.MAX_SAFE_INTEGER }],
    ['payload', { nbf: 1 }],
  ]

  test.each(wrong)('with a wrong %s is refused: %j', async (at, members) => {
    const forged = await forge([alice, bob], { payload: { ...CLAIMS, ...members } })
    const failure = expectRefusal(await verify(forged, rules), 'break_glass_malformed')
    expect(failure).toMatchObject({ at })
    const claims = { ...CLAIMS, ...members } as BreakGlassClaims
    if (at !== 'payload') await expect(async () => signBreakGlass(claims, alice)).rejects.toThrow()
  })

  test('that says something twice is refused', async () => {
    const payload = JSON.stringify(CLAIMS).replace('{', `{"sub":"*",`)
    const forged = await forge([alice, bob], { payload })
    expectRefusal(await verify(forged, rules), 'break_glass_malformed')
  })
})

describe('an envelope', () => {
  test('has one text: more members, another order and white space are refused', async () => {
    const { payload, signatures } = unpack(token)
    const [first, second] = signatures
    const spellings = [
      JSON.stringify({ signatures, payload }),
      JSON.stringify({ payload, signatures }, null, 1),
      `${JSON.stringify({ payload, signatures })}\n`,
      `\ufeff${JSON.stringify({ payload, signatures })}`,
      JSON.stringify({ payload, signatures, extra: 1 }),
      JSON.stringify({ payload, signatures: [{ ...first, header: { kid: 'x' } }, second] }),
      JSON.stringify({ payload, ...first }),
      JSON.stringify([payload, signatures]),
      JSON.stringify({ payload, signatures: { 0: first, 1: second } }),
      JSON.stringify({ payload, signatures: [null] }),
      JSON.stringify({ payload, signatures: [{ ...first, protected: `${first.protected}=` }] }),
      JSON.stringify({ payload: 7, signatures }),
      'null',
      '',
    ]
    for (const text of spellings) {
      expectRefusal(await verify(pack(text), rules), 'break_glass_malformed')
    }
    expectRefusal(
      await verify(JSON.stringify({ payload, signatures }), rules),
      'break_glass_malformed',
    )
    expectRefusal(await verify(`${token}=`, rules), 'break_glass_malformed')
  })

  test('that is too large, or has too many signatures, is refused', async () => {
    const long = 'A'.repeat(MAX_BREAK_GLASS_CHARS + 1)
    expectRefusal(await verify(long, rules), 'break_glass_too_large')
    const { payload } = unpack(token)
    const signatures = Array.from({ length: MAX_BREAK_GLASS_SIGNATURES + 1 }, () => {
      return { protected: '', signature: '' }
    })
    expectRefusal(await verify(pack({ payload, signatures }), rules), 'break_glass_too_large')
  })

  test('cut off anywhere, or with anything behind it, is never accepted', async () => {
    for (let at = 0; at < token.length; at++) {
      expectRefusal(await verify(token.slice(0, at), rules), 'break_glass_malformed')
    }
    for (const more of ['A', 'AA', 'AAA', 'AAAA', '=', '.', ' ', '\0', token, `,${token}`]) {
      expectRefusal(await verify(token + more, rules), 'break_glass_malformed')
    }
  })

  test('with any character changed, gone or added is never accepted', async () => {
    const alphabet = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ']
    const edit = fc.record({
      at: fc.nat({ max: token.length - 1 }),
      gone: fc.nat({ max: 3 }),
      put: fc.array(fc.constantFrom(...alphabet), { maxLength: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(edit, async ({ at, gone, put }) => {
        const edited = token.slice(0, at) + put.join('') + token.slice(at + gone)
        fc.pre(edited !== token)
        expect((await verify(edited, rules)).ok).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })

  test('with any byte of its parts changed is never accepted', async () => {
    const { payload, signatures } = unpack(token)
    const parts = [payload, ...signatures.flatMap((one: object) => Object.values(one))] as string[]
    const change = fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(change, async ([which, offset, mask]) => {
        const changed = parts.map((part, index) => {
          const bytes = Buffer.from(part, 'base64url')
          const at = offset % bytes.length
          if (index === which % parts.length) bytes[at] = (bytes[at] ?? 0) ^ mask
          return toBase64Url(bytes)
        })
        const [body, h1, s1, h2, s2] = changed
        const both = [
          { protected: h1, signature: s1 },
          { protected: h2, signature: s2 },
        ]
        const found = await verify(pack({ payload: body, signatures: both }), rules)
        expect(found.ok).toBe(false)
      }),
      { numRuns: 1000 },
    )
  })

  test('of anything at all is refused without a fault', async () => {
    const anything = fc.oneof(fc.string(), fc.json().map(pack), fc.uint8Array().map(toBase64Url))
    await fc.assert(
      fc.asyncProperty(anything, async (text) => {
        expect((await verify(text, rules)).ok).toBe(false)
      }),
    )
  })

  test('round-trips whatever may be said in it', async () => {
    const words = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter(
        (text) =>
          text.trim() !== '' && !/[\p{Cc}\p{Cs}\p{Z}\u200e-\u202e\u2066-\u2069]/u.test(text),
      )
    await fc.assert(
      fc.asyncProperty(words, words, async (iss, reason) => {
        const claims = { ...CLAIMS, iss, reason }
        const made = await tokenOf([alice, bob], claims)
        expect(expectOk(await verify(made, rules)).claims).toEqual(claims)
      }),
      { numRuns: 50 },
    )
  })

  test('is signed over what RFC 7515 says', () => {
    expect(Buffer.from(signingInput('aa', 'bb')).toString()).toBe('aa.bb')
  })
})

describe('the configured keys', () => {
  const setOf = (...keys: readonly unknown[]) => readBreakGlassKeys(JSON.stringify({ keys }))

  test('are named by kid, or by thumbprint where there is none', () => {
    // RFC 8037 appendix A.2 and A.3.
    const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'
    const thumbprint = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
    const [key] = expectOk(setOf({ kty: 'OKP', crv: 'Ed25519', x }))
    expect(key).toEqual({ kid: thumbprint, thumbprint, x })
    const named = { kty: 'OKP', crv: 'Ed25519', x, kid: 'a', use: 'sig', alg: 'Ed25519' }
    expect(expectOk(setOf(named))).toEqual([{ kid: 'a', thumbprint, x }])
  })

  test('are a JWK set of public Ed25519 keys and nothing else', () => {
    const { jwk } = alice
    for (const text of ['', '[]', '{}', '{"keys":[]}', JSON.stringify(jwk), '{"keys":{}}']) {
      expectRefusal(readBreakGlassKeys(text), 'break_glass_keys_malformed')
    }
    const doubled = '{"keys":[],"keys":[]}'
    expectRefusal(readBreakGlassKeys(doubled), 'break_glass_keys_malformed')
    const x448 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
      format: 'jwk',
    })
    const short = jwk.x.slice(1)
    const changes = [
      { use: 'enc' },
      { alg: 'ES256' },
      { x: short },
      { x: `${jwk.x}=` },
      { kid: '' },
    ]
    const wrong = changes.map((change) => ({ ...jwk, ...change }))
    for (const one of [x448, ec, null, 'x', { ...jwk, kid: 7 }, ...wrong]) {
      expectRefusal(setOf(jwk, one), 'break_glass_key_unusable')
    }
  })

  test('are refused when one of them is private', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const failure = expectRefusal(
      setOf(privateKey.export({ format: 'jwk' })),
      'break_glass_key_private',
    )
    expect(failure.detail).not.toContain(privateKey.export({ format: 'jwk' }).d ?? expect.fail())
  })

  test('hold each key and each name once', () => {
    const thumbprint = rules.keys.get('alice')?.thumbprint ?? ''
    for (const again of [alice, renamed(alice, 'other'), renamed(bob, 'alice')]) {
      const found = readBreakGlassKeys(keySetOf(alice, again))
      expectRefusal(found, 'break_glass_key_repeated')
    }
    const posing = readBreakGlassKeys(keySetOf(alice, renamed(bob, thumbprint)))
    expectRefusal(posing, 'break_glass_key_repeated')
  })

  test('are at most so many', () => {
    const many = Array.from({ length: MAX_BREAK_GLASS_KEYS + 1 }, () => alice.jwk)
    expectRefusal(setOf(...many), 'break_glass_keys_too_many')
  })

  test('that anybody can sign for, such as a row of zeros, are refused', () => {
    const identity = toBase64Url(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)))
    const signed = toBase64Url(Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 0x80 : 0)))
    for (const x of [toBase64Url(new Uint8Array(32)), identity, signed]) {
      expectRefusal(setOf({ ...alice.jwk, x }), 'break_glass_key_unusable')
    }
  })
})
