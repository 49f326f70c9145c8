import type { KeySet } from '../../evidence/jws/key-set.ts'
import type { Store } from '../../store/store.ts'
import type { RulesReader } from '../release/rules-in-force.ts'
import { expiriesOfRules, lastOfEach } from './expiries-of-rules.ts'
import {
  type ExpirySettings,
  expiriesOfClients,
  expiriesOfIssuers,
  expiriesOfKeys,
  expiriesOfProviders,
  expiriesOfSettings,
} from './expiries-of-service.ts'
import { byEnd, type Expiry } from './expiry.ts'

export type ListExpiriesDependencies = {
  readonly store: Pick<
    Store,
    'inForce' | 'listSigningKeys' | 'expiringClients' | 'issuerCertificateEnds'
  >
  readonly rules: Pick<RulesReader, 'at'>
  readonly config: ExpirySettings
  /** The key sets of providers that this process has at hand; none where nothing is fetched. */
  readonly providerKeys?: (() => ReadonlyMap<string, Pick<KeySet, 'keys'>>) | undefined
  readonly clock: () => Date
}

/** Of clients, those that end first. */
const LISTED_MOST = 500
/** Certificates of issuers are fetched anew by themselves: those that end within a year are enough to know of. */
const ISSUERS_MOST = 100
const ISSUERS_AHEAD_MS = 366 * 86_400_000

/**
 * All that ends by itself, the earliest first. Nothing of it grows with the fleet. What stands in settings and
 * has ended is listed for as long as it stands there, and so is the secret of a client that is not disabled.
 */
export async function listExpiries(
  dependencies: ListExpiriesDependencies,
): Promise<readonly Expiry[]> {
  const { store, rules, config, clock, providerKeys } = dependencies
  const now = clock()
  const rulesInForce = await rules.at(await store.inForce())
  const keys = await store.listSigningKeys()
  const clients = await store.expiringClients(LISTED_MOST)
  const before = new Date(now.getTime() + ISSUERS_AHEAD_MS)
  const certificates = await store.issuerCertificateEnds({ now, before, limit: ISSUERS_MOST })
  const found = [
    ...expiriesOfSettings(config),
    ...expiriesOfRules(rulesInForce, now),
    ...expiriesOfKeys(keys, { signingKeyDays: config.signingKeyDays, now }),
    ...expiriesOfClients(clients),
    ...expiriesOfIssuers(certificates),
    ...expiriesOfProviders(providerKeys?.() ?? new Map()),
  ]
  return [...lastOfEach(found)].sort(byEnd)
}
