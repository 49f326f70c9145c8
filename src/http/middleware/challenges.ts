import { DPOP_ALGORITHMS } from '../../oauth/dpop.ts'
import type { HttpContext } from '../environment.ts'
import { BASIC_CHALLENGE } from '../errors/oauth-error.ts'

const ALGORITHMS = `algs="${DPOP_ALGORITHMS.join(' ')}"`

/**
 * Says every way in which a caller can prove itself (RFC 9110 §11.6.1), and where it learns how to get a token
 * (RFC 9728 §5.1): `metadata` is the URL of the metadata of this API.
 */
export function askForCredentials(c: HttpContext, metadata: string): void {
  challenge(c, BASIC_CHALLENGE)
  challenge(c, `Bearer resource_metadata="${metadata}"`)
  challenge(c, `DPoP ${ALGORITHMS}, resource_metadata="${metadata}"`)
}

/** RFC 6750 §3.1: which scope would do. */
export function askForScope(c: HttpContext, metadata: string, scope: string): void {
  challenge(
    c,
    `Bearer error="insufficient_scope", scope="${scope}", resource_metadata="${metadata}"`,
  )
}

export type TokenError = {
  readonly scheme: 'Bearer' | 'DPoP'
  readonly error: 'invalid_token' | 'invalid_dpop_proof' | 'use_dpop_nonce'
  /** ASCII without quotes. */
  readonly description: string
}

/** Says what is wrong with a token (RFC 6750 §3.1) or with the proof beside it (RFC 9449 §7.1, §9). */
export function refuseToken(c: HttpContext, metadata: string, told: TokenError): void {
  const { scheme, error, description } = told
  const about = `error="${error}", error_description="${description}"`
  const algorithms = scheme === 'DPoP' ? `, ${ALGORITHMS}` : ''
  challenge(c, `${scheme} ${about}${algorithms}, resource_metadata="${metadata}"`)
}

function challenge(c: HttpContext, text: string): void {
  c.header('www-authenticate', text, { append: true })
}
