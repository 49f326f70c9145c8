import { fromBase64, toBase64 } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { isLogEntry, type LogEntry } from './entry.ts'
import { HASH_BYTES } from './merkle.ts'
import { TILE_WIDTH } from './tiles.ts'

export const EXPORT_REASONS = ['audit_export_malformed'] as const

export type ExportFailure = {
  readonly reason: (typeof EXPORT_REASONS)[number]
  /** From 1. */
  readonly line: number
}

/** What the first line of an export says in `format`. */
export const EXPORT_FORMAT = 'countersign-audit/1'

/**
 * An export of the audit log, part by part: the head, then each tile of leaf hashes and after it the entries
 * that they are the hashes of, then what is in no tile. Nothing in it is verified.
 */
export type ExportPart =
  | ExportHead
  /** Tile `tile` of level 0. */
  | { readonly kind: 'tile'; readonly tile: number; readonly hashes: Uint8Array }
  | { readonly kind: 'entry'; readonly index: number; readonly entry: LogEntry }
  /** From leaf `index` on so many entries are past their retention. */
  | { readonly kind: 'expired'; readonly index: number; readonly count: number }
  /** An entry that has no leaf: one that waits for it, or, where it does not, one that nobody logged. */
  | { readonly kind: 'outside'; readonly waits: boolean; readonly entry: LogEntry }
  /** An entry that waited for its leaf and is not there any more. */
  | { readonly kind: 'lost'; readonly auditId: string; readonly at: string }

export type ExportHead = {
  readonly kind: 'head'
  readonly exportedAt: string
  /** A signed note. */
  readonly checkpoint: string
  /** Keys of the log, as `formatNoteKey` writes them, those of before among them. */
  readonly keys: readonly string[]
}

/** A part as a line of JSON, without what ends it. */
export function formatPart(part: ExportPart): string {
  switch (part.kind) {
    case 'head': {
      const { exportedAt, checkpoint, keys } = part
      return JSON.stringify({ format: EXPORT_FORMAT, exported_at: exportedAt, keys, checkpoint })
    }
    case 'tile':
      return JSON.stringify({ tile: part.tile, hashes: toBase64(part.hashes) })
    case 'entry':
      return JSON.stringify({ index: part.index, entry: part.entry })
    case 'expired':
      return JSON.stringify({ index: part.index, expired: part.count })
    case 'outside':
      return JSON.stringify({ waits: part.waits, entry: part.entry })
    case 'lost':
      return JSON.stringify({ lost: part.auditId, at: part.at })
  }
}

/** Reads line `line` of an export. */
export function parsePart(text: string, line: number): Result<ExportPart, ExportFailure> {
  const part = readPart(parseObject(text))
  return part === undefined ? err({ reason: 'audit_export_malformed', line }) : ok(part)
}

type Members = Readonly<Record<string, unknown>>

function parseObject(text: string): Members {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

function readPart(members: Members): ExportPart | undefined {
  const { index, entry, tile, expired, waits, lost, at } = members
  if ('format' in members) return readHead(members)
  if (isCount(tile)) return readTile(tile, members.hashes)
  if (isCount(index) && isLogEntry(entry)) return { kind: 'entry', index, entry }
  if (isCount(index) && isCount(expired)) return { kind: 'expired', index, count: expired }
  if (typeof waits === 'boolean' && isLogEntry(entry)) return { kind: 'outside', waits, entry }
  if (typeof lost === 'string' && typeof at === 'string') return { kind: 'lost', auditId: lost, at }
  return undefined
}

function readHead({ format, exported_at: exportedAt, keys, checkpoint }: Members) {
  if (format !== EXPORT_FORMAT || typeof exportedAt !== 'string') return undefined
  if (typeof checkpoint !== 'string' || !isTexts(keys)) return undefined
  return { kind: 'head', exportedAt, checkpoint, keys } as const
}

function readTile(tile: number, encoded: unknown): ExportPart | undefined {
  const hashes = typeof encoded === 'string' ? fromBase64(encoded) : undefined
  const isWhole = hashes !== undefined && hashes.length > 0 && hashes.length % HASH_BYTES === 0
  if (!isWhole || hashes.length > TILE_WIDTH * HASH_BYTES) return undefined
  return { kind: 'tile', tile, hashes }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
