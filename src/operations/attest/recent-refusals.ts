import type { DeviceId } from '../../access/device-id.ts'
import { placeOf } from '../../base/located.ts'
import type { ToldPlace } from '../../base/place.ts'
import type { Failure } from '../../base/result.ts'
import type { VerifierTrace } from '../../verifier/steps/trace.ts'

/** A refused attempt as it is remembered: no evidence. */
export type RecentRefusal = {
  readonly at: string
  /** Where it ended: `evidence`, `submission` or `enrolment`. */
  readonly stage: string
  readonly reason: string
  /** Member, offset, event or PCRs of what is wrong, where the refusal names them. */
  readonly where: ToldPlace
  /** What the refusal says besides, such as the attribute that a key lacks. */
  readonly detail?: string
  /** What would have been right, as the agent was told. */
  readonly expected?: string
  /** The device whose key was proven before the refusal. */
  readonly device_id: string | null
  readonly trace: VerifierTrace
}

/**
 * The refusals that this process met last, for whoever asks about one by the id of its request. They
 * are in its memory alone, because anybody can bring about as many as he likes: so many of them and so
 * many bytes, the newest winning.
 */
export type RecentRefusals = {
  readonly note: (refusal: {
    readonly requestId: string
    readonly now: Date
    readonly stage: string
    readonly failure: Failure
    readonly deviceId: DeviceId | undefined
    readonly trace?: VerifierTrace | undefined
  }) => void
  /** Those of devices whose keys were proven first, then the others; of each the newest first. */
  readonly find: (requestId: string) => FoundRefusals
  /** When the oldest was noted that is still there; `null` where there is none. */
  readonly since: () => string | null
}

/** What is remembered of one id, which callers may give many requests: then it is not all told. */
export type FoundRefusals = {
  readonly refusals: readonly RecentRefusal[]
  /** How many more are remembered of this id: those neither among the oldest nor among the newest. */
  readonly leftOut: number
}

const MOST = 2_000
const MOST_BYTES = 2 * 1024 * 1024
/** Past this a refusal is remembered without its place and its trace. */
const MOST_BYTES_OF_ONE = 4_096
/** So many of one id are told of either sort, half of them the oldest and half the newest. */
const FOUND_MOST = 50

type Kept = {
  readonly requestId: string
  readonly at: string
  readonly isAttributed: boolean
  readonly text: string
}

/** Each is kept as a text of its own: a name that was cut out of a message would hold all of it. */
export function createRecentRefusals({ most = MOST, mostBytes = MOST_BYTES } = {}): RecentRefusals {
  const kept = new Set<Kept>()
  let bytes = 0
  return {
    note({ requestId, now, stage, failure, deviceId, trace = [] }) {
      const at = now.toISOString()
      const refusal = { at, stage, reason: failure.reason, device_id: deviceId ?? null }
      const said = { detail: detailOf(failure), expected: failure.expected }
      const steps = trace.map(({ step, outcome, detail }) => ({ step, outcome, detail }))
      const whole = JSON.stringify({
        ...refusal,
        ...said,
        where: placeOf(failure) ?? {},
        trace: steps,
      })
      const isShort = Buffer.byteLength(whole) <= MOST_BYTES_OF_ONE
      const text = isShort ? whole : JSON.stringify({ ...refusal, where: {}, trace: [] })
      const one = { requestId, at, isAttributed: deviceId !== undefined, text }
      kept.add(one)
      bytes += sizeOf(one)
      for (const oldest of kept) {
        if (kept.size <= most && bytes <= mostBytes) break
        kept.delete(oldest)
        bytes -= sizeOf(oldest)
      }
    },
    find(requestId) {
      const all = [...kept].filter((one) => one.requestId === requestId).reverse()
      const told = [true, false].flatMap((isAttributed) =>
        bothEnds(all.filter((one) => one.isAttributed === isAttributed)),
      )
      const refusals = told.map(({ text }): RecentRefusal => JSON.parse(text))
      return { refusals, leftOut: all.length - told.length }
    },
    since: () => kept.values().next().value?.at ?? null,
  }
}

function detailOf(failure: Failure): string | undefined {
  return 'detail' in failure && typeof failure.detail === 'string' ? failure.detail : undefined
}

/** Nobody who sends more of his own, before or after, hides what an honest agent sent under the same id. */
function bothEnds(newestFirst: readonly Kept[]): readonly Kept[] {
  if (newestFirst.length <= FOUND_MOST) return newestFirst
  return [...newestFirst.slice(0, FOUND_MOST / 2), ...newestFirst.slice(-FOUND_MOST / 2)]
}

/** As the process holds it: texts of one or of two bytes a character, which is not told apart here. */
function sizeOf({ requestId, text }: Kept): number {
  return 2 * (requestId.length + text.length)
}
