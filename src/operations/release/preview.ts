import { visitInSlices } from '../../base/slices.ts'
import { isAttested } from '../../replay/preview/compare.ts'
import { planMoments } from '../../replay/preview/moments.ts'
import { createPreview } from '../../replay/preview/preview.ts'
import { listUnreadClaims } from '../../replay/preview/read-claims.ts'
import type { PreviewSummary } from '../../replay/preview/summary.ts'
import { wholeStage } from '../../rollout/rollout.ts'
import { readFleet } from '../../store/devices/fleet-reads.ts'
import type { Json } from '../../store/json.ts'
import type { Store } from '../../store/store.ts'
import type { CheckedDocument } from './check-document.ts'
import { findCompared, findEnding } from './compared-rules.ts'
import { replayQuestions } from './preview-questions.ts'
import type { RulesReader } from './rules-in-force.ts'

/**
 * Devices that are replayed within a request that somebody waits for, where the documents change little with
 * time: measured, 15,000 to 35,000 of them a second. At each further moment each clause that reads the clock is
 * evaluated again for each device, so that fewer are replayed where there are many (`EVALUATIONS_IN_REQUEST`). Both are
 * numbers and no times, so that the same fleet always gets the same answer.
 */
export const REPLAYED_IN_REQUEST = 5000

export type PreviewDependencies = {
  readonly store: Pick<
    Store,
    | 'inForce'
    | 'counts'
    | 'fleetPage'
    | 'recordPreview'
    | 'questionTopics'
    | 'keptQuestions'
    | 'trustRecord'
    | 'trustRecords'
  >
  /** Compiles what is in force, or has it at hand. */
  readonly rules: Pick<RulesReader, 'at' | 'supposing'>
  /** Whether the configuration says that hardware has to be proven. */
  readonly requiresHardware: boolean
  readonly clock: () => Date
}

export type PreviewProgress = {
  readonly devices: number
  /** Devices on record, counted at most half a minute before the beginning. */
  readonly total: number
}

/**
 * Replays a document over the recorded claims of the whole fleet, and over the questions that were kept,
 * against both documents in force, and records what it found under the hash of the document; the document
 * itself need not be stored.
 * Rejects with the reason of `signal`, and then, as after any fault, nothing is recorded.
 *
 * Where a rollout decides for some devices, the document that they would go back to is compared with that of the rollout,
 * for these alone. If another document comes into force meanwhile, the summary says what it was compared with.
 */
export async function previewDocument(
  { store, rules, requiresHardware, clock }: PreviewDependencies,
  input: {
    readonly document: CheckedDocument
    readonly by: string
    /** Called after each batch. */
    readonly onProgress?: ((progress: PreviewProgress) => void) | undefined
    readonly signal?: AbortSignal | undefined
  },
): Promise<PreviewSummary> {
  const { document, by, onProgress, signal } = input
  signal?.throwIfAborted()
  const rulesInForce = await rules.at(await store.inForce())
  const now = clock()
  const compared = findCompared(rulesInForce, document, { requiresHardware, now })
  const { inForce, ending, concerns } = compared
  const stage = ending && wholeStage(ending)
  const { devices: byVerdict } = await store.counts(now)
  const all = Object.values(byVerdict).reduce((sum, devices) => sum + devices, 0)
  const total = Math.ceil((all * (stage?.percent ?? 100)) / 100)
  const preview = createPreview({ ...compared, now })
  const leaveOut = listUnreadClaims([inForce, compared.candidate])
  let devices = 0
  for await (const batch of readFleet(store, { leaveOut, stage, signal })) {
    await visitInSlices(batch, (record) => {
      if (!isAttested(record) || concerns(record)) preview.add(record)
    })
    devices += batch.length
    onProgress?.({ devices, total: Math.max(total, devices) })
  }
  const questions = await replayQuestions(store, { ...compared, now, signal })
  const summary: PreviewSummary = {
    ...preview.summary(),
    questions,
    ...(ending && { ends_rollout: { rollout_id: ending.rolloutId, stage: ending.stage } }),
  }
  signal?.throwIfAborted()
  await store.recordPreview({
    kind: document.kind,
    hash: document.compiled.hash,
    policyHash: inForce.policy.hash,
    referenceValuesHash: inForce.referenceValues.hash,
    at: now,
    by,
    summary: summary as Json,
  })
  return summary
}

/**
 * How often a preview of a document, against what is in force now, would evaluate a clause for one device: at each
 * moment those that read the clock, each of them once where it stands in both.
 */
export async function countEvaluations(
  { store, rules, requiresHardware, clock }: PreviewDependencies,
  document: CheckedDocument,
): Promise<number> {
  const now = clock()
  const rulesInForce = await rules.at(await store.inForce())
  const compared = findCompared(rulesInForce, document, { requiresHardware, now })
  const { inForce, candidate } = compared
  const clauses = [inForce, candidate].flatMap(({ policy }) => policy.deviceClauses)
  const timed = new Set(clauses.filter(({ clock }) => clock !== 'none').map(({ logic }) => logic))
  return planMoments({ ...compared, now }).times.length * Math.max(1, timed.size)
}

type PreviewInput = Parameters<typeof previewDocument>[1]

/**
 * At most one replay at a time, as each takes much of a processor. `undefined`: it is not this one. What the
 * way back leads to waits for nobody else's: each administrator may have one of these under way besides.
 */
export function onePreviewAtATime(
  store: Pick<Store, 'activeDocument' | 'control'>,
  preview: (input: PreviewInput) => Promise<PreviewSummary>,
): (input: PreviewInput) => Promise<PreviewSummary | undefined> {
  const busy = new Set<string>()
  return async (input) => {
    const turn = (await leadsBack(store, input.document)) ? `way back of ${input.by}` : ''
    if (busy.has(turn)) return undefined
    busy.add(turn)
    try {
      return await preview(input)
    } finally {
      busy.delete(turn)
    }
  }
}

/** Whether it is the version before, or what devices go back to when the rollout that decides for them ends. */
async function leadsBack(
  store: Pick<Store, 'activeDocument' | 'control'>,
  document: CheckedDocument,
): Promise<boolean> {
  const active = await store.activeDocument(document.kind)
  if (active?.previous === document.compiled.hash) return true
  return findEnding(await store.control(), document) !== undefined
}
