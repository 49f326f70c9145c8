import type { OAuthServices } from '../http/oauth/routes.ts'
import type { Services } from './services.ts'

/** What the OAuth endpoints work with. */
export function oauthServices(services: Services): OAuthServices {
  const { config, store, clientUses, callerKeySets, dpopNonces } = services
  const { tokenSeconds, issuers } = config.oauth
  return {
    ...services,
    store: store.forUse('decisions'),
    issuer: config.publicUrl,
    keySets: callerKeySets,
    nonces: dpopNonces,
    noteUse: clientUses.note,
    clockSkewSeconds: config.clockSkewSeconds,
    tokenSeconds,
    otherIssuers: issuers.map(({ issuer }) => issuer),
  }
}
