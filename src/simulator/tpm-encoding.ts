import type { JsonWebKey, KeyObject } from 'node:crypto'
import { createPublicKey } from 'node:crypto'
import { digest, type HashAlgorithm } from '../base/digest.ts'
import { ByteWriter } from './byte-writer.ts'

/** TPM_ALG_ID. TCG Algorithm Registry, table 3 */
export const TPM_ALG = {
  rsa: 0x0001,
  sha1: 0x0004,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  none: 0x0010,
  rsassa: 0x0014,
  rsapss: 0x0016,
  ecdsa: 0x0018,
  ecc: 0x0023,
} as const

/** TPMA_OBJECT. TPM 2.0 Part 2 §8.3 */
const ATTRIBUTES = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  restricted: 1 << 16,
  sign: 1 << 18,
} as const

const SIGNING_KEY =
  ATTRIBUTES.fixedTpm |
  ATTRIBUTES.fixedParent |
  ATTRIBUTES.sensitiveDataOrigin |
  ATTRIBUTES.userWithAuth |
  ATTRIBUTES.sign

const CURVE_NIST_P256 = 0x0003
const GENERATED_VALUE = 0xff544347
const ST_ATTEST = { certify: 0x8017, quote: 0x8018 } as const
const SELECT_BYTES = 3

/**
 * TPMT_PUBLIC of a signing key that never left the TPM (TPM 2.0 Part 2 §12.2.4). A restricted key
 * signs only what the TPM made itself and has its scheme fixed: an attestation key.
 */
export function encodeTpmPublic(key: KeyObject, restricted: boolean): Uint8Array {
  const jwk = createPublicKey(key).export({ format: 'jwk' })
  const rsa = jwk.kty === 'RSA'
  const writer = new ByteWriter()
    .u16be(rsa ? TPM_ALG.rsa : TPM_ALG.ecc)
    .u16be(TPM_ALG.sha256)
    .u32be(restricted ? SIGNING_KEY | ATTRIBUTES.restricted : SIGNING_KEY)
    .sized16be(new Uint8Array())
    .u16be(TPM_ALG.none)
  if (restricted) writer.u16be(rsa ? TPM_ALG.rsassa : TPM_ALG.ecdsa).u16be(TPM_ALG.sha256)
  else writer.u16be(TPM_ALG.none)
  return rsa ? finishRsa(writer, jwk) : finishEcc(writer, jwk)
}

/** TPMS_RSA_PARMS after the scheme; an exponent of 0 stands for 65537. */
function finishRsa(writer: ByteWriter, jwk: JsonWebKey): Uint8Array {
  const modulus = decodeMember(jwk, 'n')
  return writer
    .u16be(modulus.length * 8)
    .u32be(0)
    .sized16be(modulus)
    .toBytes()
}

function finishEcc(writer: ByteWriter, jwk: JsonWebKey): Uint8Array {
  return writer
    .u16be(CURVE_NIST_P256)
    .u16be(TPM_ALG.none)
    .sized16be(decodeMember(jwk, 'x'))
    .sized16be(decodeMember(jwk, 'y'))
    .toBytes()
}

function decodeMember(jwk: JsonWebKey, name: 'n' | 'x' | 'y'): Uint8Array {
  const text = jwk[name]
  if (text === undefined) throw new TypeError(`no member ${name} in the key`)
  return Buffer.from(text, 'base64url')
}

/** The Name of an object: its nameAlg and the digest of its public area. TPM 2.0 Part 1 §16 */
export function nameOf(publicArea: Uint8Array): Uint8Array {
  return toName(digest('sha256', publicArea))
}

/** A Qualified Name chains the Names of all ancestors. TPM 2.0 Part 1 §26.5 */
export function qualifiedNameOf(parent: Uint8Array, name: Uint8Array): Uint8Array {
  return toName(digest('sha256', parent, name))
}

function toName(hash: Uint8Array): Uint8Array {
  return new ByteWriter().u16be(TPM_ALG.sha256).bytes(hash).toBytes()
}

/** What every TPMS_ATTEST says of the TPM that made it. */
export type AttestContext = {
  readonly qualifiedSigner: Uint8Array
  readonly extraData: Uint8Array
  /** Milliseconds since the TPM was last cleared. */
  readonly clock: bigint
  readonly resetCount: number
  readonly restartCount: number
  readonly firmwareVersion: bigint
}

export type QuotedPcrs = {
  readonly bank: HashAlgorithm
  readonly indexes: readonly number[]
  readonly pcrDigest: Uint8Array
}

/** TPMS_ATTEST with TPMS_QUOTE_INFO. TPM 2.0 Part 2 §10.12.1, §10.12.8 */
export function encodeQuote(context: AttestContext, quoted: QuotedPcrs): Uint8Array {
  const select = new Uint8Array(SELECT_BYTES)
  for (const index of quoted.indexes) {
    const byte = index >> 3
    select[byte] = (select[byte] ?? 0) | (1 << (index & 7))
  }
  return writeAttest(ST_ATTEST.quote, context)
    .u32be(1)
    .u16be(TPM_ALG[quoted.bank])
    .u8(SELECT_BYTES)
    .bytes(select)
    .sized16be(quoted.pcrDigest)
    .toBytes()
}

/** TPMS_ATTEST with TPMS_CERTIFY_INFO. TPM 2.0 Part 2 §10.12.3 */
export function encodeCertify(
  context: AttestContext,
  certified: { readonly name: Uint8Array; readonly qualifiedName: Uint8Array },
): Uint8Array {
  return writeAttest(ST_ATTEST.certify, context)
    .sized16be(certified.name)
    .sized16be(certified.qualifiedName)
    .toBytes()
}

function writeAttest(type: number, context: AttestContext): ByteWriter {
  return new ByteWriter()
    .u32be(GENERATED_VALUE)
    .u16be(type)
    .sized16be(context.qualifiedSigner)
    .sized16be(context.extraData)
    .u64be(context.clock)
    .u32be(context.resetCount)
    .u32be(context.restartCount)
    .u8(1)
    .u64be(context.firmwareVersion)
}

/** TPMT_SIGNATURE: RSASSA-SHA256, or ECDSA-SHA256 from `r || s`. TPM 2.0 Part 2 §11.3.4 */
export function encodeTpmSignature(kind: 'rsassa' | 'ecdsa', signature: Uint8Array): Uint8Array {
  const writer = new ByteWriter().u16be(TPM_ALG[kind]).u16be(TPM_ALG.sha256)
  if (kind === 'rsassa') return writer.sized16be(signature).toBytes()
  const half = signature.length / 2
  return writer.sized16be(signature.subarray(0, half)).sized16be(signature.subarray(half)).toBytes()
}

/**
 * NCRYPT_TPM_PLATFORM_ATTESTATION_STATEMENT, what NCryptCreateClaim gives for a platform claim:
 * the quote, its signature and the 24 PCRs of one bank.
 */
export function encodePlatformStatement(input: {
  readonly bank: HashAlgorithm
  readonly attest: Uint8Array
  readonly signature: Uint8Array
  readonly pcrs: Uint8Array
}): Uint8Array {
  return new ByteWriter()
    .bytes(Buffer.from('TPLA', 'ascii'))
    .u32le(0)
    .u32le(TPM_ALG[input.bank])
    .u32le(input.signature.length)
    .u32le(input.attest.length)
    .u32le(input.pcrs.length)
    .bytes(input.signature, input.attest, input.pcrs)
    .toBytes()
}
