import { sql } from 'drizzle-orm'
import { prepareAnnouncements } from './announcements.ts'
import { prepareClients } from './clients.ts'
import { prepareControlReads } from './control.ts'
import { prepareCounts } from './counts.ts'
import type { Database } from './database.ts'
import { prepareDeviceChanges } from './device-changes.ts'
import { prepareDeviceReads } from './device-reads.ts'
import { prepareDocuments } from './documents.ts'
import { prepareFleetReads } from './fleet-reads.ts'
import { prepareHolds } from './holds.ts'
import { prepareIssuerCertificates } from './issuer-certificates.ts'
import { prepareJobLeases } from './job-leases.ts'
import { prepareLinks } from './links.ts'
import { prepareOverrides } from './overrides.ts'
import { preparePreviews } from './previews.ts'
import { prepareRecording } from './recording.ts'
import { prepareRetention } from './retention.ts'
import { prepareRollouts } from './rollouts.ts'
import { prepareSecondRequests } from './second-requests.ts'
import { prepareSpentContexts } from './spent-contexts.ts'
import type { Store, StorePlace } from './store.ts'
import { withStoreErrors } from './store-error.ts'
import { prepareSigningKeys } from './stored-signing-keys.ts'
import { prepareTrustRecordReads } from './trust-records.ts'
import { prepareVerifierObservations } from './verifier-observations.ts'

/** The same store over any driver; nothing past this point knows which one it is. */
export function createStore(input: {
  readonly db: Database
  readonly place: StorePlace
  readonly close: () => Promise<void>
}): Store {
  const { db, place, close } = input
  const ping = db.select({ one: sql<number>`1` }).from(sql`(values (1)) as one`).prepare('ping')
  return {
    ...withStoreErrors(prepareTrustRecordReads(db)),
    ...withStoreErrors(prepareRecording(db)),
    ...withStoreErrors(prepareSpentContexts(db)),
    ...withStoreErrors(prepareLinks(db)),
    ...withStoreErrors(prepareDeviceReads(db)),
    ...withStoreErrors(prepareFleetReads(db)),
    ...withStoreErrors(prepareDeviceChanges(db)),
    ...withStoreErrors(prepareClients(db)),
    ...withStoreErrors(prepareDocuments(db)),
    ...withStoreErrors(preparePreviews(db)),
    ...withStoreErrors(prepareControlReads(db)),
    ...withStoreErrors(prepareRollouts(db)),
    ...withStoreErrors(prepareOverrides(db)),
    ...withStoreErrors(prepareHolds(db)),
    ...withStoreErrors(prepareIssuerCertificates(db)),
    ...withStoreErrors(prepareJobLeases(db)),
    ...withStoreErrors(prepareSecondRequests(db)),
    ...withStoreErrors(prepareVerifierObservations(db)),
    ...withStoreErrors(prepareAnnouncements(db)),
    ...withStoreErrors(prepareSigningKeys(db)),
    ...withStoreErrors(prepareRetention(db)),
    ...withStoreErrors(prepareCounts(db)),
    ...withStoreErrors({
      async ping() {
        await ping.execute()
      },
    }),
    place,
    close,
  }
}
