import { equalBytes } from '../../base/digest.ts'
import { fromBase64, fromUtf8 } from '../../base/encoding.ts'
import { type Err, err, ok, type Result } from '../../base/result.ts'
import type { KeyUse } from '../jws/verify-signature.ts'
import { importTpmKey, type TpmKeyFailure } from './key.ts'
import { MAX_PEM_CHARS, MAX_SPKI_BYTES } from './limits.ts'

const PEM = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]*)-----END PUBLIC KEY-----\s*$/
const USES: readonly KeyUse[] = [
  { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  { name: 'ECDSA', namedCurve: 'P-256' },
  { name: 'ECDSA', namedCurve: 'P-384' },
]

/**
 * Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) as DER, or as PEM text or its bytes, into a JWK
 * that `importTpmKey` accepts. Only the DER that WebCrypto itself would write is accepted, so one
 * key has one encoding and one hash.
 */
export async function importSpki(
  input: Uint8Array | string,
): Promise<Result<JsonWebKey, TpmKeyFailure>> {
  const der = derOf(input)
  if (der === undefined) return malformed('encoding')
  for (const use of USES) {
    const key = await tryImport(der, use)
    if (key === undefined) continue
    const written = new Uint8Array(await crypto.subtle.exportKey('spki', key))
    if (!equalBytes(written, der)) return malformed('encoding')
    const imported = await importTpmKey(await crypto.subtle.exportKey('jwk', key))
    return imported.ok ? ok({ ...imported.value.jwk }) : imported
  }
  return malformed('SubjectPublicKeyInfo')
}

function malformed(detail: string): Err<TpmKeyFailure> {
  const expected = 'a SubjectPublicKeyInfo in DER of RSA, P-256 or P-384'
  return err({ reason: 'tpm_key_malformed', detail, expected })
}

/** WebCrypto tells what a key is by accepting it; a wrong guess is a DataError. */
async function tryImport(
  der: Uint8Array<ArrayBuffer>,
  use: KeyUse,
): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.importKey('spki', der, use, true, ['verify'])
  } catch {
    return undefined
  }
}

function derOf(input: Uint8Array | string): Uint8Array<ArrayBuffer> | undefined {
  if (input.length > MAX_PEM_CHARS) return undefined
  const text = typeof input === 'string' ? input : pemText(input)
  const der = text === undefined ? input : fromPem(text)
  if (der === undefined || typeof der === 'string' || der.length > MAX_SPKI_BYTES) return undefined
  return new Uint8Array(der)
}

/** DER starts with a SEQUENCE (0x30), which no PEM does. */
function pemText(bytes: Uint8Array): string | undefined {
  return bytes[0] === 0x30 ? undefined : fromUtf8(bytes)
}

function fromPem(text: string): Uint8Array | undefined {
  const body = PEM.exec(text)?.[1]
  return body === undefined ? undefined : fromBase64(body.replace(/\s/g, ''))
}
