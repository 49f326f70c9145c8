import type { Documents } from '../../../src/access/assess.ts'
import { decide } from '../../../src/access/decide.ts'
import { deviceOfRequest } from '../../../src/access/device-of-request.ts'
import type { VerifiedDeviceToken } from '../../../src/access/device-token.ts'
import { parseEvaluation } from '../../../src/access/evaluation-request.ts'
import {
  describeDevice,
  describeEvidence,
  digestRequest,
} from '../../../src/access/receipt/inputs.ts'
import { importReceiptKeys, type ReceiptKeys } from '../../../src/access/receipt/keys.ts'
import {
  describeDecision,
  issueReceipt,
  RECEIPT_TYPE,
  type Trial,
} from '../../../src/access/receipt/receipt.ts'
import { type VerifiedReceipt, verifyReceipt } from '../../../src/access/receipt/verify.ts'
import type { Reliefs } from '../../../src/access/relief.ts'
import type { TrustRecord } from '../../../src/access/trust-record.ts'
import { toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { NOW, policyOf, referenceValues, withoutClaim } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { expectOk } from '../../support/refusal.ts'
import { recordOf } from '../rules.ts'

export const ISSUER = 'https://trust.example.com'
export const KID = 'key-1'
export const JTI = `rcp_${'a'.repeat(26)}`

/** Clauses of every kind of outcome, about devices and about requests. */
export const RULES: Documents = {
  policy: policyOf(
    'attestation.secureBootEnabled',
    'attestation.hvciEnabled',
    '"finance" in device.labels && device.ring < 50 && device.created_at < now',
    'context.risk < 5',
    'attestation.attested_at < now && attestation.enclave.listed',
  ),
  referenceValues: referenceValues(),
}

export const QUESTION = {
  subject: { type: 'user', id: 'alice@example.com', properties: { device_id: 'dev_a' } },
  resource: { type: 'application', id: 'payroll' },
  action: { name: 'signin', properties: { mfa: true } },
  context: { receipt: true, risk: 3, language: 'de' },
}

/** A device one of whose claims is missing, so that there is a cause to tell. */
export const RECORD = recordOf(withoutClaim('hvciEnabled'), { owner: 'alice@example.com' })

const SCHEME = { name: 'ECDSA', hash: 'SHA-256' }
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' }

export type Signing = {
  readonly jwks: { readonly keys: readonly JsonWebKey[] }
  readonly keys: ReceiptKeys
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>
}

export async function createSigning(kid: string = KID): Promise<Signing> {
  const pair = await crypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey)
  const jwks = { keys: [{ kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } as JsonWebKey] }
  const sign = async (message: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign(SCHEME, pair.privateKey, new Uint8Array(message)))
  return { jwks, keys: expectOk(await importReceiptKeys(jwks)), sign }
}

/** Any header and payload, signed. */
export async function signJws(
  signing: Signing,
  payload: object | string,
  header: object = {},
): Promise<string> {
  const head = { alg: 'ES256', kid: KID, typ: RECEIPT_TYPE, ...header }
  const signed = [
    JSON.stringify(head),
    typeof payload === 'string' ? payload : JSON.stringify(payload),
  ]
    .map((text) => toBase64Url(toUtf8(text)))
    .join('.')
  return `${signed}.${toBase64Url(await signing.sign(toUtf8(signed)))}`
}

/** Nothing out of the ordinary. */
const ORDINARY: Reliefs = {
  policySince: new Date('2026-01-01T00:00:00Z'),
  outageGraceMs: 14_400_000,
  allowedUntil: null,
  holds: [],
}

export type Made = {
  readonly text: string
  /** As they are exported. */
  readonly inputs: Json
}

/** Decides as the service does, and makes the receipt and the inputs of it. */
export async function makeReceipt(
  signing: Signing,
  change: {
    readonly record?: TrustRecord | null
    readonly question?: object
    readonly rules?: Documents
    /** `null` for one that is refused. */
    readonly token?: VerifiedDeviceToken | null
    readonly reliefs?: Reliefs
    readonly trials?: readonly Trial[]
    readonly now?: Date
  } = {},
): Promise<Made> {
  const { record = RECORD, question = QUESTION, rules = RULES, now = NOW } = change
  const request = expectOk(parseEvaluation(question))
  const { token, reliefs = ORDINARY, trials = [] } = change
  const tokenDeviceId = token ? token.deviceId : token
  const device = deviceOfRequest({ subject: request.subject, tokenDeviceId })
  const unnamed = device.ok ? undefined : device.failure.reason
  const asked = { rules, record, request, token: token ?? undefined, unnamed, reliefs, now }
  const requestDigest = digestRequest(request) ?? ''
  const facts = describeDecision({
    decided: decide(asked),
    requestDigest,
    directory: undefined,
    trials,
  })
  const signer = { kid: KID, sign: signing.sign }
  const text = await issueReceipt(facts, { issuer: ISSUER, jti: JTI, signer })
  const inputs = {
    device: record && describeDevice(record),
    evidence: record?.attestation ? describeEvidence(record.attestation) : null,
    policy: rules.policy.document,
    reference_values: rules.referenceValues.document,
    request: question,
  }
  return { text, inputs: JSON.parse(JSON.stringify(inputs)) }
}

export async function verified(signing: Signing, text: string): Promise<VerifiedReceipt> {
  return expectOk(await verifyReceipt(text, { keys: signing.keys, issuer: ISSUER }))
}

export type Path = readonly (string | number)[]

/** The places of all values in JSON that hold no others. */
export function leavesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const members = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  if (members.length === 0) return [path]
  return members.flatMap(([name, member]) => leavesOf(member, [...path, name]))
}

/** A copy of JSON with another value at one place; `undefined` removes it. */
export function withChange(
  json: unknown,
  path: Path,
  change: (value: unknown) => unknown,
): unknown {
  const [name, ...rest] = path
  if (name === undefined) return change(json)
  if (Array.isArray(json)) {
    return json.flatMap((item, index) => {
      if (index !== name) return [item]
      const changed = withChange(item, rest, change)
      return changed === undefined ? [] : [changed]
    })
  }
  const members = { ...(json as Record<string, unknown>) }
  const changed = withChange(members[name], rest, change)
  if (changed === undefined) delete members[name]
  else members[name] = changed
  return members
}

/** Another value of the same type. */
export function otherValue(value: unknown): unknown {
  if (typeof value === 'boolean') return !value
  if (typeof value === 'number') return value + 1
  if (typeof value === 'string')
    return /^\d{4}-/.test(value) ? value.replace('2026', '2025') : `${value}x`
  return 'x'
}
