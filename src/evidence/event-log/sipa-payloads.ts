import { DIGEST_BYTES } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import type { Result } from '../../base/result.ts'
import { type ByteReader, type ParseFailure, parse } from '../bytes.ts'
import { HASH_IDS, hashAlgorithmOf } from '../tpm/algorithms.ts'
import {
  MAX_EVENT_BYTES,
  MAX_IDENTITY_KEY_BITS,
  MAX_IDENTITY_KEY_EXPONENT_BYTES,
  MAX_SI_POLICY_NAME_BYTES,
  MIN_IDENTITY_KEY_BITS,
} from './limits.ts'
import { textOf } from './sipa.ts'

/** An RSA public key as JWK. */
export type RsaPublicKey = { readonly kty: 'RSA'; readonly n: string; readonly e: string }

/** SIPAEVENT_SI_POLICY: a code integrity policy that was active, by name and digest. */
export type SiPolicy = {
  readonly version: bigint
  readonly name: string
  readonly digest: Uint8Array
}

/** BOOT_REVOCATION_LIST and OS_REVOCATION_LIST: the list's creation time (FILETIME) and digest. */
export type RevocationList = { readonly created: bigint; readonly digest: Uint8Array }

/** `wbcl.h`: SIPAEVENT_SI_POLICY_PAYLOAD, packed, little-endian. */
export function parseSiPolicy(data: Uint8Array): Result<SiPolicy, ParseFailure> {
  return parse('SIPAEVENT_SI_POLICY_PAYLOAD', data, MAX_EVENT_BYTES, (reader) => {
    const version = reader.u64le('policyVersion')
    const nameBytes = reader.u16le('policyNameLength')
    const algorithm = reader.u16le('hashAlgId')
    const digestBytes = reader.u32le('digestLength')
    reader.capped(nameBytes, MAX_SI_POLICY_NAME_BYTES, 'policyNameLength')
    const name = textOf(reader.bytes(nameBytes, 'policyName'))
    if (name === undefined) return reader.fail('unexpected_value', 'policyName', 'text in UTF-16')
    return { version, name, digest: readDigest(reader, algorithm, digestBytes) }
  })
}

/** `wbcl.h`: SIPAEVENT_REVOCATION_LIST_PAYLOAD, packed, little-endian. */
export function parseRevocationList(data: Uint8Array): Result<RevocationList, ParseFailure> {
  return parse('SIPAEVENT_REVOCATION_LIST_PAYLOAD', data, MAX_EVENT_BYTES, (reader) => {
    const created = reader.u64le('creationTime')
    const digestBytes = reader.u32le('digestLength')
    const algorithm = reader.u16le('hashAlgId')
    return { created, digest: readDigest(reader, algorithm, digestBytes) }
  })
}

/**
 * `wbcl.h`: SIPAEVENT_VSM_IDK_INFO_PAYLOAD, the form of VSM_IDK_INFO and VSM_IDKS_INFO: packed,
 * lengths little-endian, exponent and modulus big-endian.
 */
export function parseIdentityKey(data: Uint8Array): Result<RsaPublicKey, ParseFailure> {
  return parse('SIPAEVENT_VSM_IDK_RSA_INFO', data, MAX_EVENT_BYTES, (reader) => {
    reader.onlyU32le(RSA_KEY, 'keyAlgId', 'RSA')
    const bits = reader.capped(reader.u32le('keyBitLength'), MAX_IDENTITY_KEY_BITS, 'keyBitLength')
    const exponentBytes = reader.u32le('publicExpLengthBytes')
    const modulusBytes = reader.u32le('modulusSizeBytes')
    reader.capped(exponentBytes, MAX_IDENTITY_KEY_EXPONENT_BYTES, 'publicExpLengthBytes')
    if (bits < MIN_IDENTITY_KEY_BITS || modulusBytes * 8 !== bits) {
      const expected = `at least ${MIN_IDENTITY_KEY_BITS}, and 8 times modulusSizeBytes`
      reader.fail('unexpected_value', 'keyBitLength', expected)
    }
    const exponent = reader.bytes(exponentBytes, 'publicExponent')
    if (!isOddAndMinimal(exponent)) reader.fail('unexpected_value', 'publicExponent', ODD_NUMBER)
    const modulus = reader.bytes(modulusBytes, 'modulus')
    if (!isOddAndMinimal(modulus)) reader.fail('unexpected_value', 'modulus', ODD_NUMBER)
    return { kty: 'RSA', n: toBase64Url(modulus), e: toBase64Url(exponent) }
  })
}

const RSA_KEY = 1
const ODD_NUMBER = 'an odd number, big-endian without leading zeros'

/** JWK numbers carry no leading zeros (RFC 7518 §6.3.1); an even one is no RSA key. */
function isOddAndMinimal(value: Uint8Array): boolean {
  return value.length > 0 && value[0] !== 0 && ((value.at(-1) ?? 0) & 1) === 1
}

function readDigest(reader: ByteReader, algorithmId: number, bytes: number): Uint8Array {
  const algorithm = hashAlgorithmOf(algorithmId)
  if (algorithm === undefined) return reader.fail('unexpected_value', 'hashAlgId', HASH_IDS)
  const size = DIGEST_BYTES[algorithm]
  if (bytes !== size) reader.fail('unexpected_value', 'digestLength', `${size}, as of ${algorithm}`)
  return reader.bytes(bytes, 'digest')
}
