import { writeFileSync } from 'node:fs'
import { importReceiptKeys, type ReceiptKeys } from '../../access/receipt/keys.ts'
import { recomputeReceipt } from '../../access/receipt/recompute.ts'
import { verifyReceipt } from '../../access/receipt/verify.ts'
import { ok } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import { UsageError } from '../framework/arguments.ts'
import { report, verdictOf } from '../inspect/finding.ts'
import { collectInputs } from './collect-inputs.ts'
import { readReceipt, readRequest } from './read-receipt.ts'

export type ExportValues = {
  readonly out?: string | undefined
  readonly request?: string | undefined
  readonly json: boolean
}

/** Looks at the arguments before the database is opened. */
export function prepareExport(
  path: string | undefined,
  values: ExportValues,
): (store: Store) => Promise<number> {
  const { out = '', json } = values
  if (out === '') throw new UsageError('--out is missing')
  const text = readReceipt(path)
  const request = readRequest(values.request)
  return async (store) => {
    const outcome = await exportInputs(store, text, request)
    if (outcome.ok) writeInputs(out, outcome.value)
    const remarks =
      outcome.ok && values.request === undefined
        ? ['the request is kept by who asked; it is needed to recompute (--request)']
        : []
    const told = outcome.ok ? `The inputs are in ${out}, readable for you alone.\n` : ''
    return report({ ...verdictOf(outcome), remarks }, { json, text: told })
  }
}

async function exportInputs(store: Store, text: string, request: { request?: unknown }) {
  const keys = await readStoredKeys(store)
  const receipt = await verifyReceipt(text, { keys })
  if (!receipt.ok) return receipt
  const stored = await collectInputs(store, receipt.value.claims)
  if (!stored.ok || !('request' in request)) return stored
  const inputs = { ...stored.value, ...request }
  const recomputed = await recomputeReceipt({ receipt: receipt.value, inputs, keys })
  return recomputed.ok ? ok(inputs) : recomputed
}

/**
 * The service's own keys, those that have ended too, as a receipt tells of the past. Not those that
 * were retired: somebody else may have signed with them.
 */
async function readStoredKeys(store: Store): Promise<ReceiptKeys> {
  const stored = await store.listSigningKeys()
  const keys = await importReceiptKeys({
    keys: stored
      .filter(({ use, retiredAt }) => use !== 'attestation' && retiredAt === null)
      .map(({ kid, publicJwk }) => ({ ...(publicJwk as JsonWebKey), kid })),
  })
  if (!keys.ok) throw new Error('no service has made its keys in this database yet')
  return keys.value
}

/** Claims and labels are nobody else's business. */
function writeInputs(path: string, inputs: object): void {
  try {
    writeFileSync(path, `${JSON.stringify(inputs, null, 2)}\n`, { mode: 0o600 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    throw new UsageError(`cannot write ${path}${code}`)
  }
}
