import { equalBytes, type HashAlgorithm } from '../../base/digest.ts'
import { fromBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { hashAlgorithmId, TPM_ALG } from './algorithms.ts'
import { MAX_PUBLIC_BYTES } from './limits.ts'
import { parseTpmPublic } from './public-area.ts'

/** The kinds of endorsement keys for which there are default templates here. */
export const EK_KINDS = ['rsa-2048', 'rsa-3072', 'ecc-p256', 'ecc-p384'] as const

export type EkKind = (typeof EK_KINDS)[number]

export const EK_REASONS = ['ek_key_unsupported', 'ek_public_mismatch'] as const

export type EkFailure = {
  readonly reason: (typeof EK_REASONS)[number]
  /** Of a public area: which of key and template is another. */
  readonly expected?: string
}

/** What TPM2_MakeCredential needs to know of an endorsement key. */
export type EndorsementKey = {
  readonly kind: EkKind
  /** RSA `{kty, n, e}` or EC `{kty, crv, x, y}`. */
  readonly jwk: Readonly<JsonWebKey>
  readonly nameAlgorithm: HashAlgorithm
  /** Bits of the AES key that its children, and credentials, are wrapped with. */
  readonly symmetricBits: 128 | 256
}

type Template = {
  readonly kind: EkKind
  readonly nameAlgorithm: HashAlgorithm
  readonly attributes: number
  readonly authPolicy: Uint8Array
  readonly symmetricBits: 128 | 256
}

/** fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt. */
const LOW_RANGE = 0x0003_00b2
/** The same and userWithAuth. */
const HIGH_RANGE = 0x0003_00f2
/** PolicyA for SHA-256: PolicySecret of the endorsement hierarchy. */
const POLICY_A = hex('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa')
/** PolicyB: PolicyA or an authorization that the owner of the TPM keeps in an NV index. */
const POLICY_B_SHA256 = hex('ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0')
const POLICY_B_SHA384 = hex(
  'b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12',
)

const low = (kind: EkKind): Template => ({
  kind,
  nameAlgorithm: 'sha256',
  attributes: LOW_RANGE,
  authPolicy: POLICY_A,
  symmetricBits: 128,
})
const high128 = (kind: EkKind): Template => ({
  ...low(kind),
  attributes: HIGH_RANGE,
  authPolicy: POLICY_B_SHA256,
})
const high256 = (kind: EkKind): Template => ({
  kind,
  nameAlgorithm: 'sha384',
  attributes: HIGH_RANGE,
  authPolicy: POLICY_B_SHA384,
  symmetricBits: 256,
})

/**
 * The default templates, TCG EK Credential Profile 2.5 §B.3 and §B.4: L-1, L-2, H-1, H-2, H-3, H-6.
 * All of one kind have the same algorithms, so that a credential for the key does not depend on which
 * of them made it.
 */
const TEMPLATES: readonly Template[] = [
  low('rsa-2048'),
  low('ecc-p256'),
  high128('rsa-2048'),
  high128('ecc-p256'),
  high256('ecc-p384'),
  high256('rsa-3072'),
]

/**
 * An endorsement key by its public key, which the caller has from a certificate, made by a default
 * template of its kind. Where the TPM's own description of it comes along (TPMT_PUBLIC or
 * TPM2B_PUBLIC), it must be of that key and one of those templates, to the last bit.
 */
export function endorsementKeyOf(
  jwk: Readonly<JsonWebKey>,
  publicArea?: Uint8Array,
): Result<EndorsementKey, EkFailure> {
  const kind = kindOf(jwk)
  const [template] = TEMPLATES.filter((one) => one.kind === kind)
  if (kind === undefined || template === undefined) return err({ reason: 'ek_key_unsupported' })
  if (publicArea !== undefined && !isDefault(jwk, kind, publicArea)) {
    return err({ reason: 'ek_public_mismatch', expected: describeMismatch(jwk, publicArea) })
  }
  const { nameAlgorithm, symmetricBits } = template
  return ok({ kind, jwk, nameAlgorithm, symmetricBits })
}

function describeMismatch(jwk: Readonly<JsonWebKey>, publicArea: Uint8Array): string {
  const parsed = parseTpmPublic(withoutSize(publicArea))
  if (!parsed.ok) return 'TPMT_PUBLIC or TPM2B_PUBLIC of the key in ek_certificate'
  const { kty, crv, n, x, y } = parsed.value.jwk
  const isKey = kty === jwk.kty && crv === jwk.crv && n === jwk.n && x === jwk.x && y === jwk.y
  if (!isKey) return 'the key in ek_certificate: this is the public area of another key'
  return 'a default template of the EK Credential Profile: the key is that of ek_certificate, its attributes, policy or algorithms are others'
}

function isDefault(jwk: Readonly<JsonWebKey>, kind: EkKind, publicArea: Uint8Array): boolean {
  if (publicArea.length > MAX_PUBLIC_BYTES + 2) return false
  const area = withoutSize(publicArea)
  return TEMPLATES.some((one) => one.kind === kind && equalBytes(encodeEkPublic(one, jwk), area))
}

/** TPM2B_PUBLIC begins with the size of what follows; TPMT_PUBLIC with its type, which is none. */
export function withoutSize(bytes: Uint8Array): Uint8Array {
  const size = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
  return size === bytes.length - 2 ? bytes.subarray(2) : bytes
}

function kindOf(jwk: Readonly<JsonWebKey>): EkKind | undefined {
  if (jwk.kty === 'EC') {
    if (jwk.crv === 'P-256') return 'ecc-p256'
    return jwk.crv === 'P-384' ? 'ecc-p384' : undefined
  }
  const bits = (fromBase64Url(jwk.n ?? '')?.length ?? 0) * 8
  // The templates say the exponent 0, which stands for this one.
  if (jwk.kty !== 'RSA' || jwk.e !== 'AQAB') return undefined
  if (bits === 2048) return 'rsa-2048'
  return bits === 3072 ? 'rsa-3072' : undefined
}

/** TPMT_PUBLIC of a key that was made by a template. TPM 2.0 Part 2 §12.2.4 */
function encodeEkPublic(template: Template, jwk: Readonly<JsonWebKey>): Uint8Array {
  const { nameAlgorithm, attributes, authPolicy, symmetricBits } = template
  const isRsa = jwk.kty === 'RSA'
  const type = isRsa ? TPM_ALG.rsa : TPM_ALG.ecc
  const head = [u16(type), u16(hashAlgorithmId(nameAlgorithm)), u32(attributes), sized(authPolicy)]
  const symmetric = [u16(TPM_ALG.aes), u16(symmetricBits), u16(TPM_ALG.cfb), u16(TPM_ALG.null)]
  const n = member(jwk.n)
  const rest = isRsa
    ? [u16(n.length * 8), u32(0), sized(n)]
    : [
        u16(jwk.crv === 'P-256' ? 3 : 4),
        u16(TPM_ALG.null),
        sized(member(jwk.x)),
        sized(member(jwk.y)),
      ]
  return Buffer.concat([...head, ...symmetric, ...rest])
}

function member(text: string | undefined): Uint8Array {
  return fromBase64Url(text ?? '') ?? new Uint8Array()
}

function sized(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([u16(bytes.length), bytes])
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}

function u32(value: number): Uint8Array {
  return Buffer.concat([u16(value >>> 16), u16(value & 0xffff)])
}

function hex(text: string): Uint8Array {
  return Buffer.from(text, 'hex')
}
