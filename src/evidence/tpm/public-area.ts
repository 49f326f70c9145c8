import { DIGEST_BYTES, digest, type HashAlgorithm } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import type { Result } from '../../base/result.ts'
import { type ByteReader, type ParseFailure, parse } from '../bytes.ts'
import { hashAlgorithmId, readHashAlgorithm, TPM_ALG } from './algorithms.ts'
import { MAX_PUBLIC_BYTES, MAX_RSA_BITS } from './limits.ts'
import { readObjectAttributes, type TpmObjectAttributes } from './object-attributes.ts'

/** The scheme a key is bound to; `hash` is null for RSAES, which has none. */
export type TpmKeyScheme =
  | {
      readonly algorithm: 'rsassa' | 'rsapss' | 'oaep' | 'ecdsa' | 'ecdh'
      readonly hash: HashAlgorithm
    }
  | { readonly algorithm: 'rsaes'; readonly hash: null }

/**
 * A TPMT_PUBLIC, TPM 2.0 Part 2 §12.2.4. Unverified: that such an object is loaded in a TPM is what
 * TPM2_Certify or an AK certificate says, and that the EC point is on its curve is checked where the
 * key is imported.
 */
export type TpmPublic = {
  readonly kind: 'rsa' | 'ecc'
  readonly nameAlgorithm: HashAlgorithm
  readonly attributes: TpmObjectAttributes
  readonly authPolicy: Uint8Array
  /** null: the caller chooses the scheme at each use. */
  readonly scheme: TpmKeyScheme | null
  /** RSA `{kty, n, e}` or EC `{kty, crv, x, y}`, nothing else. */
  readonly jwk: JsonWebKey
  /** Name: nameAlg ‖ H(TPMT_PUBLIC). TPM 2.0 Part 1 §16 */
  readonly name: Uint8Array
}

const RSA_KEY_BITS: readonly number[] = [1024, 2048, 3072, MAX_RSA_BITS]
const RSA_DEFAULT_EXPONENT = 65537

/** TPM_ECC_CURVE, TPM 2.0 Part 2 §6.4: those that WebCrypto verifies everywhere. */
const CURVES: ReadonlyMap<number, { readonly crv: string; readonly bytes: number }> = new Map([
  [0x0003, { crv: 'P-256', bytes: 32 }],
  [0x0004, { crv: 'P-384', bytes: 48 }],
])

/** Parses a TPMT_PUBLIC (without the size of a TPM2B_PUBLIC) of an RSA or an EC key. */
export function parseTpmPublic(bytes: Uint8Array): Result<TpmPublic, ParseFailure> {
  return parse('TPMT_PUBLIC', bytes, MAX_PUBLIC_BYTES, (reader) => {
    const kind = readKind(reader)
    const nameAlgorithm = readHashAlgorithm(reader, 'nameAlg')
    const attributes =
      readObjectAttributes(reader.u32be('objectAttributes')) ??
      reader.fail('unexpected_value', 'objectAttributes', 'TPMA_OBJECT with no reserved bit set')
    const authPolicy = readAuthPolicy(reader, nameAlgorithm)
    const key = kind === 'rsa' ? readRsa(reader) : readEcc(reader)
    const name = nameOf(nameAlgorithm, bytes)
    return { kind, nameAlgorithm, attributes, authPolicy, ...key, name }
  })
}

function readKind(reader: ByteReader): 'rsa' | 'ecc' {
  const type = reader.u16be('type')
  if (type === TPM_ALG.rsa) return 'rsa'
  if (type === TPM_ALG.ecc) return 'ecc'
  return reader.fail('unexpected_value', 'type', '0x0001: RSA, or 0x0023: ECC')
}

/** Empty, or a digest of the name algorithm. TPM 2.0 Part 2 §12.2.4 */
function readAuthPolicy(reader: ByteReader, nameAlgorithm: HashAlgorithm): Uint8Array {
  const size = DIGEST_BYTES[nameAlgorithm]
  const policy = reader.sized16be(size, 'authPolicy')
  if (policy.length !== 0 && policy.length !== size) {
    reader.fail('unexpected_value', 'authPolicy', `nothing, or ${size} bytes: a digest of nameAlg`)
  }
  return policy
}

/** TPMS_RSA_PARMS (Part 2 §12.2.3.5), then TPM2B_PUBLIC_KEY_RSA. */
function readRsa(reader: ByteReader): Pick<TpmPublic, 'scheme' | 'jwk'> {
  skipSymmetric(reader)
  const scheme = readRsaScheme(reader)
  const bits = reader.u16be('keyBits')
  if (!RSA_KEY_BITS.includes(bits)) {
    reader.fail('unexpected_value', 'keyBits', `one of ${RSA_KEY_BITS.join(', ')}`)
  }
  const exponent = reader.u32be('exponent') || RSA_DEFAULT_EXPONENT
  if (exponent < 3 || exponent % 2 === 0) {
    reader.fail('unexpected_value', 'exponent', '0 for 65537, or an odd number from 3')
  }
  const modulus = reader.sized16be(bits / 8, 'unique')
  if (modulus.length !== bits / 8 || !((modulus[0] ?? 0) & 0x80)) {
    reader.fail('unexpected_value', 'unique', `${bits / 8} bytes whose first bit is set`)
  }
  return { scheme, jwk: { kty: 'RSA', n: toBase64Url(modulus), e: toBase64Url(minimal(exponent)) } }
}

/** TPMS_ECC_PARMS (Part 2 §12.2.3.6), then TPMS_ECC_POINT. */
function readEcc(reader: ByteReader): Pick<TpmPublic, 'scheme' | 'jwk'> {
  skipSymmetric(reader)
  const scheme = readEccScheme(reader)
  const curve =
    CURVES.get(reader.u16be('curveID')) ??
    reader.fail('unexpected_value', 'curveID', '0x0003: P-256, or 0x0004: P-384')
  skipKdf(reader)
  const x = readCoordinate(reader, curve.bytes, 'x')
  const y = readCoordinate(reader, curve.bytes, 'y')
  return { scheme, jwk: { kty: 'EC', crv: curve.crv, x: toBase64Url(x), y: toBase64Url(y) } }
}

/**
 * TPMT_SYM_DEF_OBJECT, Part 2 §11.1.7: NULL, or the AES-CFB cipher with which a storage or endorsement
 * key wraps. Its details must be consumed so that what follows is read at the right place.
 */
function skipSymmetric(reader: ByteReader): void {
  const algorithm = reader.u16be('symmetric')
  if (algorithm === TPM_ALG.null) return
  if (algorithm !== TPM_ALG.aes) {
    reader.fail('unexpected_value', 'symmetric', '0x0010: NULL, or 0x0006: AES')
  }
  if (![128, 192, 256].includes(reader.u16be('symmetric.keyBits'))) {
    reader.fail('unexpected_value', 'symmetric.keyBits', '128, 192 or 256')
  }
  if (reader.u16be('symmetric.mode') !== TPM_ALG.cfb) {
    reader.fail('unexpected_value', 'symmetric.mode', '0x0043: CFB')
  }
}

const RSA_SCHEMES = '0x0010: NULL, 0x0014: RSASSA, 0x0016: RSAPSS, 0x0015: RSAES or 0x0017: OAEP'
const ECC_SCHEMES = '0x0010: NULL, 0x0018: ECDSA or 0x0019: ECDH'

/** TPMT_RSA_SCHEME, Part 2 §11.2.4.2. */
function readRsaScheme(reader: ByteReader): TpmKeyScheme | null {
  switch (reader.u16be('scheme')) {
    case TPM_ALG.null:
      return null
    case TPM_ALG.rsassa:
      return { algorithm: 'rsassa', hash: readHashAlgorithm(reader, 'scheme.hash') }
    case TPM_ALG.rsapss:
      return { algorithm: 'rsapss', hash: readHashAlgorithm(reader, 'scheme.hash') }
    case TPM_ALG.oaep:
      return { algorithm: 'oaep', hash: readHashAlgorithm(reader, 'scheme.hash') }
    case TPM_ALG.rsaes:
      return { algorithm: 'rsaes', hash: null }
    default:
      return reader.fail('unexpected_value', 'scheme', RSA_SCHEMES)
  }
}

/** TPMT_ECC_SCHEME, Part 2 §11.2.5.6. */
function readEccScheme(reader: ByteReader): TpmKeyScheme | null {
  switch (reader.u16be('scheme')) {
    case TPM_ALG.null:
      return null
    case TPM_ALG.ecdsa:
      return { algorithm: 'ecdsa', hash: readHashAlgorithm(reader, 'scheme.hash') }
    case TPM_ALG.ecdh:
      return { algorithm: 'ecdh', hash: readHashAlgorithm(reader, 'scheme.hash') }
    default:
      return reader.fail('unexpected_value', 'scheme', ECC_SCHEMES)
  }
}

/** TPMT_KDF_SCHEME, Part 2 §11.2.3.3: NULL, or a function with its hash. */
function skipKdf(reader: ByteReader): void {
  const kdf = reader.u16be('kdf')
  if (kdf === TPM_ALG.null) return
  const known: readonly number[] = [
    TPM_ALG.mgf1,
    TPM_ALG.kdf1Sp80056a,
    TPM_ALG.kdf2,
    TPM_ALG.kdf1Sp800108,
  ]
  if (!known.includes(kdf)) {
    const expected = '0x0010: NULL, 0x0007: MGF1, or 0x0020 to 0x0022: a KDF'
    reader.fail('unexpected_value', 'kdf', expected)
  }
  readHashAlgorithm(reader, 'kdf.hash')
}

/** Some TPMs drop leading zeros; a JWK needs the full width (RFC 7518 §6.2.1.2). */
function readCoordinate(reader: ByteReader, width: number, field: string): Uint8Array {
  const coordinate = reader.sized16be(width, field)
  if (coordinate.length === 0) reader.fail('unexpected_value', field, `1 to ${width} bytes`)
  return leftPad(coordinate, width)
}

function leftPad(bytes: Uint8Array, width: number): Uint8Array {
  if (bytes.length === width) return bytes
  const padded = new Uint8Array(width)
  padded.set(bytes, width - bytes.length)
  return padded
}

/** RFC 7518 §2, Base64urlUInt: big-endian without leading zeros. */
function minimal(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes.subarray(bytes.findIndex((byte) => byte !== 0))
}

function nameOf(nameAlgorithm: HashAlgorithm, publicArea: Uint8Array): Uint8Array {
  const id = hashAlgorithmId(nameAlgorithm)
  return Uint8Array.of(id >> 8, id & 0xff, ...digest(nameAlgorithm, publicArea))
}
