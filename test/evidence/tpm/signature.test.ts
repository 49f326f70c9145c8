import { beforeAll, describe, expect, test } from 'vitest'
import { importTpmKey } from '../../../src/evidence/tpm/key.ts'
import { MAX_SIGNATURE_BYTES } from '../../../src/evidence/tpm/limits.ts'
import {
  parseTpmtSignature,
  type TpmtSignature,
  verifyTpmtSignature,
} from '../../../src/evidence/tpm/signature.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors } from '../../support/vectors.ts'
import { concat, ecdsaKey, type PaperKey, rsaKey, sized, u16 } from './paper-tpm.ts'
import { parserLaws } from './parser-laws.ts'
import { googleQuotes, physicalQuote } from './real-quotes.ts'

const MESSAGE = Buffer.from('what a TPM signed')
const RSASSA_SHA256 = concat(u16(0x0014), u16(0x000b))
const ECDSA_SHA256 = concat(u16(0x0018), u16(0x000b))
const RSA_BYTES = new Uint8Array(256).fill(0x5a)
const WIDTH_32 = new Uint8Array(32).fill(0x5a)

async function signedBy(key: PaperKey): Promise<TpmtSignature> {
  return expectOk(parseTpmtSignature(await key.sign(MESSAGE)))
}

describe('TPMT_SIGNATURE of an RSA key', () => {
  parserLaws({
    parse: parseTpmtSignature,
    valid: () => concat(RSASSA_SHA256, sized(RSA_BYTES)),
    maxBytes: MAX_SIGNATURE_BYTES,
  })

  test('carries scheme, hash and bytes', () => {
    const bytes = concat(u16(0x0016), u16(0x000c), sized(RSA_BYTES))
    const signature = expectOk(parseTpmtSignature(bytes))
    expect(signature).toEqual({ scheme: 'rsapss', hash: 'sha384', bytes: RSA_BYTES })
  })

  test('refuses more bytes than the largest key signs with', () => {
    const refused = parseTpmtSignature(concat(RSASSA_SHA256, u16(513)))
    expect(expectRefusal(refused, 'length_over_limit')).toMatchObject({ field: 'sig' })
  })
})

describe('TPMT_SIGNATURE of an EC key', () => {
  parserLaws({
    parse: parseTpmtSignature,
    valid: () => concat(ECDSA_SHA256, sized(WIDTH_32), sized(WIDTH_32)),
    maxBytes: MAX_SIGNATURE_BYTES,
  })

  test('refuses coordinates wider than any curve', () => {
    const refused = parseTpmtSignature(concat(ECDSA_SHA256, u16(67)))
    expect(expectRefusal(refused, 'length_over_limit')).toMatchObject({ field: 'signatureR' })
  })
})

describe('TPMT_SIGNATURE that is not understood', () => {
  test.each([
    ['TPM_ALG_NULL', 0x0010],
    ['HMAC', 0x0005],
    ['RSAES', 0x0015],
    ['ECDAA', 0x001a],
    ['SM2', 0x001b],
    ['ECSCHNORR', 0x001c],
  ])('refuses the scheme %s', (_, scheme) => {
    const refused = parseTpmtSignature(concat(u16(scheme), u16(0x000b), sized(RSA_BYTES)))
    expect(expectRefusal(refused, 'unexpected_value')).toMatchObject({ field: 'sigAlg' })
  })

  test('refuses a hash that is none', () => {
    const refused = parseTpmtSignature(concat(u16(0x0014), u16(0x0010), sized(RSA_BYTES)))
    expect(expectRefusal(refused, 'unexpected_value')).toMatchObject({ field: 'hash' })
  })
})

describe('verifyTpmtSignature', () => {
  const keys = new Map<string, PaperKey>()
  const key = (name: string): PaperKey => {
    const found = keys.get(name)
    if (found === undefined) throw new TypeError(`no key ${name}`)
    return found
  }

  beforeAll(async () => {
    keys.set('RSASSA-SHA256', await rsaKey({ scheme: 'rsassa', hash: 'sha256' }))
    keys.set('RSASSA-SHA384', await rsaKey({ scheme: 'rsassa', hash: 'sha384' }))
    keys.set('RSAPSS, salt of the digest', await rsaKey({ scheme: 'rsapss', hash: 'sha256' }))
    const longest = { scheme: 'rsapss', hash: 'sha256', saltBytes: 222 } as const
    keys.set('RSAPSS, longest salt', await rsaKey(longest))
    keys.set('ECDSA P-256', await ecdsaKey({ curve: 'P-256', hash: 'sha256' }))
    keys.set('ECDSA P-384', await ecdsaKey({ curve: 'P-384', hash: 'sha384' }))
    keys.set('P-256 over SHA-512', await ecdsaKey({ curve: 'P-256', hash: 'sha512' }))
  })

  const all = [
    'RSASSA-SHA256',
    'RSASSA-SHA384',
    'RSAPSS, salt of the digest',
    'RSAPSS, longest salt',
    'ECDSA P-256',
    'ECDSA P-384',
    'P-256 over SHA-512',
  ]

  test.each(all)('accepts %s', async (name) => {
    const signature = await signedBy(key(name))
    const imported = expectOk(await importTpmKey(key(name).jwk))
    const input = { signature, message: MESSAGE }
    expect(await verifyTpmtSignature({ ...input, key: key(name).jwk })).toBe(true)
    expect(await verifyTpmtSignature({ ...input, key: imported })).toBe(true)
  })

  test.each(all)('refuses %s over another message', async (name) => {
    const signature = await signedBy(key(name))
    const message = Buffer.from('what a TPM signs')
    expect(await verifyTpmtSignature({ key: key(name).jwk, signature, message })).toBe(false)
  })

  test.each(all)('refuses %s by any other key', async (name) => {
    const signature = await signedBy(key(name))
    for (const other of all.filter((candidate) => candidate !== name)) {
      const input = { key: key(other).jwk, signature, message: MESSAGE }
      expect(await verifyTpmtSignature(input)).toBe(false)
    }
  })

  test('refuses a salt of any other length', async () => {
    const odd = await rsaKey({ scheme: 'rsapss', hash: 'sha256', saltBytes: 20 })
    const input = { key: odd.jwk, signature: await signedBy(odd), message: MESSAGE }
    expect(await verifyTpmtSignature(input)).toBe(false)
  })

  test('refuses an RSASSA signature relabelled as RSAPSS, or as of another hash', async () => {
    const signed = key('RSASSA-SHA256')
    const signature = await signedBy(signed)
    if (signature.scheme === 'ecdsa') throw new TypeError('not RSA')
    for (const label of [{ scheme: 'rsapss' }, { hash: 'sha384' }] as const) {
      const input = { key: signed.jwk, signature: { ...signature, ...label }, message: MESSAGE }
      expect(await verifyTpmtSignature(input)).toBe(false)
    }
  })

  test('accepts SHA-1 only where the caller names it', async () => {
    const old = await rsaKey({ scheme: 'rsassa', hash: 'sha1' })
    const input = { key: old.jwk, signature: await signedBy(old), message: MESSAGE }
    expect(await verifyTpmtSignature(input)).toBe(false)
    expect(await verifyTpmtSignature({ ...input, acceptSha1Signature: true })).toBe(true)
  })

  test('refuses an RSA key below 2048 bits', async () => {
    const weak = await rsaKey({ scheme: 'rsassa', hash: 'sha256', bits: 1024 })
    const input = { key: weak.jwk, signature: await signedBy(weak), message: MESSAGE }
    expect(await verifyTpmtSignature(input)).toBe(false)
  })

  test('pads r and s that lost their leading zeros, and refuses wider ones', async () => {
    const signer = key('ECDSA P-256')
    const short = await signatureWithLeadingZero(signer)
    const input = { key: signer.jwk, message: MESSAGE }
    const stripped = { ...short, r: short.r.subarray(1) }
    expect(await verifyTpmtSignature({ ...input, signature: stripped })).toBe(true)
    const widened = { ...short, r: concat(Uint8Array.of(0), short.r) }
    expect(await verifyTpmtSignature({ ...input, signature: widened })).toBe(false)
  })

  test('refuses r and s of nothing', async () => {
    const none = new Uint8Array()
    const signature = { scheme: 'ecdsa', hash: 'sha256', r: none, s: none } as const
    const input = { key: key('ECDSA P-256').jwk, signature, message: MESSAGE }
    expect(await verifyTpmtSignature(input)).toBe(false)
  })
})

/** ECDSA is randomized: one signature in 256 has an r with a leading zero. */
async function signatureWithLeadingZero(signer: PaperKey) {
  for (;;) {
    const signature = await signedBy(signer)
    if (signature.scheme === 'ecdsa' && signature.r[0] === 0) return signature
  }
}

describeVectors('TPMT_SIGNATURE of real machines', () => {
  describe('RSASSA of a Google vTPM', () => {
    parserLaws({
      parse: parseTpmtSignature,
      valid: () => googleQuotes().quotes[0]?.signature ?? new Uint8Array(),
      maxBytes: MAX_SIGNATURE_BYTES,
    })
  })

  test('ECDSA of a firmware TPM is refused when cut anywhere', async () => {
    const { signature } = await physicalQuote('latitude-7520', 'faec24c6')
    expect(expectOk(parseTpmtSignature(signature))).toMatchObject({
      scheme: 'ecdsa',
      hash: 'sha256',
    })
    for (let length = 0; length < signature.length; length++) {
      expectRefusal(parseTpmtSignature(signature.subarray(0, length)), 'truncated')
    }
  })
})
