import type { DeviceKeyKind } from '../../access/trust-record.ts'
import type { WebhookDependencies } from '../../operations/alerts/manage-webhooks.ts'
import type { RecentRefusals } from '../../operations/attest/recent-refusals.ts'
import type { ExplainDependencies } from '../../operations/decide/explain-question.ts'
import type { ListExpiriesDependencies } from '../../operations/expiry/list-expiries.ts'
import type { PreviewDependencies } from '../../operations/release/preview.ts'
import type { SecondDependencies } from '../../operations/release/second-administrator.ts'
import type { SteerDependencies } from '../../operations/release/steer.ts'
import type { Store } from '../../store/store.ts'
import type { ClientServices } from '../middleware/api-client.ts'

/** What is told of before it is too late, and whom. */
export type AlarmServices = {
  readonly expiry: ListExpiriesDependencies
  readonly webhooks: WebhookDependencies
}

/** What the routes of administrators work with. */
export type AdminServices = ClientServices &
  AlarmServices & {
    readonly store: Pick<
      Store,
      | 'activeDocument'
      | 'document'
      | 'control'
      | 'rollout'
      | 'listRollouts'
      | 'rolloutObservations'
      | 'haltedRollouts'
      | 'listOverrides'
      | 'createOverride'
      | 'endOverride'
      | 'listHolds'
      | 'endHold'
      | 'listSecondRequests'
      | 'findSecondRequest'
      | 'listPersonSessions'
      | 'endPersonSessions'
      | 'listDevices'
      | 'groupDevices'
      | 'listRefusals'
      | 'auditEntries'
      | 'auditLog'
      | 'auditTiles'
      | 'mayChangeAudit'
      | 'listSigningKeys'
      | 'deviceDetail'
      | 'trustRecord'
      | 'deviceHistory'
      | 'enrolDevice'
      | 'setDeviceAttributes'
      | 'quarantineDevice'
      | 'releaseDevice'
      | 'admitDevice'
      | 'signOutDevice'
      | 'entityPage'
      | 'changeEntities'
      | 'directoryEntries'
      | 'beginChange'
      | 'keepAnswer'
      | 'freeKey'
      | 'fleetForecast'
      | 'standingAlarms'
      | 'listStreams'
      | 'countDeliveries'
      | 'announceToStream'
      | 'removeStream'
    >
    readonly rules: ExplainDependencies['rules']
    /** What this process refused last. */
    readonly recentRefusals: Pick<RecentRefusals, 'find' | 'since'>
    /** Tells processes apart that work on one database. */
    readonly processId: string
    readonly releases: SteerDependencies
    readonly previews: PreviewDependencies
    readonly second: SecondDependencies
    /** How old a preview may be that a release relies on. */
    readonly previewMaxAgeMs: number
    /** What a device is known by where its kind of key is not said. */
    readonly deviceKey: DeviceKeyKind
    readonly ringOf: (identity: Uint8Array) => number
    readonly random: (length: number) => Uint8Array
  }
