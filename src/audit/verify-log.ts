import { toBase64 } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { type Checkpoint, type CheckpointFailure, parseCheckpoint } from './checkpoint.ts'
import type { ExportFailure, ExportPart } from './export-lines.ts'
import { growTree } from './merkle.ts'
import {
  type NoteFailure,
  type NoteKey,
  parseNote,
  parseNoteKey,
  type VerifiedSignature,
  verifySignatures,
} from './note.ts'
import { createRowCheck, type RowFailure } from './row-check.ts'
import { hashesOf, TILE_WIDTH } from './tiles.ts'

export const LOG_REASONS = [
  /** None of the keys signed a checkpoint. */
  'audit_checkpoint_unsigned',
  /** The leaves are not those that a checkpoint was signed over: there are two histories. */
  'audit_log_forked',
  /** The log is shorter than a checkpoint of it says. */
  'audit_log_truncated',
  /** A witness that was asked for did not cosign the checkpoint. */
  'audit_witness_missing',
] as const

export type LogFailure =
  | {
      readonly reason: (typeof LOG_REASONS)[number]
      /** That of the checkpoint. */
      readonly size: number
      /** Roots in base64. */
      readonly expected?: string
      readonly found?: string
    }
  | RowFailure
  | ExportFailure
  | NoteFailure
  | CheckpointFailure

export type LogCheck = {
  /** Keys that are known to be of the log; without them those count that the export itself names. */
  readonly keys?: readonly NoteKey[] | undefined
  /** Checkpoints of before, as signed notes. */
  readonly earlier?: readonly string[] | undefined
  /** Witnesses each of which has to have cosigned the checkpoint. */
  readonly witnesses?: readonly NoteKey[] | undefined
}

export type VerifiedLog = {
  readonly origin: string
  readonly size: number
  /** In base64. */
  readonly root: string
  /** Whether the keys were known before, and not taken from the export. */
  readonly isPinned: boolean
  /** Of the log's checkpoint, those of witnesses among them. */
  readonly signatures: readonly VerifiedSignature[]
  /** Entries that are proven to be in the log as they were written. */
  readonly proven: number
  /** Leaves whose entries are past their retention: that they are in the log is proven, and no more. */
  readonly expired: number
  /** Entries that wait for their leaf, of which nothing is proven yet. */
  readonly waiting: number
  /** Entries that say a time which was past for an hour when the entry before them had come. */
  readonly late: number
  /** Sizes of the earlier checkpoints that the log continues. */
  readonly continues: readonly number[]
}

type Signed = { readonly checkpoint: Checkpoint; readonly signatures: readonly VerifiedSignature[] }

/**
 * Verifies an export of the audit log: that a key of the log signed its checkpoint, that the leaves come to
 * the root which that says, and to those of checkpoints of before, and that each leaf is the hash of the
 * entry at its place. Of what is not so the first fault is answered.
 */
export async function verifyLog(
  parts: AsyncIterable<Result<ExportPart, ExportFailure>>,
  check: LogCheck,
): Promise<Result<VerifiedLog, LogFailure>> {
  const reader = parts[Symbol.asyncIterator]()
  const first = await reader.next()
  if (first.done === true) return malformed(1)
  if (!first.value.ok) return first.value
  const head = first.value.value
  if (head.kind !== 'head') return malformed(1)
  const keys = check.keys ?? readKeys(head.keys)
  if (keys === undefined) return err({ reason: 'note_key_malformed' })
  const signed = openCheckpoint(head.checkpoint, keys, check.witnesses)
  if (!signed.ok) return signed
  const earlier: Checkpoint[] = []
  for (const note of check.earlier ?? []) {
    const opened = openCheckpoint(note, keys)
    if (!opened.ok) return opened
    earlier.push(opened.value.checkpoint)
  }
  const { checkpoint, signatures } = signed.value
  const walked = await walk({ [Symbol.asyncIterator]: () => reader }, checkpoint, earlier)
  if (!walked.ok) return walked
  const { origin, size, root } = checkpoint
  return ok({
    ...{ origin, size, root: toBase64(root), isPinned: check.keys !== undefined, signatures },
    ...walked.value,
    continues: earlier.map((one) => one.size),
  })
}

function malformed(line: number): Result<never, ExportFailure> {
  return err({ reason: 'audit_export_malformed', line })
}

function readKeys(texts: readonly string[]): readonly NoteKey[] | undefined {
  const keys = texts.map(parseNoteKey)
  return keys.every((key) => key.ok) ? keys.map((key) => key.value) : undefined
}

/** A checkpoint that one of the log's keys signed, and by whom else it is signed. */
export function openCheckpoint(
  text: string,
  keys: readonly NoteKey[],
  witnesses: readonly NoteKey[] = [],
): Result<Signed, LogFailure> {
  const note = parseNote(text)
  if (!note.ok) return note
  const checkpoint = parseCheckpoint(note.value.text)
  if (!checkpoint.ok) return checkpoint
  const { origin, size } = checkpoint.value
  // The name of a log's key is the name of the log. C2SP tlog-checkpoint
  const own = keys.filter(({ name, kind }) => name === origin && kind === 'ed25519')
  const signatures = verifySignatures(note.value, own)
  if (signatures.length === 0) return err({ reason: 'audit_checkpoint_unsigned', size })
  const cosigned = verifySignatures(note.value, witnesses)
  if (cosigned.length < witnesses.length) return err({ reason: 'audit_witness_missing', size })
  return ok({ checkpoint: checkpoint.value, signatures: [...signatures, ...cosigned] })
}

/** Reads what follows the head. */
async function walk(
  parts: AsyncIterable<Result<ExportPart, ExportFailure>>,
  checkpoint: Checkpoint,
  earlier: readonly Checkpoint[],
): Promise<Result<Pick<VerifiedLog, 'proven' | 'expired' | 'waiting' | 'late'>, LogFailure>> {
  const { size } = checkpoint
  const tree = growTree()
  const rows = createRowCheck()
  const known = [...earlier, checkpoint]
  let forked = forkAt(known, tree)
  let line = 1
  for await (const part of parts) {
    line += 1
    if (!part.ok) return part
    if (part.value.kind !== 'tile') {
      if (!rows.take(part.value)) return malformed(line)
      continue
    }
    const { tile, hashes } = part.value
    const leaves = hashesOf(hashes)
    const isNext = tile * TILE_WIDTH === tree.size()
    const isWhole = leaves.length === Math.min(TILE_WIDTH, size - tree.size())
    if (!isNext || !isWhole) return malformed(line)
    rows.begin(leaves)
    for (const leaf of leaves) {
      tree.append(leaf)
      forked ??= forkAt(known, tree)
    }
  }
  const truncated = earlier.find((one) => one.size > size)
  if (truncated !== undefined) return err({ reason: 'audit_log_truncated', size: truncated.size })
  if (tree.size() < size) return err({ reason: 'audit_log_truncated', size })
  return forked === undefined ? rows.end() : err(forked)
}

/** The checkpoint over as many leaves as the tree has, if its root is another one. */
function forkAt(
  known: readonly Checkpoint[],
  tree: ReturnType<typeof growTree>,
): LogFailure | undefined {
  const other = known
    .filter(({ size }) => size === tree.size())
    .map(({ root }) => toBase64(root))
    .find((root) => root !== toBase64(tree.root()))
  if (other === undefined) return undefined
  const found = toBase64(tree.root())
  return { reason: 'audit_log_forked', size: tree.size(), expected: other, found }
}
