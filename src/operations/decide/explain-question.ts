import type { Documents } from '../../access/assess.ts'
import { type Decided, decide } from '../../access/decide.ts'
import { completeRequest, directoryOf, entitiesOf } from '../../access/directory.ts'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { comingIntoForce } from '../../replay/preview/preview.ts'
import type { Store } from '../../store/store.ts'
import type { DeviceFailure } from '../devices/change-standing.ts'
import type { RulesReader } from '../release/rules-in-force.ts'

export type ExplainDependencies = {
  readonly store: Pick<Store, 'trustRecord' | 'directoryEntries'>
  readonly rules: Pick<RulesReader, 'at' | 'recent'>
  readonly clock: () => Date
}

export type HypotheticalQuestion = {
  /** A device on record by its id, the record of one that nobody has to have, or none at all. */
  readonly about: { readonly deviceId: string } | { readonly record: TrustRecord | null }
  readonly request: EvaluationRequest
  /** When it is asked; now unless said. */
  readonly at?: Date | undefined
  /** Documents that are not, or not yet, in force, in the place of those that are. */
  readonly documents?: Partial<Documents>
  /** An Accept-Language value. */
  readonly language?: string | undefined
}

/**
 * Answers a question that nobody asked, as it would be answered: by the documents that are in force
 * for the device, pins and rollouts included, over its record. It is the code of every decision, and
 * nothing is written, counted or tried: a rollout learns nothing from it.
 */
export async function explainQuestion(
  { store, rules, clock }: ExplainDependencies,
  { about, request, at, documents = {}, language }: HypotheticalQuestion,
): Promise<Result<Decided, DeviceFailure>> {
  const found = 'deviceId' in about ? await store.trustRecord(about.deviceId) : undefined
  const record = 'record' in about ? about.record : (found?.record ?? null)
  if (record === null && found !== undefined) return err({ reason: 'device_not_found' })
  const unnamed = record === null ? 'device_not_named' : undefined
  const rulesInForce = found === undefined ? await rules.recent() : await rules.at(found)
  const now = at ?? clock()
  const inForce = rulesInForce.rulesFor(record, now)
  const used = { ...inForce.rules, ...documents }
  // What is other would be in force from this moment on, and its graces begin no earlier.
  const compared = { inForce: inForce.rules, candidate: used, now }
  const reliefs = comingIntoForce(inForce.reliefs, compared)
  const kinds = used.policy.directoryRoots
  const entries = await store.directoryEntries(entitiesOf(request, kinds))
  const completed = completeRequest(request, directoryOf(request, kinds, entries))
  return ok(
    decide({ rules: used, record, unnamed, request: completed, reliefs, now }, { language }),
  )
}
