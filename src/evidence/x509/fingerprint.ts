import { digest } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import type { Certificate } from './certificate.ts'

/** Names a certificate by its bytes: base64url SHA-256 of the DER, 43 characters. */
export function fingerprintOf({ der }: Pick<Certificate, 'der'>): string {
  return toBase64Url(digest('sha256', der))
}
