import { sql } from 'drizzle-orm'
import { prepareAnnouncements } from './devices/announcements.ts'
import { prepareCounts } from './devices/counts.ts'
import { prepareDeviceChanges } from './devices/device-changes.ts'
import { prepareDeviceHistory } from './devices/device-history.ts'
import { prepareDeviceReads } from './devices/device-reads.ts'
import { prepareFleetReads } from './devices/fleet-reads.ts'
import { prepareFoundRecordReads } from './devices/found-records.ts'
import { prepareIdleDevices } from './devices/idle-devices.ts'
import { prepareLinks } from './devices/links.ts'
import { prepareRecordedSubmissions } from './devices/recorded-submissions.ts'
import { prepareRecording } from './devices/recording.ts'
import { prepareSpentContexts } from './devices/spent-contexts.ts'
import { prepareStatusLists } from './devices/status-list.ts'
import { prepareTrustRecordReads } from './devices/trust-records.ts'
import { prepareEntities } from './directory/entities.ts'
import type { Database } from './drivers/database.ts'
import type { StoreUse } from './drivers/statement-limits.ts'
import { prepareControlReads } from './rules/control.ts'
import { prepareDocuments } from './rules/documents.ts'
import { prepareHolds } from './rules/holds.ts'
import { prepareOverrides } from './rules/overrides.ts'
import { preparePreviews } from './rules/previews.ts'
import { prepareRollouts } from './rules/rollouts.ts'
import { prepareSecondRequests } from './rules/second-requests.ts'
import { prepareAlarms } from './signals/alarms.ts'
import { prepareDeliveryOutcomes } from './signals/delivery-outcomes.ts'
import { prepareDueDeliveries } from './signals/due-deliveries.ts'
import { prepareRefusedDeliveries } from './signals/refused-deliveries.ts'
import { prepareStreamBacklogs } from './signals/stream-backlogs.ts'
import { prepareStreams } from './signals/streams.ts'
import type { Store, StorePlace } from './store.ts'
import { withStoreErrors } from './store-error.ts'
import { prepareAuditLog } from './system/audit-log.ts'
import { prepareAuditTree } from './system/audit-tree.ts'
import { prepareClients } from './system/clients.ts'
import { prepareEvents } from './system/events.ts'
import { prepareFleetSummaries } from './system/fleet-summary.ts'
import { prepareIssuerCertificates } from './system/issuer-certificates.ts'
import { prepareJobLeases } from './system/job-leases.ts'
import { prepareKeptAnswers } from './system/kept-answers.ts'
import { preparePartitions } from './system/partitions.ts'
import { preparePersonSessions } from './system/person-sessions.ts'
import { prepareQuestions } from './system/questions.ts'
import { prepareSealedSecrets } from './system/sealed-secrets.ts'
import { prepareSignIns } from './system/sign-ins.ts'
import { prepareSpentProofs } from './system/spent-proofs.ts'
import { prepareSigningKeys } from './system/stored-signing-keys.ts'
import { prepareVerifierObservations } from './system/verifier-observations.ts'

/** The same store over any driver; nothing past this point knows which one it is. */
export function createStore(input: {
  readonly db: Database
  readonly place: StorePlace
  readonly close: () => Promise<void>
  /** Without it every use has the same connections. */
  readonly forUse?: (use: StoreUse) => Store
  readonly keepOpen?: Store['keepOpen']
}): Store {
  const { db, place, close } = input
  const ping = db.select({ one: sql<number>`1` }).from(sql`(values (1)) as one`).prepare('ping')
  const records = prepareTrustRecordReads(db)
  const store: Store = {
    ...withStoreErrors(records),
    ...withStoreErrors(prepareFoundRecordReads(db, records)),
    ...withStoreErrors(prepareRecording(db)),
    ...withStoreErrors(prepareRecordedSubmissions(db)),
    ...withStoreErrors(prepareSpentContexts(db)),
    ...withStoreErrors(prepareLinks(db)),
    ...withStoreErrors(prepareDeviceReads(db)),
    ...withStoreErrors(prepareDeviceHistory(db)),
    ...withStoreErrors(prepareFleetReads(db)),
    ...withStoreErrors(prepareStatusLists(db)),
    ...withStoreErrors(prepareDeviceChanges(db)),
    ...withStoreErrors(prepareAuditLog(db)),
    ...withStoreErrors(prepareAuditTree(db)),
    ...withStoreErrors(prepareClients(db)),
    ...withStoreErrors(prepareSpentProofs(db)),
    ...withStoreErrors(prepareKeptAnswers(db)),
    ...withStoreErrors(prepareSignIns(db)),
    ...withStoreErrors(preparePersonSessions(db)),
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
    ...withStoreErrors(prepareSealedSecrets(db)),
    ...withStoreErrors(prepareIdleDevices(db)),
    ...withStoreErrors(preparePartitions(db)),
    ...withStoreErrors(prepareQuestions(db)),
    ...withStoreErrors(prepareEvents(db)),
    ...withStoreErrors(prepareStreams(db)),
    ...withStoreErrors(prepareAlarms(db)),
    ...withStoreErrors(prepareDueDeliveries(db)),
    ...withStoreErrors(prepareDeliveryOutcomes(db)),
    ...withStoreErrors(prepareRefusedDeliveries(db)),
    ...withStoreErrors(prepareStreamBacklogs(db)),
    ...withStoreErrors(prepareFleetSummaries(db)),
    ...withStoreErrors(prepareCounts(db)),
    ...withStoreErrors(prepareEntities(db)),
    ...withStoreErrors({
      async ping() {
        await ping.execute()
      },
    }),
    place,
    close,
    forUse: input.forUse ?? (() => store),
    ...(input.keepOpen !== undefined && { keepOpen: input.keepOpen }),
  }
  return store
}
