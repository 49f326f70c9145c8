import { formatCheckpoint, parseCheckpoint } from '../../audit/checkpoint.ts'
import { hashEntry } from '../../audit/entry.ts'
import { formatNote, keyIdOf, parseNote } from '../../audit/note.ts'
import { growTiles, type Tails, tailPlaces } from '../../audit/tiles.ts'
import { equalBytes } from '../../base/digest.ts'
import { toUtf8 } from '../../base/encoding.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Config } from '../../config/config.ts'
import type { SigningKey } from '../../keys/signing-keys.ts'
import type { Store } from '../../store/store.ts'
import type { AuditLogState } from '../../store/system/audit-tree.ts'
import { auditOrigin, noteKeyOf } from './audit-keys.ts'
import { logEntryOf } from './log-entry.ts'

export type GrowDependencies = {
  readonly store: Pick<
    Store,
    | 'auditLog'
    | 'auditTiles'
    | 'waitingAuditEntries'
    | 'adoptAuditEntries'
    | 'appendAuditLog'
    | 'lostAuditEntries'
  >
  readonly config: Pick<Config, 'publicUrl'>
  /** The key that signs checkpoints now, made if there is none. */
  readonly auditKey: () => Promise<SigningKey>
  readonly metrics: Pick<Metrics, 'auditLeaves'>
  readonly log: Log
  readonly clock: () => Date
}

const BATCH_ROWS = 1000
/** So that one run ends: what is left waits for the next one. */
const BATCHES_A_RUN = 20

/**
 * Gives entries of the audit log that are committed their places in its Merkle tree, oldest first as far as
 * they are there, and signs a checkpoint over each batch. An entry that is committed later gets a later place,
 * whatever time it says.
 *
 * Any number of processes may run it at once and die anywhere: a batch is one statement, which is refused
 * unless the tree is as it was when the batch was made.
 */
export async function growAuditLog(
  dependencies: GrowDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { store, log } = dependencies
  await store.adoptAuditEntries(BATCH_ROWS)
  for (let batch = 0; batch < BATCHES_A_RUN && !signal.aborted; batch += 1) {
    if ((await growOnce(dependencies)) < BATCH_ROWS) break
  }
  const lost = await store.lostAuditEntries()
  if (lost.length === 0) return
  const [first] = lost
  log.error('audit_entries_lost', {
    entries: lost.length,
    first: first?.auditId,
    remedy: 'somebody removed them past the service: compare with a backup',
  })
}

/** Answers how many leaves were appended. */
async function growOnce(dependencies: GrowDependencies): Promise<number> {
  const { store, config, auditKey, metrics, clock } = dependencies
  const [state, entries] = await Promise.all([
    store.auditLog(),
    store.waitingAuditEntries(BATCH_ROWS),
  ])
  const origin = state.origin ?? auditOrigin(config.publicUrl)
  const key = entries.length === 0 && state.size === 0 ? undefined : await auditKey()
  if (key === undefined || (entries.length === 0 && isSignedBy(state, key, origin))) return 0
  const leaves = entries.map((entry) => {
    const hash = hashEntry(logEntryOf(entry))
    if (hash === undefined) throw new TypeError(`entry ${entry.auditId} is no JSON`)
    return hash
  })
  const tails = await readTails(store, state)
  if (tails === undefined) {
    // Another process has grown the tree between the two reads; if none has, a tile is not what it was.
    if ((await store.auditLog()).size !== state.size) return 0
    throw new Error('a tile of the audit log has another length')
  }
  const { size, root, tiles } = growTiles(state.size, tails, leaves)
  const checkpoint = await signCheckpoint({ origin, size, root }, key)
  const append = { size: state.size, origin, entries, tiles, checkpoint, now: clock() }
  if ((await store.appendAuditLog(append)) === 'superseded') return 0
  metrics.auditLeaves.inc(entries.length)
  return entries.length
}

/** `undefined` where some tile is not as long as it is in a tree of this size. */
async function readTails(
  store: Pick<Store, 'auditTiles'>,
  { size }: Pick<AuditLogState, 'size'>,
): Promise<Tails | undefined> {
  const places = tailPlaces(size)
  const tiles = await store.auditTiles(places.filter(({ width }) => width > 0))
  const tails = places.map(({ level, tile }) => {
    const found = tiles.find((one) => one.level === level && one.tile === tile)
    return found?.hashes ?? new Uint8Array()
  })
  const isWhole = places.every(({ width }, index) => tails[index]?.length === width * 32)
  return isWhole ? tails : undefined
}

/** A signed note (C2SP tlog-checkpoint). */
export async function signCheckpoint(
  checkpoint: Parameters<typeof formatCheckpoint>[0],
  key: SigningKey,
): Promise<string> {
  const { origin } = checkpoint
  const text = formatCheckpoint(checkpoint)
  const keyId = keyIdOf(noteKeyOf(key, origin))
  const bytes = await key.privateKey.sign(toUtf8(text))
  return formatNote({ text, signatures: [{ name: origin, keyId, bytes }] })
}

/** Whether the newest checkpoint is signed by the key that signs now: of a former one there is a new one. */
function isSignedBy({ checkpoint }: AuditLogState, key: SigningKey, origin: string): boolean {
  const note = parseNote(checkpoint ?? '')
  if (!note.ok || !parseCheckpoint(note.value.text).ok) return false
  const id = keyIdOf(noteKeyOf(key, origin))
  return note.value.signatures.some(({ keyId }) => equalBytes(keyId, id))
}
