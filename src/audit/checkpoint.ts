import { fromBase64, toBase64 } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { HASH_BYTES } from './merkle.ts'

export const CHECKPOINT_REASONS = ['checkpoint_malformed'] as const

export type CheckpointFailure = { readonly reason: (typeof CHECKPOINT_REASONS)[number] }

/** What a log was at some time (C2SP tlog-checkpoint): the text of a signed note says it. */
export type Checkpoint = {
  /** Which log. */
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

/** The text of the note, which ends with a line feed. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`
}

/** Reads the text of a note; lines of extensions are passed over. */
export function parseCheckpoint(text: string): Result<Checkpoint, CheckpointFailure> {
  const refused = err({ reason: 'checkpoint_malformed' })
  if (!text.endsWith('\n')) return refused
  const [origin = '', decimal = '', encoded = '', ...extensions] = text.slice(0, -1).split('\n')
  const root = fromBase64(encoded)
  const size = Number(decimal)
  if (origin === '' || extensions.includes('')) return refused
  if (!/^(?:0|[1-9]\d*)$/.test(decimal) || !Number.isSafeInteger(size)) return refused
  return root?.length === HASH_BYTES && toBase64(root) === encoded
    ? ok({ origin, size, root })
    : refused
}
