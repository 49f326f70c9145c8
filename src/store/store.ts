import type { Announcements } from './announcements.ts'
import type { Clients } from './clients.ts'
import type { ControlReads } from './control.ts'
import type { Counts } from './counts.ts'
import type { DeviceChanges } from './device-changes.ts'
import type { DeviceReads } from './device-reads.ts'
import type { Documents } from './documents.ts'
import type { FleetReads } from './fleet-reads.ts'
import type { Holds } from './holds.ts'
import type { IssuerCertificates } from './issuer-certificates.ts'
import type { JobLeases } from './job-leases.ts'
import type { Links } from './links.ts'
import type { Overrides } from './overrides.ts'
import type { Previews } from './previews.ts'
import type { Recording } from './recording.ts'
import type { Retention } from './retention.ts'
import type { Rollouts } from './rollouts.ts'
import type { SecondRequests } from './second-requests.ts'
import type { SpentContexts } from './spent-contexts.ts'
import type { StoredSigningKeys } from './stored-signing-keys.ts'
import type { TrustRecordReads } from './trust-records.ts'
import type { VerifierObservations } from './verifier-observations.ts'

export { type ApiClient, SCOPES, type Scope } from './clients.ts'

/**
 * Everything that outlives a process. Each method is one statement (`control` is several);
 * each that changes something writes its audit row and its event with the change, or nothing. Times are arguments: the store
 * reads no clock.
 *
 * Methods throw `StoreError` when the database refuses or does not answer. What a caller can bring
 * about is an answer, never an error.
 */
export type Store = TrustRecordReads &
  Recording &
  SpentContexts &
  Links &
  DeviceReads &
  FleetReads &
  DeviceChanges &
  Clients &
  Documents &
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
  Retention &
  Counts & {
    readonly place: StorePlace
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
