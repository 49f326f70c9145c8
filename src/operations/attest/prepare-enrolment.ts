import type { Config } from '../../config/config.ts'
import { readTrustAnchors } from '../../config/trust-anchors.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import type { Links } from '../../store/devices/links.ts'
import type { DeviceLimiter } from './device-limiter.ts'
import type { EnrolmentServices } from './enrolment-services.ts'
import type { IssuerDirectory } from './issuer-directory.ts'

/** Puts together what enrolments are made with. */
export function prepareEnrolment(input: {
  readonly config: Config
  readonly ticketKeys: EnrolmentServices['ticketKeys']
  readonly enrolmentAuthority: EnrolmentServices['enrolmentAuthority']
  readonly store: Links
  readonly issuerDirectory: Pick<IssuerDirectory, 'forRequest' | 'remember'>
  readonly limiter: DeviceLimiter
  readonly ringOf: EnrolmentServices['ringOf']
  readonly random: (length: number) => Uint8Array
  readonly clock: () => Date
}): EnrolmentServices {
  const { config, issuerDirectory, ...shared } = input
  const ekTrust = readTrustAnchors(config.ekTrustAnchors)
  const ekAnchors = new Map(ekTrust.anchors.map((anchor) => [fingerprintOf(anchor), anchor]))
  return {
    ...shared,
    config,
    ekTrust,
    findIssuers: issuerDirectory.forRequest,
    rememberIssuers: issuerDirectory.remember,
    ekAnchors,
    ekKinds: config.ekKeyTypes,
  }
}
