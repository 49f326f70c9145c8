import type { Metrics } from '../../base/metrics.ts'
import type { PeopleDependencies } from '../../operations/people/dependencies.ts'
import type { KnownOrigins } from '../middleware/request-url.ts'

/** What signing in, and knowing who is signed in, works with. */
export type PeopleServices = PeopleDependencies &
  KnownOrigins & {
    readonly metrics: Pick<Metrics, 'clientRefusals'>
  }

/** What the routes of the console work with. */
export type ConsoleServices = PeopleServices

/** The path of a page as browsers ask for it: our URL may have a path of its own, which a proxy takes away. */
export function placeOf({ publicUrl }: Pick<PeopleServices, 'publicUrl'>, path: string): string {
  return new URL(publicUrl).pathname.replace(/\/$/, '') + path
}
