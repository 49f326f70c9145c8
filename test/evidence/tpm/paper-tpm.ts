import { DIGEST_BYTES, digest, type HashAlgorithm } from '../../../src/base/digest.ts'
import { hashAlgorithmId } from '../../../src/evidence/tpm/algorithms.ts'
import { ATTEST_MAGIC, ATTEST_TAG } from '../../../src/evidence/tpm/attest.ts'
import { webHash } from '../../../src/evidence/tpm/key.ts'
import type { PcrBank, PcrSelection } from '../../../src/evidence/tpm/pcr.ts'

/** Writes TPM structures, including the wrong ones that no TPM would. */

export function u8(value: number): Uint8Array {
  return Uint8Array.of(value)
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}

export function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function sized(bytes: Uint8Array): Uint8Array {
  return concat(u16(bytes.length), bytes)
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

export function selectionList(selections: readonly PcrSelection[]): Uint8Array {
  const banks = selections.map(({ algorithm, indexes }) => {
    const bitmap = new Uint8Array(3)
    for (const index of indexes) bitmap[index >> 3] = (bitmap[index >> 3] ?? 0) | (1 << (index & 7))
    return concat(u16(hashAlgorithmId(algorithm)), u8(bitmap.length), bitmap)
  })
  return concat(u32(selections.length), ...banks)
}

/** A TPMS_ATTEST around the given TPMU_ATTEST. */
export function attest(parts: {
  tag: number
  attested: Uint8Array
  nonce?: Uint8Array
  magic?: number
  safe?: number
}): Uint8Array {
  const clockInfo = concat(u32(0), u32(123_456), u32(7), u32(1), u8(parts.safe ?? 1))
  return concat(
    u32(parts.magic ?? ATTEST_MAGIC),
    u16(parts.tag),
    sized(concat(u16(0x000b), digest('sha256', Buffer.from('signer')))),
    sized(parts.nonce ?? new Uint8Array()),
    clockInfo,
    concat(u32(0x20240101), u32(0x00120003)),
    parts.attested,
  )
}

export function quoteAttest(quote: {
  pcrs: readonly PcrBank[]
  nonce?: Uint8Array
  hash?: HashAlgorithm
  magic?: number
}): Uint8Array {
  const values = quote.pcrs.flatMap((bank) => [...bank.values.values()])
  const selections = quote.pcrs.map(({ algorithm, values }) => ({
    algorithm,
    indexes: [...values.keys()],
  }))
  const pcrDigest = sized(digest(quote.hash ?? 'sha256', ...values))
  return attest({
    ...quote,
    tag: ATTEST_TAG.quote,
    attested: concat(selectionList(selections), pcrDigest),
  })
}

export function certifyAttest(certify: { name: Uint8Array; nonce?: Uint8Array }): Uint8Array {
  const qualifiedName = concat(u16(0x000b), digest('sha256', certify.name))
  const attested = concat(sized(certify.name), sized(qualifiedName))
  return attest({ ...certify, tag: ATTEST_TAG.certify, attested })
}

/** A bank whose value at an index is the digest of that index. */
export function pcrBank(algorithm: HashAlgorithm, indexes: readonly number[]): PcrBank {
  return {
    algorithm,
    values: new Map(indexes.map((index) => [index, digest(algorithm, u8(index))])),
  }
}

/** A signing key in software whose signatures look like a TPM's. */
export type PaperKey = {
  readonly jwk: JsonWebKey
  /** TPMT_SIGNATURE */
  sign(message: Uint8Array): Promise<Uint8Array>
}

export async function rsaKey(options: {
  scheme: 'rsassa' | 'rsapss'
  hash: HashAlgorithm
  bits?: number
  saltBytes?: number
}): Promise<PaperKey> {
  const name = options.scheme === 'rsassa' ? 'RSASSA-PKCS1-v1_5' : 'RSA-PSS'
  const algorithm = {
    name,
    hash: webHash(options.hash),
    modulusLength: options.bits ?? 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
  }
  const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const use = { name, saltLength: options.saltBytes ?? DIGEST_BYTES[options.hash] }
  const head = concat(
    u16(options.scheme === 'rsassa' ? 0x0014 : 0x0016),
    u16(hashAlgorithmId(options.hash)),
  )
  return {
    jwk: await publicJwk(pair.publicKey),
    sign: async (message) => concat(head, sized(await signWith(pair.privateKey, use, message))),
  }
}

export async function ecdsaKey(options: {
  curve: 'P-256' | 'P-384'
  hash: HashAlgorithm
}): Promise<PaperKey> {
  const algorithm = { name: 'ECDSA', namedCurve: options.curve }
  const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const use = { name: 'ECDSA', hash: webHash(options.hash) }
  const head = concat(u16(0x0018), u16(hashAlgorithmId(options.hash)))
  return {
    jwk: await publicJwk(pair.publicKey),
    sign: async (message) => {
      const joined = await signWith(pair.privateKey, use, message)
      const width = joined.length / 2
      return concat(head, sized(joined.subarray(0, width)), sized(joined.subarray(width)))
    },
  }
}

/** Attributes fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, sign. */
export const RESIDENT_KEY = 0x0004_0072

/** The TPMT_PUBLIC of an RSA-2048 or P-256 key without a scheme. */
export function publicArea(jwk: JsonWebKey, attributes = RESIDENT_KEY): Uint8Array {
  const none = u16(0x0010)
  const isRsa = jwk.kty === 'RSA'
  const head = [u16(isRsa ? 0x0001 : 0x0023), u16(0x000b), u32(attributes), sized(new Uint8Array())]
  const member = (text: string | undefined) => Buffer.from(text ?? '', 'base64url')
  return isRsa
    ? concat(...head, none, none, u16(2048), u32(0), sized(member(jwk.n)))
    : concat(...head, none, none, u16(3), none, sized(member(jwk.x)), sized(member(jwk.y)))
}

async function publicJwk(key: CryptoKey): Promise<JsonWebKey> {
  const { kty, n, e, crv, x, y } = await crypto.subtle.exportKey('jwk', key)
  const members = { kty, n, e, crv, x, y }
  return JSON.parse(JSON.stringify(members))
}

async function signWith(
  key: CryptoKey,
  use: { name: string; saltLength?: number; hash?: string },
  message: Uint8Array,
): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign(use, key, new Uint8Array(message)))
}
