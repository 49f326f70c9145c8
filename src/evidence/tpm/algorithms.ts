import type { HashAlgorithm } from '../../base/digest.ts'
import type { ByteReader } from '../bytes.ts'

/** TPM_ALG_ID of everything that is read or written here. TPM 2.0 Part 2 §6.3 */
export const TPM_ALG = {
  rsa: 0x0001,
  sha1: 0x0004,
  aes: 0x0006,
  mgf1: 0x0007,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  null: 0x0010,
  rsassa: 0x0014,
  rsaes: 0x0015,
  rsapss: 0x0016,
  oaep: 0x0017,
  ecdsa: 0x0018,
  ecdh: 0x0019,
  kdf1Sp80056a: 0x0020,
  kdf2: 0x0021,
  kdf1Sp800108: 0x0022,
  ecc: 0x0023,
  cfb: 0x0043,
} as const

const HASHES: ReadonlyMap<number, HashAlgorithm> = new Map([
  [TPM_ALG.sha1, 'sha1'],
  [TPM_ALG.sha256, 'sha256'],
  [TPM_ALG.sha384, 'sha384'],
  [TPM_ALG.sha512, 'sha512'],
])

/** The hash that a TPM_ALG_ID names; `undefined` for one that is not a hash or not accepted. */
export function hashAlgorithmOf(id: number): HashAlgorithm | undefined {
  return HASHES.get(id)
}

/** What a TPM_ALG_ID that has to name a hash may be, for refusals. */
export const HASH_IDS = 'the TPM_ALG_ID of a hash: 4, 11, 12 or 13'

/** The TPM_ALG_ID of a hash, for encoders. */
export function hashAlgorithmId(algorithm: HashAlgorithm): number {
  return TPM_ALG[algorithm]
}

/** TPMI_ALG_HASH without TPM_ALG_NULL. TPM 2.0 Part 2 §9.27. Unknown: `unexpected_value`. */
export function readHashAlgorithm(reader: ByteReader, field: string): HashAlgorithm {
  return hashAlgorithmOf(reader.u16be(field)) ?? reader.fail('unexpected_value', field, HASH_IDS)
}
