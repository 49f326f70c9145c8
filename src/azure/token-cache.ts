import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/identity'
import {
  EARLY_REFRESH_MS,
  MAX_CACHED_TOKENS,
  MIN_TOKEN_LIFE_MS,
  REFRESH_PAUSE_MS,
} from './limits.ts'

/** A credential that can be told that a token of its was not accepted. */
export type ForgettingCredential = TokenCredential & { readonly forget: (token: string) => void }

export type TokenCacheInput = {
  readonly request: (scopes: readonly string[], options: GetTokenOptions) => Promise<AccessToken>
  readonly clock: () => Date
}

type CachedToken = {
  readonly token: AccessToken
  readonly since: number
  refreshAt: number
}

/**
 * Keeps finished tokens and nothing else: in a Worker a promise of one request must not be awaited
 * by another. Requests that find no token each ask for one; of those that find one growing old, the
 * first asks for a new one and the others use the old one meanwhile.
 */
export function createTokenCache(input: TokenCacheInput): ForgettingCredential {
  const { request, clock } = input
  const cached = new Map<string, CachedToken>()

  const renew = async (key: string, scopes: readonly string[], options: GetTokenOptions) => {
    const token = await request(scopes, options)
    const since = clock().getTime()
    if (!cached.has(key) && cached.size >= MAX_CACHED_TOKENS) cached.clear()
    cached.set(key, { token, since, refreshAt: refreshTime(token, since) })
    return token
  }

  return {
    async getToken(scope, options = {}) {
      const scopes = typeof scope === 'string' ? [scope] : scope
      const key = JSON.stringify([scopes, options.tenantId])
      const known = cached.get(key)
      const now = clock().getTime()
      // Claims are what the provider asks for that the known token has not.
      const isUsable =
        options.claims === undefined &&
        known !== undefined &&
        known.token.expiresOnTimestamp - now > MIN_TOKEN_LIFE_MS
      if (!isUsable) return await renew(key, scopes, options)
      if (now < known.refreshAt) return known.token
      known.refreshAt = now + REFRESH_PAUSE_MS
      try {
        return await renew(key, scopes, options)
      } catch {
        return known.token
      }
    },

    forget(token) {
      const now = clock().getTime()
      for (const [key, known] of cached) {
        // A fresh token that is refused will be refused again: then Entra is spared.
        const isOld = now - known.since >= REFRESH_PAUSE_MS
        if (known.token.token === token && isOld) cached.delete(key)
      }
    },
  }
}

function refreshTime(token: AccessToken, now: number): number {
  const { expiresOnTimestamp: end, refreshAfterTimestamp = Infinity } = token
  return Math.min(refreshAfterTimestamp, Math.max(end - EARLY_REFRESH_MS, now + (end - now) / 2))
}
