import { z } from 'zod'
import { VERDICTS } from '../access/trust-record.ts'
import type { DeviceChange } from './device-change.ts'

const status = z.enum(['compliant', 'not-compliant'])

const schema = z.object({
  at: z.iso.datetime(),
  cause: z.enum(['attestation', 'administrator', 'sweep', 'merged']),
  previousStatus: status,
  currentStatus: status,
  previousVerdict: z.enum(VERDICTS),
  currentVerdict: z.enum(VERDICTS),
  reasons: z.array(z.unknown()),
})

/**
 * Reads what the database function `announce_change` wrote. `undefined` for what is none of it, as a newer
 * version may write: it waits for one that can read it.
 */
export function readChange(
  payload: unknown,
): { readonly change: DeviceChange; readonly reasons: readonly unknown[] } | undefined {
  const read = schema.safeParse(payload)
  if (!read.success) return undefined
  const { at, reasons, ...change } = read.data
  return { change: { ...change, at: new Date(at) }, reasons }
}
