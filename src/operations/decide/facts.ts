import {
  type Directory,
  type DirectoryEntries,
  directoryOf,
  type EntityKind,
  type EntityName,
  entitiesOf,
  entityKey,
} from '../../access/directory.ts'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import type { FoundRecord, RecordQuery } from '../../store/devices/found-records.ts'
import type { InForceRevision } from '../../store/devices/trust-records.ts'
import type { Store } from '../../store/store.ts'
import type { RulesInForce, RulesReader } from '../release/rules-in-force.ts'
import type { Question } from './question.ts'

export type FactsDependencies = {
  readonly store: Pick<Store, 'trustRecord' | 'trustRecords' | 'directoryEntries'>
  readonly rules: Pick<RulesReader, 'at' | 'directoryKinds'>
}

/** What questions are answered from, all of one moment but for what steers, which has its revision. */
export type Facts = {
  readonly rulesInForce: RulesInForce
  readonly recordOf: (question: Question) => TrustRecord | null
  /** `undefined` where no policy in force reads the directory, so that it was not asked. */
  readonly directoryOf: (question: Question) => Directory | undefined
}

/**
 * Reads what these questions need: the devices, the entities that they leave to the directory, and the
 * revision of what is in force, in one statement. Entities are among it only if the policies that are
 * known here read any, so that a fleet without a directory pays nothing for it. A statement and no cache:
 * entities change one by one all day, and a cache that each change empties would be no faster, while one
 * that does not would grant what was taken away. The first question after a policy that reads more than
 * those before it came into force costs a second statement.
 */
export async function findFacts(
  { store, rules }: FactsDependencies,
  questions: readonly Question[],
): Promise<Facts> {
  const expected = rules.directoryKinds()
  const { revision, recordOf, entries } = await findRecords(store, questions, expected)
  const rulesInForce = await rules.at(revision)
  const { directoryKinds: kinds } = rulesInForce
  if (kinds.size === 0) return { rulesInForce, recordOf, directoryOf: () => undefined }
  const isRead = [...kinds].every((kind) => expected.has(kind))
  const names = isRead ? [] : entitiesOfAll(questions, kinds)
  const known = isRead ? entries : await store.directoryEntries(names)
  return {
    ...{ rulesInForce, recordOf },
    directoryOf: ({ request }) => directoryOf(request, kinds, known),
  }
}

/** What questions are answered from whose devices are found by something else than their ids. */
export type FoundFacts = {
  readonly rulesInForce: RulesInForce
  readonly found: readonly FoundRecord[]
  /** Of one of the requests. `undefined` as in `Facts`. */
  readonly directoryOf: (request: EvaluationRequest) => Directory | undefined
}

/**
 * The same for requests that name no device by its id: the devices that `query` finds, with the entities of
 * all these requests, in one statement.
 */
export async function findFactsBy(
  {
    store,
    rules,
  }: Pick<FactsDependencies, 'rules'> & {
    readonly store: Pick<Store, 'findTrustRecords' | 'directoryEntries'>
  },
  query: Omit<RecordQuery, 'entities'>,
  requests: readonly EvaluationRequest[],
): Promise<FoundFacts> {
  const expected = rules.directoryKinds()
  const asked = requests.map((request) => ({ request }))
  const entities = expected.size === 0 ? [] : entitiesOfAll(asked, expected)
  const {
    found,
    entries = NOTHING,
    ...revision
  } = await store.findTrustRecords({
    ...query,
    entities,
  })
  const rulesInForce = await rules.at(revision)
  const { directoryKinds: kinds } = rulesInForce
  if (kinds.size === 0) return { rulesInForce, found, directoryOf: () => undefined }
  const isRead = [...kinds].every((kind) => expected.has(kind))
  const known = isRead ? entries : await store.directoryEntries(entitiesOfAll(asked, kinds))
  return { rulesInForce, found, directoryOf: (request) => directoryOf(request, kinds, known) }
}

type Found = Pick<Facts, 'recordOf'> & {
  readonly revision: InForceRevision
  readonly entries: DirectoryEntries
}

async function findRecords(
  store: FactsDependencies['store'],
  questions: readonly Question[],
  kinds: ReadonlySet<EntityKind>,
): Promise<Found> {
  const ids = questions.flatMap(({ device }) => (device.ok ? [device.value] : []))
  const names = kinds.size === 0 ? undefined : entitiesOfAll(questions, kinds)
  if (questions.length === 1) {
    // Without a device the revision alone is read: what is in force names the answer all the same.
    const found = await store.trustRecord(ids[0] ?? '', names)
    const record = ids.length === 0 ? null : found.record
    return { revision: found, recordOf: () => record, entries: found.entries ?? NOTHING }
  }
  const found = await store.trustRecords([...new Set(ids)], names)
  return {
    revision: found,
    recordOf: ({ device }) => (device.ok ? (found.records.get(device.value) ?? null) : null),
    entries: found.entries ?? NOTHING,
  }
}

const NOTHING: DirectoryEntries = new Map()

/** Each entity once. */
function entitiesOfAll(
  questions: readonly Pick<Question, 'request'>[],
  kinds: ReadonlySet<EntityKind>,
): readonly EntityName[] {
  const names = new Map<string, EntityName>()
  for (const { request } of questions) {
    for (const name of entitiesOf(request, kinds)) names.set(entityKey(name), name)
  }
  return [...names.values()]
}
