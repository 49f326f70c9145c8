import { fromBase64 } from '../../base/encoding.ts'
import type { Config } from '../../config/config.ts'
import { readTrustAnchors } from '../../config/trust-anchors.ts'
import { type Certificate, parseCertificate } from '../../evidence/x509/certificate.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import type { MasterSecret } from '../../keys/master-secret.ts'
import { derivePurposeKey } from '../../keys/sealing.ts'
import type { SigningKeys } from '../../keys/signing-keys.ts'
import type { Links } from '../../store/devices/links.ts'
import type { EnrolmentTrust } from '../../verifier/enrolment/enrolled-key.ts'
import type { DeviceLimiter } from './device-limiter.ts'
import type { EnrolmentServices } from './enrolment-services.ts'
import type { IssuerDirectory } from './issuer-directory.ts'

/** Puts together what enrolments are made with, and what makes the verifier believe in them. */
export function prepareEnrolment(input: {
  readonly config: Config
  readonly keys: SigningKeys
  readonly masterSecret: MasterSecret
  readonly store: Links
  readonly issuerDirectory: Pick<IssuerDirectory, 'forRequest' | 'remember'>
  readonly limiter: DeviceLimiter
  readonly ringOf: EnrolmentServices['ringOf']
  readonly random: (length: number) => Uint8Array
  readonly clock: () => Date
}): { readonly services: EnrolmentServices; readonly trust: EnrolmentTrust } {
  const { config, keys, masterSecret, issuerDirectory, clock, ...shared } = input
  const ekTrust = readTrustAnchors(config.ekTrustAnchors)
  const ekAnchors = new Map(ekTrust.anchors.map((anchor) => [fingerprintOf(anchor), anchor]))
  const services: EnrolmentServices = {
    ...shared,
    config,
    clock,
    ticketKey: derivePurposeKey(masterSecret, 'enrolment ticket'),
    ekTrust,
    findIssuers: issuerDirectory.forRequest,
    rememberIssuers: issuerDirectory.remember,
    ekAnchors,
    ekKinds: config.ekKeyTypes,
    enrolmentAuthority: (now) => keys.signingKey('enrolment', now),
  }
  return { services, trust: { authorities: listAuthorities(keys, clock()), ekAnchors } }
}

function listAuthorities(keys: SigningKeys, now: Date): readonly Certificate[] {
  return keys.publishedKeySet('enrolment', now).keys.map(({ x5c }) => {
    const certificate = parseCertificate(fromBase64(x5c?.[0] ?? '') ?? new Uint8Array())
    if (!certificate.ok) throw new Error('our own enrolment certificate cannot be read')
    return certificate.value
  })
}
