import type { VerifierSign } from '../../store/schema/steering-schema.ts'
import type { VerifierObservation } from '../../store/system/verifier-observations.ts'

/**
 * What all processes together know of a verifier. `suspected` is one of the two signs of an outage;
 * the other one, that none of its tokens is accepted anywhere, is for whoever asks the store.
 */
export type VerifierHealth =
  | { readonly state: 'suspected'; readonly suspicion: Suspicion }
  /** Some process finds it well, and nothing that no process contradicts speaks against it. */
  | { readonly state: 'well' }
  /** Too little was seen to say either. */
  | { readonly state: 'unclear' }

export type Suspicion = {
  readonly sign: VerifierSign
  /** Of the first failure that no success followed. */
  readonly since: Date
  /** How often it was found, by all processes. */
  readonly rounds: number
  readonly processes: number
  readonly failures: readonly string[]
}

/** A single failure is none: so often, and for so long, by all processes that look. */
export const MIN_ROUNDS = 2
export const MIN_LASTING_MS = 60_000

/**
 * Judges the observations of one verifier that have not expired. One process that finds a sign well
 * outweighs all that do not: these have a fault of their own, and their agents have another process.
 */
export function judgeVerifier(
  observations: readonly VerifierObservation[],
  now: Date,
): VerifierHealth {
  const signs = Map.groupBy(observations, ({ sign }) => sign)
  const failing = [...signs].filter(([, rows]) => rows.every(({ failure }) => failure !== null))
  const suspicions = failing.map(([sign, rows]) => suspect(sign, rows))
  const suspicion = suspicions.find(({ rounds, since }) => {
    return rounds >= MIN_ROUNDS && now.getTime() - since.getTime() >= MIN_LASTING_MS
  })
  if (suspicion !== undefined) return { state: 'suspected', suspicion }
  return { state: failing.length === 0 && signs.size > 0 ? 'well' : 'unclear' }
}

function suspect(sign: VerifierSign, rows: readonly VerifierObservation[]): Suspicion {
  return {
    sign,
    since: new Date(Math.min(...rows.map(({ since }) => since.getTime()))),
    rounds: rows.reduce((sum, { rounds }) => sum + rounds, 0),
    processes: rows.length,
    failures: [...new Set(rows.flatMap(({ failure }) => failure ?? []))],
  }
}
