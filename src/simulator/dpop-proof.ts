import { type KeyObject, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { publicJwk } from './attestation-request.ts'
import { toWebKey } from './web-key.ts'

/** A proof of possession of `key` for one request (RFC 9449 §4.2), with the service's nonce. */
export async function makeDpopProof(input: {
  readonly key: KeyObject
  readonly method: string
  /** The request's URL without query and fragment. */
  readonly url: string
  readonly nonce: string
  readonly now: Date
}): Promise<string> {
  const { key, method, url, nonce, now } = input
  return await new SignJWT({ jti: randomUUID(), htm: method, htu: url, nonce })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'PS256', jwk: publicJwk(key) })
    .setIssuedAt(now)
    .sign(await toWebKey(key, 'PS256'))
}
