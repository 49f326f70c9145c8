import { decodeJwt, SignJWT } from 'jose'
import { issueDeviceToken } from '../../../src/access/device-token.ts'
import { parseCertificate } from '../../../src/evidence/x509/certificate.ts'
import { issueEnrolmentCertificate } from '../../../src/keys/enrolment-certificate.ts'
import type { SigningKey } from '../../../src/keys/signing-keys.ts'
import type { AgentAttestation, AttestationAgent } from '../../../src/simulator/agent.ts'
import type { SigningKeyUse } from '../../../src/store/schema/system-schema.ts'
import {
  encodeEnrolledNames,
  readEnrolledNames,
} from '../../../src/verifier/enrolment/certificate-names.ts'
import { expectOk } from '../../support/refusal.ts'

type Device = AttestationAgent['device']

const DAY_MS = 86_400_000

/** What somebody makes who has our keys: as we do, and with times as he likes. */
export function createThief(keys: Readonly<Record<SigningKeyUse, SigningKey>>, issuer: string) {
  return {
    /** Like one that a device was given, and a day longer. */
    deviceToken(given: AgentAttestation, now: Date): Promise<string> {
      type Claims = { readonly cnf: { readonly jkt: string }; readonly generation: number }
      const { cnf, generation } = decodeJwt<Claims>(given.device_token)
      const { kid, privateKey } = keys['device-token']
      const claims = {
        deviceId: given.device_id,
        confirmationKey: cnf.jkt,
        generation,
        issuedAt: now,
        expiresAt: new Date(now.getTime() + DAY_MS),
        jti: 'forged',
      }
      return issueDeviceToken(claims, { issuer, signer: { kid, sign: privateKey.sign } })
    },

    /** An attestation token of a device, signed again. */
    attestationToken(token: string): Promise<string> {
      const { kid, privateKey } = keys.attestation
      return new SignJWT(decodeJwt(token))
        .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' })
        .sign(privateKey.cryptoKey)
    },

    /** A device with a certificate of its attestation key that is new today. */
    async certified(device: Device, now: Date): Promise<Device> {
      const certificate = expectOk(
        parseCertificate(device.attestationCertificate ?? new Uint8Array()),
      )
      const names = readEnrolledNames(certificate)
      if (names === undefined) throw new TypeError('the device was never enrolled')
      const attestationCertificate = await issueEnrolmentCertificate({
        authority: keys.enrolment,
        spki: certificate.spki,
        commonName: 'forged',
        uris: encodeEnrolledNames(names),
        serial: new Uint8Array(16).fill(7),
        now,
        notAfter: new Date(now.getTime() + DAY_MS),
      })
      return { ...device, attestationCertificate }
    },
  }
}
