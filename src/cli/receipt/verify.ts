import { importReceiptKeys } from '../../access/receipt/keys.ts'
import { recomputeReceipt } from '../../access/receipt/recompute.ts'
import { type VerifiedReceipt, verifyReceipt } from '../../access/receipt/verify.ts'
import { isJsonObject } from '../../evidence/jws/compact-jws.ts'
import { verb } from '../framework/command.ts'
import { FINDING_EXITS, report, verdictOf } from '../framework/finding.ts'
import { required, text } from '../framework/options.ts'
import { readJsonFile, readJudgedText } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import { describeReceipt } from './describe-receipt.ts'
import { RECEIPT, REQUEST } from './read-receipt.ts'

/** Checks a receipt without network and database, and decides again if it is given the inputs. */
export const verify = verb({
  summary: 'verify a receipt without network and database',
  about: `With --inputs it decides again, by the code that decided then, and compares every member of the
receipt.`,
  arguments: { file: RECEIPT },
  options: {
    jwks: required(text('FILE', 'what the service serves at /.well-known/jwks.json')),
    issuer: text('URL', 'the service that must have made it (PUBLIC_URL)'),
    inputs: text('FILE', 'what export wrote'),
    request: REQUEST,
  },
  json: 'verified, reason, where, remarks, signed, recomputed and receipt',
  exits: FINDING_EXITS,
  async run({ file, jwks, issuer, json, ...files }) {
    const text = readJudgedText(file)
    const keys = await importReceiptKeys(readJsonFile(jwks))
    if (!keys.ok) throw new UsageError(`${jwks} is no usable key set: ${keys.failure.reason}`)
    const inputs = readInputs(files)
    const verified = await verifyReceipt(text, { keys: keys.value, issuer })
    const receipt = verified.ok ? verified.value : undefined
    const recomputed =
      receipt === undefined || inputs === undefined
        ? undefined
        : await recomputeReceipt({ receipt, inputs, keys: keys.value })
    const finding = {
      ...verdictOf(recomputed ?? verified),
      signed: verified.ok,
      recomputed: recomputed?.ok === true,
      remarks: remarksOn(receipt, { issuer, inputs }),
      receipt: receipt?.payload,
    }
    const told = receipt === undefined ? '' : describeReceipt(receipt.claims)
    return report(finding, { json, text: told })
  },
})

type Files = {
  readonly inputs: string | undefined
  readonly request: { readonly request: unknown } | undefined
}

function readInputs({ inputs, request }: Files): unknown {
  if (inputs === undefined) {
    if (request !== undefined) throw new UsageError('--request goes with --inputs')
    return undefined
  }
  const json = readJsonFile(inputs)
  if (!isJsonObject(json)) return json
  const whole = { ...json, ...request }
  if (!Object.hasOwn(whole, 'request')) {
    throw new UsageError(`${inputs} holds no request: add it with --request FILE`)
  }
  return whole
}

function remarksOn(
  receipt: VerifiedReceipt | undefined,
  given: { issuer?: unknown; inputs?: unknown },
): string[] {
  if (receipt === undefined) return []
  const remarks: string[] = []
  if (given.issuer === undefined) {
    remarks.push('whose keys they are was not asked (--issuer)')
  }
  if (given.inputs === undefined) {
    remarks.push('the issuer said so; whether it is right was not recomputed (--inputs)')
  }
  return remarks
}
