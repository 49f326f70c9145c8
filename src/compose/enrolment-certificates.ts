import { fromBase64 } from '../base/encoding.ts'
import { type Certificate, parseCertificate } from '../evidence/x509/certificate.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { SigningKey } from '../keys/signing-keys.ts'
import type { Shared } from './key-use.ts'

export type EnrolmentServices = {
  /** The key that certifies enrolled keys now. */
  readonly enrolmentAuthority: () => Promise<SigningKey>
  /** A certificate for each key of that authority that may have signed one that counts. */
  readonly enrolmentAuthorities: () => Promise<readonly Certificate[]>
}

/** The authority that certifies the keys of devices that enrol here. */
export function enrolmentCertificates(keyRing: KeyRing, { clock }: Shared): EnrolmentServices {
  const parsed = new WeakMap<SigningKey, Certificate>()
  const certificateOf = (key: SigningKey): Certificate => {
    const known = parsed.get(key)
    if (known !== undefined) return known
    const certificate = parseCertificate(fromBase64(key.certificate ?? '') ?? new Uint8Array())
    if (!certificate.ok) throw new Error('our own enrolment certificate cannot be read')
    parsed.set(key, certificate.value)
    return certificate.value
  }
  return {
    async enrolmentAuthority() {
      return (await keyRing.current()).signingKey('enrolment', clock())
    },
    async enrolmentAuthorities() {
      return (await keyRing.current()).acceptedKeys('enrolment', clock()).map(certificateOf)
    },
  }
}
