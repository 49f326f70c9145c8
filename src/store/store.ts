import type { PoolState } from '../base/metrics.ts'
import type { Announcements } from './devices/announcements.ts'
import type { Counts } from './devices/counts.ts'
import type { DeviceChanges } from './devices/device-changes.ts'
import type { DeviceHistory } from './devices/device-history.ts'
import type { DeviceReads } from './devices/device-reads.ts'
import type { FleetReads } from './devices/fleet-reads.ts'
import type { FoundRecordReads } from './devices/found-records.ts'
import type { IdleDevices } from './devices/idle-devices.ts'
import type { Links } from './devices/links.ts'
import type { RecordedSubmissions } from './devices/recorded-submissions.ts'
import type { Recording } from './devices/recording.ts'
import type { SpentContexts } from './devices/spent-contexts.ts'
import type { StatusLists } from './devices/status-list.ts'
import type { TrustRecordReads } from './devices/trust-records.ts'
import type { Entities } from './directory/entities.ts'
import type { StoreUse } from './drivers/statement-limits.ts'
import type { ControlReads } from './rules/control.ts'
import type { StoredDocuments } from './rules/documents.ts'
import type { Holds } from './rules/holds.ts'
import type { Overrides } from './rules/overrides.ts'
import type { Previews } from './rules/previews.ts'
import type { Rollouts } from './rules/rollouts.ts'
import type { SecondRequests } from './rules/second-requests.ts'
import type { Alarms } from './signals/alarms.ts'
import type { DeliveryOutcomes } from './signals/delivery-outcomes.ts'
import type { DueDeliveries } from './signals/due-deliveries.ts'
import type { RefusedDeliveries } from './signals/refused-deliveries.ts'
import type { StreamBacklogs } from './signals/stream-backlogs.ts'
import type { Streams } from './signals/streams.ts'
import type { AuditLog } from './system/audit-log.ts'
import type { AuditTree } from './system/audit-tree.ts'
import type { Clients } from './system/clients.ts'
import type { Events } from './system/events.ts'
import type { FleetSummaries } from './system/fleet-summary.ts'
import type { IssuerCertificates } from './system/issuer-certificates.ts'
import type { JobLeases } from './system/job-leases.ts'
import type { KeptAnswers } from './system/kept-answers.ts'
import type { Partitions } from './system/partitions.ts'
import type { PersonSessions } from './system/person-sessions.ts'
import type { Questions } from './system/questions.ts'
import type { SealedSecrets } from './system/sealed-secrets.ts'
import type { SignIns } from './system/sign-ins.ts'
import type { SpentProofs } from './system/spent-proofs.ts'
import type { StoredSigningKeys } from './system/stored-signing-keys.ts'
import type { VerifierObservations } from './system/verifier-observations.ts'

export { SCOPES, type Scope } from '../oauth/scopes.ts'
export type { StoreUse } from './drivers/statement-limits.ts'
export type { ApiClient } from './system/clients.ts'

/**
 * Everything that outlives a process. Each method is one statement (`control` is several);
 * each that changes something writes its audit row and its event with the change, or nothing. Times are arguments: the store
 * reads no clock.
 *
 * Methods throw `StoreError` when the database refuses or does not answer. What a caller can bring
 * about is an answer, never an error.
 */
export type Store = TrustRecordReads &
  FoundRecordReads &
  Recording &
  RecordedSubmissions &
  SpentContexts &
  Links &
  DeviceReads &
  DeviceHistory &
  FleetReads &
  StatusLists &
  DeviceChanges &
  AuditTree &
  Clients &
  SpentProofs &
  KeptAnswers &
  SignIns &
  PersonSessions &
  StoredDocuments &
  Previews &
  ControlReads &
  Rollouts &
  Overrides &
  Holds &
  IssuerCertificates &
  JobLeases &
  SecondRequests &
  VerifierObservations &
  Announcements &
  StoredSigningKeys &
  SealedSecrets &
  AuditLog &
  IdleDevices &
  Partitions &
  Questions &
  Events &
  Streams &
  Alarms &
  DueDeliveries &
  DeliveryOutcomes &
  RefusedDeliveries &
  StreamBacklogs &
  FleetSummaries &
  Counts &
  Entities & {
    readonly place: StorePlace
    /**
     * The same store over the connections, and within the time limits, of one use. Where there is one
     * connection, or one for each request, it is this store itself.
     */
    readonly forUse: (use: StoreUse) => Store
    /** The connections that it has now, by pool; absent where it has no pool. */
    readonly pools?: () => Readonly<Record<string, PoolState>>
    /**
     * Calls the listener after commits that leave something to deliver, until the answer of this is called.
     * Best effort; absent where the database tells nobody of commits.
     */
    readonly listen?: (onSignal: () => void) => Promise<() => Promise<void>>
    /**
     * Where each request has a connection of its own: keeps that of this one until then, for what is read while
     * its answer is sent.
     */
    readonly keepOpen?: (until: Promise<unknown>) => void
    /** Resolves if the database answers. */
    readonly ping: () => Promise<void>
    /** Ends all connections; the owner of a data directory gives it up. */
    readonly close: () => Promise<void>
  }

/** Where the rows are. A `guest` reaches a data directory through the process that owns it. */
export type StorePlace =
  | { readonly kind: 'postgres' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'directory'; readonly path: string; readonly role: 'owner' | 'guest' }
