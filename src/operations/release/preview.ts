import type { Documents } from '../../access/assess.ts'
import type { Reliefs } from '../../access/relief.ts'
import { demandHardware } from '../../appraisal/reference-values.ts'
import { visitInSlices } from '../../base/slices.ts'
import type { Attested } from '../../replay/preview/compare.ts'
import type { BothReliefs } from '../../replay/preview/judge.ts'
import { comingIntoForce, createPreview } from '../../replay/preview/preview.ts'
import { listUnreadClaims } from '../../replay/preview/read-claims.ts'
import type { PreviewSummary } from '../../replay/preview/summary.ts'
import { readFleet } from '../../store/devices/fleet-reads.ts'
import type { Json } from '../../store/json.ts'
import type { Store } from '../../store/store.ts'
import type { CheckedDocument } from './check-document.ts'
import { replayQuestions } from './preview-questions.ts'
import type { RulesInForce, RulesReader } from './rules-in-force.ts'

/**
 * Devices that are replayed within a request that somebody waits for. Measured, a replay takes 15,000
 * to 35,000 devices a second; so many take a third of a second where it is slow, and well under one
 * on a machine that is busy. It is a number of devices and no time, so that the same fleet always
 * gets the same answer.
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
    | 'trustRecords'
  >
  /** Compiles what is in force, or has it at hand. */
  readonly rules: Pick<RulesReader, 'at'>
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
 * If another document comes into force meanwhile, the summary says what it was compared with.
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
  const { active: inForce } = rulesInForce
  const candidate = withCandidate(inForce, document, requiresHardware)

  const now = clock()
  const reliefsOf = reliefsUnder(rulesInForce, { inForce, candidate, now })
  const { devices: byVerdict } = await store.counts(now)
  const total = Object.values(byVerdict).reduce((sum, devices) => sum + devices, 0)
  const preview = createPreview({ inForce, candidate, now, reliefsOf })
  const leaveOut = listUnreadClaims([inForce, candidate])
  let devices = 0
  for await (const batch of readFleet(store, { leaveOut, signal })) {
    await visitInSlices(batch, preview.add)
    devices += batch.length
    onProgress?.({ devices, total: Math.max(total, devices) })
  }
  const questions = await replayQuestions(store, { inForce, candidate, reliefsOf, now, signal })
  const summary = { ...preview.summary(), questions }
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

type Compared = { readonly inForce: Documents; readonly candidate: Documents; readonly now: Date }

/** What relieves a device now, and what would if the candidate came into force for it. */
function reliefsUnder({ rulesFor }: RulesInForce, compared: Compared) {
  const made = new WeakMap<Reliefs, BothReliefs>()
  return (record: Attested): BothReliefs => {
    const before = rulesFor(record, compared.now).reliefs
    const both = made.get(before) ?? { before, after: comingIntoForce(before, compared) }
    made.set(before, both)
    return both
  }
}

function withCandidate(
  inForce: Documents,
  document: CheckedDocument,
  requiresHardware: boolean,
): Documents {
  if (document.kind === 'policy') return { ...inForce, policy: document.compiled }
  return { ...inForce, referenceValues: demandHardware(document.compiled, requiresHardware) }
}

/** At most one replay at a time, as each takes much of a processor. `undefined`: it is not this one. */
export function onePreviewAtATime<T>(
  preview: (input: T) => Promise<PreviewSummary>,
): (input: T) => Promise<PreviewSummary | undefined> {
  let isBusy = false
  return async (input) => {
    if (isBusy) return undefined
    isBusy = true
    try {
      return await preview(input)
    } finally {
      isBusy = false
    }
  }
}
