import { nameDocument } from '../../base/document-hash.ts'
import type { Store } from '../../store/store.ts'
import type { WayBack } from './gates.ts'

/**
 * What takes two administrators where the configuration asks for two: whatever can give access to
 * somebody who had none, or take it from many. What only brings back the state from before, or stops
 * something, takes one, because it has to be quick.
 */
export type SecondAdministrator = {
  readonly isDemanded: boolean
  /**
   * Asks for a second administrator for this request, and says how long it waits for one; `undefined`
   * where nothing is to be waited for. `seen` is what the request is about as it stands now: a request
   * for what has changed since is another request.
   */
  readonly ask: (seen?: unknown) => Promise<SecondAwaited | undefined>
}

export const SECOND_REASONS = ['second_awaited'] as const

/** Why a second administrator carries nothing out. */
export const SECONDING_REASONS = [
  /** Nobody else asks for this, as things stand now: what it is about has changed since, or it was carried out. */
  'second_not_awaited',
] as const

/**
 * Another administrator has to ask for the same in time. Nothing has happened yet, but that a rollout which
 * is to end was paused. Of a request that was to be the second one: there is no first one.
 */
export type SecondAwaited = (
  | { readonly reason: (typeof SECOND_REASONS)[number]; readonly expiresAt: Date }
  | { readonly reason: (typeof SECONDING_REASONS)[number] }
) & {
  /** Of what goes back: what it leads to, and the rollout that is paused for it. */
  readonly back?: WayBack | undefined
}

/** Whoever has the database of the service at hand needs nobody's consent. */
export const NO_SECOND: SecondAdministrator = {
  isDemanded: false,
  ask: () => Promise.resolve(undefined),
}

/** How long the second one has. */
const WAITS_MS = 3_600_000

export type SecondDependencies = {
  readonly store: Pick<Store, 'askSecondAdministrator'>
  readonly isDemanded: boolean
  readonly clock: () => Date
}

/**
 * The second administrator for one request, which is carried out when two have sent the same one,
 * whatever reasons they give.
 */
export function secondFor(
  { store, isDemanded, clock }: SecondDependencies,
  asked: {
    /** What people see of it while it waits: method and path. */
    readonly request: string
    readonly body: object
    /** The body as it was sent, for whoever approves of it to have it carried out as it stands. */
    readonly text?: string | undefined
    readonly by: string
    /** Whether it may be the first one; else it does something only where somebody asked for the same before. */
    readonly mayAsk?: boolean
    /** Whether it may be the second one: for whoever may approve of what others ask for. */
    readonly maySecond: boolean
  },
): SecondAdministrator {
  if (!isDemanded) return NO_SECOND
  return {
    isDemanded,
    async ask(seen = null) {
      const { request, by, text, mayAsk = true, maySecond } = asked
      const { reason: _, ...body } = { reason: '', ...asked.body }
      const named = nameDocument({ request, asked: body, seen })
      if (named === undefined) throw new TypeError('a checked body has a canonical form')
      const now = clock()
      const expiresAt = new Date(now.getTime() + WAITS_MS)
      const digest = named.hash
      const answer = await store.askSecondAdministrator({
        ...{ digest, request, body: text, by, mayAsk, maySecond, expiresAt, now },
      })
      if (answer === 'seconded') return undefined
      if (answer === 'nothing_waits') return { reason: 'second_not_awaited' }
      return { reason: 'second_awaited', expiresAt }
    },
  }
}

/**
 * Whether `hash` may come into force only if two ask for it: every policy and all reference values,
 * trust anchors and settings of holds among them, except the one that is in force and the one from
 * before, to which one administrator may return, once.
 */
export function documentNeedsSecond(
  active: { readonly hash: string; readonly previous: string | null } | null,
  hash: string,
): boolean {
  return hash !== active?.hash && hash !== active?.previous
}
