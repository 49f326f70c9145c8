import type { KeyObject } from 'node:crypto'
import { toUtf8 } from '../base/encoding.ts'
import { publicJwk } from './attestation-request.ts'
import { CHANCE, type Chance } from './chance.ts'
import { signPs256 } from './compact-jws.ts'

/** A proof of possession of `key` for one request (RFC 9449 §4.2), with the service's nonce. */
export async function makeDpopProof(input: {
  readonly key: KeyObject
  readonly method: string
  /** The request's URL without query and fragment. */
  readonly url: string
  readonly nonce: string
  /** base64url of the SHA-256 of the access token that the request brings, if it brings one. */
  readonly ath?: string
  readonly now: Date
  readonly chance?: Chance
}): Promise<string> {
  const { key, method, url, nonce, ath, now, chance = CHANCE } = input
  const jti = Buffer.from(chance.bytes(16)).toString('base64url')
  const iat = Math.floor(now.getTime() / 1000)
  const claims = { jti, htm: method, htu: url, nonce, iat, ...(ath !== undefined && { ath }) }
  const header = { typ: 'dpop+jwt', alg: 'PS256', jwk: publicJwk(key) }
  return signPs256({ header, payload: toUtf8(JSON.stringify(claims)), key, chance })
}
