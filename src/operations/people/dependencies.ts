import type { Log } from '../../base/log.ts'
import type { LogBudget } from '../../base/log-budget.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { ConsoleConfig } from '../../config/console-settings.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'
import type { PublishedKeySets } from '../../keysets/key-sets.ts'
import type { Store } from '../../store/store.ts'
import type { DeviceLimiter } from '../attest/device-limiter.ts'
import type { OpenIssuer } from './issuer.ts'

/** What people are known by, on every runtime. */
export type PeopleDependencies = {
  readonly store: Pick<
    Store,
    | 'beginPersonSession'
    | 'findPersonSession'
    | 'renewPersonRoles'
    | 'endPersonSession'
    | 'endPersonSessions'
    | 'noteRefusedPerson'
    | 'listPersonSessions'
  >
  readonly limits: Pick<ConsoleConfig, 'idleSeconds' | 'sessionSeconds' | 'rolesSeconds'>
  /** The issuer of the organisation; absent where people come by one-time links alone. */
  readonly issuer: ConsoleConfig['issuer']
  readonly openIssuer: OpenIssuer | undefined
  /** Of the issuer. */
  readonly keySets: PublishedKeySets
  /** Whether one-time links count: without an issuer, for a service of this machine alone. */
  readonly mayUseLinks: boolean
  /** Each list: the first seals, all open. */
  readonly keys: {
    readonly session: PurposeKeys
    readonly signIn: PurposeKeys
    readonly link: PurposeKeys
  }
  /** Base URL of the service, without a final slash. */
  readonly publicUrl: string
  /** How many refusals of one person, and of nobody known, the audit takes. */
  readonly refusedPeople: DeviceLimiter
  readonly metrics: Pick<Metrics, 'signIns'>
  readonly log: Log
  readonly logBudget: LogBudget
  readonly clockSkewSeconds: number
  readonly clock: () => Date
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
}

/** Where the issuer sends the browser back to, below our URL. */
export const CALLBACK_PATH = '/console/callback'
/** Where a one-time link leads to. */
export const LINK_PATH = '/console/link'
