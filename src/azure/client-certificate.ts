import { importPKCS8, SignJWT } from 'jose'
import { digest } from '../base/digest.ts'
import { toBase64, toBase64Url } from '../base/encoding.ts'
import { readPemBlocks } from '../evidence/x509/pem.ts'
import { ASSERTION_LIFETIME_SECONDS } from './limits.ts'

export type ClientAssertionInput = {
  /** The certificate and its PKCS#8 RSA key, in any order; certificates of its issuers may follow. */
  readonly pem: string
  readonly clientId: string
  /** The token endpoint. */
  readonly audience: string
  readonly now: Date
}

/**
 * Proves that we hold the key of a certificate that Entra knows (RFC 7523 §3, in the form that
 * Entra asks for: PS256 and `x5t#S256`). Runs where there is no file system, unlike the SDK's own.
 * Throws TypeError when the PEM holds no certificate or no such key.
 */
export async function signClientAssertion(input: ClientAssertionInput): Promise<string> {
  const { clientId } = input
  const blocks = readPemBlocks(input.pem) ?? []
  const certificate = blocks.find(({ label }) => label === 'CERTIFICATE')
  const key = blocks.find(({ label }) => label === 'PRIVATE KEY')
  if (certificate === undefined || key === undefined) {
    throw new TypeError('the PEM of the client holds no certificate or no PKCS#8 key')
  }
  const issuedAt = Math.floor(input.now.getTime() / 1000)
  return await new SignJWT()
    .setProtectedHeader({
      alg: 'PS256',
      typ: 'JWT',
      'x5t#S256': toBase64Url(digest('sha256', certificate.bytes)),
    })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(input.audience)
    .setJti(crypto.randomUUID())
    .setIssuedAt(issuedAt)
    .setNotBefore(issuedAt)
    .setExpirationTime(issuedAt + ASSERTION_LIFETIME_SECONDS)
    .sign(await importSigningKey(key.bytes))
}

async function importSigningKey(pkcs8: Uint8Array): Promise<CryptoKey> {
  const pem = `-----BEGIN PRIVATE KEY-----\n${toBase64(pkcs8)}\n-----END PRIVATE KEY-----`
  try {
    return await importPKCS8(pem, 'PS256')
  } catch {
    throw new TypeError('the key of the client is not an RSA key')
  }
}
