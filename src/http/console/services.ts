import type { Hono } from 'hono'
import type { Metrics } from '../../base/metrics.ts'
import type { KeyMaking } from '../../operations/keys/rotate-key.ts'
import type { OverviewDependencies } from '../../operations/overview/read-overview.ts'
import type { PeopleDependencies } from '../../operations/people/dependencies.ts'
import type { Store } from '../../store/store.ts'
import type { AdminServices } from '../admin/services.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import type { KnownOrigins } from '../middleware/request-url.ts'
import type { Page, Section, Viewer } from './layout.ts'

/** What signing in, and knowing who is signed in, works with. */
export type PeopleServices = PeopleDependencies &
  KnownOrigins & {
    readonly metrics: Pick<Metrics, 'clientRefusals'>
  }

/** What stands on pages about the service itself. */
/** What stands on pages about documents, and what is written there. */
type DocumentUses = 'listDocuments' | 'preview' | 'proposeDocument'

type OwnerReads = 'listClients' | 'listSigningKeys' | 'deliveriesOf' | 'refusedDeliveries'

/** What its owner changes there. */
type OwnerChanges =
  | 'createClient'
  | 'findClient'
  | 'rotateClientSecret'
  | 'disableClient'
  | 'publishSigningKey'
  | 'setStreamStatus'
  | 'announceToStream'
  | 'replayRefused'

/** A setting as it stands; a secret has no value here. */
export type ShownSetting = {
  readonly name: string
  readonly isGiven: boolean
  readonly value: string | undefined
  readonly isSecret: boolean
}

/** What the pages of the console work with: what administrators' routes do, and what only pages show. */
export type ConsolePageServices = AdminServices & {
  readonly store: AdminServices['store'] &
    OverviewDependencies['store'] &
    Pick<Store, 'keepOpen' | OwnerReads | OwnerChanges | DocumentUses>
  readonly keyMaking: KeyMaking
  readonly settings: readonly ShownSetting[]
  readonly verifierStates: OverviewDependencies['verifierStates']
  /** Base URL of the service, without a final slash. */
  readonly publicUrl: string
}

/** What the routes of the console work with. */
export type ConsoleServices = PeopleServices & ConsolePageServices

/** The same for a page, and how it is shown: in the frame that all of them have. */
export type PageServices = ConsolePageServices & {
  readonly show: (c: HttpContext, page: Page) => Response
  /** Leads a browser to another page of the console, by its path, once a form has done its work. */
  readonly lead: (c: HttpContext, path: string) => Response
  readonly viewerOf: (c: HttpContext) => Viewer
}

/**
 * A part of the console: a folder beside this file, and a line in `sections.ts`. Its routes have whole paths, which
 * begin with `/console/` and its name, and each a line in `ROUTE_ACCESS`.
 */
export type ConsoleSection = Section & {
  readonly routes: (services: PageServices) => Hono<HttpEnv>
}

/** The path of a page as browsers ask for it: our URL may have a path of its own, which a proxy takes away. */
export function placeOf({ publicUrl }: Pick<PeopleServices, 'publicUrl'>, path: string): string {
  return new URL(publicUrl).pathname.replace(/\/$/, '') + path
}
