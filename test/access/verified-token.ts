import {
  type DeviceTokenClaims,
  issueDeviceToken,
  type VerifiedDeviceToken,
  verifyDeviceToken,
} from '../../src/access/device-token.ts'
import { expectOk } from '../support/refusal.ts'

const ISSUER = 'https://countersign.example'
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const ISSUED_AT = new Date('2026-01-01T00:00:00Z')

/** A token that says so, as its verifier makes it: issued and verified with a key of its own. */
export async function verifiedToken(
  says: Pick<DeviceTokenClaims, 'deviceId' | 'confirmationKey' | 'generation'>,
): Promise<VerifiedDeviceToken> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ECDSA, false, [
    'sign',
    'verify',
  ])
  const sign = async (message: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign(ECDSA, privateKey, new Uint8Array(message)))
  const expiresAt = new Date(ISSUED_AT.getTime() + 60_000)
  const claims = { ...says, issuedAt: ISSUED_AT, expiresAt, jti: 'j' }
  const token = await issueDeviceToken(claims, { issuer: ISSUER, signer: { kid: 'k', sign } })
  const options = { issuer: ISSUER, keyOf: () => publicKey, now: ISSUED_AT }
  return expectOk(await verifyDeviceToken(token, options))
}
