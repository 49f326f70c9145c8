/** TPMA_OBJECT, TPM 2.0 Part 2 §8.3.2. Bits 8, 9 and 19 came with later revisions. */
const ATTRIBUTE_BITS = {
  fixedTPM: 0x0000_0002,
  stClear: 0x0000_0004,
  fixedParent: 0x0000_0010,
  sensitiveDataOrigin: 0x0000_0020,
  userWithAuth: 0x0000_0040,
  adminWithPolicy: 0x0000_0080,
  firmwareLimited: 0x0000_0100,
  svnLimited: 0x0000_0200,
  noDA: 0x0000_0400,
  encryptedDuplication: 0x0000_0800,
  restricted: 0x0001_0000,
  decrypt: 0x0002_0000,
  sign: 0x0004_0000,
  x509sign: 0x0008_0000,
} as const

export type TpmObjectAttribute = keyof typeof ATTRIBUTE_BITS

/** The attributes of a TPM object, and the word they were read from as `raw`. */
export type TpmObjectAttributes = Readonly<Record<TpmObjectAttribute, boolean>> & {
  readonly raw: number
}

const RESERVED_BITS = ~Object.values(ATTRIBUTE_BITS).reduce((all, bit) => all | bit, 0)

/** `undefined` when a reserved bit is set: such an object promises something not understood here. */
export function readObjectAttributes(raw: number): TpmObjectAttributes | undefined {
  if (raw & RESERVED_BITS) return undefined
  const has = (name: TpmObjectAttribute) => (raw & ATTRIBUTE_BITS[name]) !== 0
  return {
    raw,
    fixedTPM: has('fixedTPM'),
    stClear: has('stClear'),
    fixedParent: has('fixedParent'),
    sensitiveDataOrigin: has('sensitiveDataOrigin'),
    userWithAuth: has('userWithAuth'),
    adminWithPolicy: has('adminWithPolicy'),
    firmwareLimited: has('firmwareLimited'),
    svnLimited: has('svnLimited'),
    noDA: has('noDA'),
    encryptedDuplication: has('encryptedDuplication'),
    restricted: has('restricted'),
    decrypt: has('decrypt'),
    sign: has('sign'),
    x509sign: has('x509sign'),
  }
}
