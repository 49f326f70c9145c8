import { writeFileSync } from 'node:fs'
import { importReceiptKeys, type ReceiptKeys } from '../../access/receipt/keys.ts'
import { recomputeReceipt } from '../../access/receipt/recompute.ts'
import { verifyReceipt } from '../../access/receipt/verify.ts'
import { ok } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import { verb } from '../framework/command.ts'
import { FINDING_EXITS, report, verdictOf } from '../framework/finding.ts'
import { required, text } from '../framework/options.ts'
import { describeCode, readJudgedText } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import { collectInputs } from './collect-inputs.ts'
import { RECEIPT, REQUEST } from './read-receipt.ts'

export const exportReceipt = verb({
  summary: 'write from the database what a receipt was made from, for verify --inputs',
  about: 'It refuses what does not have the digest that the receipt says.',
  database: 'existing',
  arguments: { file: RECEIPT },
  options: {
    out: required(
      text('FILE', 'where to write the inputs; it holds what is known about the device'),
    ),
    request: REQUEST,
  },
  json: 'verified, reason, where and remarks',
  exits: FINDING_EXITS,
  run({ file, out, request, json }) {
    const text = readJudgedText(file)
    return async (store) => {
      const outcome = await exportInputs(store, text, request)
      if (outcome.ok) writeInputs(out, outcome.value)
      const remarks =
        outcome.ok && request === undefined
          ? ['the request is kept by who asked; it is needed to recompute (--request)']
          : []
      const told = outcome.ok ? `The inputs are in ${out}, readable for you alone.\n` : ''
      return report({ ...verdictOf(outcome), remarks }, { json, text: told })
    }
  },
})

async function exportInputs(
  store: Store,
  text: string,
  request: { readonly request: unknown } | undefined,
) {
  const keys = await readStoredKeys(store)
  const receipt = await verifyReceipt(text, { keys })
  if (!receipt.ok) return receipt
  if (receipt.value.claims.directory_digest !== undefined && request === undefined) {
    throw new UsageError(
      'the entity directory was asked for this decision, about what is in the request: say --request FILE',
    )
  }
  const stored = await collectInputs(store, receipt.value.claims, request?.request)
  if (!stored.ok || request === undefined) return stored
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
    throw new UsageError(`cannot write ${path}${describeCode(error)}`)
  }
}
