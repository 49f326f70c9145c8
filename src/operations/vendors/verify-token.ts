import type { JWTPayload } from 'jose'
import { ok, type Result } from '../../base/result.ts'
import type { JwksFetchFailure, PublishedKeySets } from '../../keysets/key-sets.ts'
import {
  peekVendorToken,
  type VendorTokenExpectation,
  type VendorTokenFailure,
  verifyVendorToken,
} from '../../vendors/vendor-token.ts'

export type VendorTokenDependencies = {
  readonly keySets: PublishedKeySets
  readonly clock: () => Date
  readonly clockSkewSeconds: number
}

/**
 * Verifies a JWT of an identity provider by the keys at `keysUrl`, which is one of the configuration. Keys that
 * cannot be had are `jwks_unavailable`, which says nothing about the token.
 */
export async function verifyToken(
  { keySets, clock, clockSkewSeconds }: VendorTokenDependencies,
  token: string | undefined,
  expected: Pick<VendorTokenExpectation, 'issuers' | 'audiences' | 'requiredClaims'> & {
    readonly keysUrl: string
  },
): Promise<Result<JWTPayload, VendorTokenFailure | JwksFetchFailure>> {
  const { keysUrl, ...rest } = expected
  const peeked = peekVendorToken(token)
  if (!peeked.ok) return peeked
  const keys = await keySets.keysAt(keysUrl, peeked.value.kid)
  if (!keys.ok) return keys
  const verified = await verifyVendorToken(peeked.value, keys.value, {
    ...{ ...rest, now: clock(), clockSkewSeconds },
  })
  return verified.ok ? ok(verified.value) : verified
}
