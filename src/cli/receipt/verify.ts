import { recomputeReceipt } from '../../access/receipt/recompute.ts'
import { type VerifiedReceipt, verifyReceipt } from '../../access/receipt/verify.ts'
import { isJsonObject } from '../../evidence/jws/compact-jws.ts'
import { UsageError } from '../framework/arguments.ts'
import { readJsonFile } from '../inspect/files.ts'
import { type Outcome, report, verdictOf } from '../inspect/finding.ts'
import { describeReceipt } from './describe-receipt.ts'
import { readReceipt, readReceiptKeys, readRequest } from './read-receipt.ts'

export type VerifyValues = {
  readonly jwks?: string | undefined
  readonly issuer?: string | undefined
  readonly inputs?: string | undefined
  readonly request?: string | undefined
  readonly json: boolean
}

/** Checks a receipt without network and database, and decides again if it is given the inputs. */
export async function verify(path: string | undefined, values: VerifyValues): Promise<number> {
  const { issuer, json } = values
  if (issuer === '') throw new UsageError('--issuer must be a URL')
  const text = readReceipt(path)
  const keys = await readReceiptKeys(values.jwks)
  const inputs = readInputs(values)
  const verified = await verifyReceipt(text, { keys, issuer })
  const receipt = verified.ok ? verified.value : undefined
  const recomputed =
    receipt === undefined || inputs === undefined
      ? undefined
      : await recomputeReceipt({ receipt, inputs, keys })
  const outcome: Outcome = recomputed ?? verified
  const finding = {
    ...verdictOf(outcome),
    signed: verified.ok,
    recomputed: recomputed?.ok === true,
    remarks: remarksOn(receipt, values),
    receipt: receipt?.payload,
  }
  return report(finding, {
    json,
    text: receipt === undefined ? '' : describeReceipt(receipt.claims),
  })
}

function readInputs({ inputs, request }: VerifyValues): unknown {
  if (inputs === undefined) {
    if (request !== undefined) throw new UsageError('--request goes with --inputs')
    return undefined
  }
  const json = readJsonFile(inputs, '--inputs')
  if (!isJsonObject(json)) return json
  const whole = { ...json, ...readRequest(request) }
  if (!Object.hasOwn(whole, 'request')) {
    throw new UsageError(`${inputs} holds no request: add it with --request FILE`)
  }
  return whole
}

function remarksOn(receipt: VerifiedReceipt | undefined, values: VerifyValues): string[] {
  if (receipt === undefined) return []
  const remarks: string[] = []
  if (values.issuer === undefined) {
    remarks.push('whose keys they are was not asked (--issuer)')
  }
  if (values.inputs === undefined) {
    remarks.push('the issuer said so; whether it is right was not recomputed (--inputs)')
  }
  return remarks
}
