import { fromBase64Url, fromUtf8 } from '../base/encoding.ts'
import { err, ok, type Result } from '../base/result.ts'
import { decodeCompactJws } from '../evidence/jws/compact-jws.ts'
import { parseRawJson, type RawJson, type RawMembers } from '../verifier/protocol/raw-json.ts'
import { AZURE_ERROR_CODES, type AzureErrorCode, type RelayFailure } from './failure.ts'
import {
  MAX_ANSWER_BYTES,
  MAX_CHALLENGE_CHARS,
  MAX_REPORT_CHARS,
  MAX_SERVICE_CONTEXT_CHARS,
} from './limits.ts'

/** What an answer must hold: an initial message gets a challenge, a request gets a report. */
export type AnswerKind = 'challenge' | 'report'

type Member = {
  readonly name: string
  readonly maxChars: number
  readonly isForm: (text: string) => boolean
}

const isBase64Url = (text: string) => text !== '' && fromBase64Url(text) !== undefined

const MEMBERS: Readonly<Record<AnswerKind, readonly Member[]>> = {
  challenge: [
    { name: 'challenge', maxChars: MAX_CHALLENGE_CHARS, isForm: isBase64Url },
    { name: 'service_context', maxChars: MAX_SERVICE_CONTEXT_CHARS, isForm: isBase64Url },
  ],
  report: [
    {
      name: 'report',
      maxChars: MAX_REPORT_CHARS,
      isForm: (text) => (decodeCompactJws(text)?.signature.length ?? 0) > 0,
    },
  ],
}

/**
 * Opens the envelope of a provider's answer and writes the inner message anew, from the members of
 * its payload alone: none of them may be missing, unknown, repeated, too long or of another form.
 * What stands beside envelope and payload is dropped. The report is unverified.
 */
export function readAnswer(body: string, kind: AnswerKind): Result<string, RelayFailure> {
  const data = textIn(readMembers(body)?.get('data'), MAX_ANSWER_BYTES)
  const inner = data === undefined ? undefined : decodeLeniently(data)
  const message = inner === undefined ? undefined : fromUtf8(inner)
  const payload =
    message === undefined ? undefined : membersOf(readMembers(message)?.get('payload'))
  const members = MEMBERS[kind]
  if (payload?.size !== members.length) return err({ reason: 'provider_answer_malformed' })
  const checked: Record<string, string> = {}
  for (const { name, maxChars, isForm } of members) {
    const text = textIn(payload.get(name), maxChars)
    if (text === undefined || !isForm(text)) return err({ reason: 'provider_answer_malformed' })
    checked[name] = text
  }
  return ok(JSON.stringify({ payload: checked }))
}

/** The report in an answer that `readAnswer` has written. */
export function readReport(answer: string): string {
  const { report } = JSON.parse(answer).payload
  if (typeof report !== 'string') throw new TypeError('an answer to a request holds a report')
  return report
}

/**
 * `code` of an error in Azure's form, if it is on our list. `undefined` for a body of another form,
 * which then was written by something that is not Azure Attestation. The message is not looked at:
 * it holds traces of the provider's enclave.
 */
export function readErrorCode(
  body: string,
): { readonly known: AzureErrorCode | undefined } | undefined {
  const error = membersOf(readMembers(body)?.get('error'))
  const code = error?.get('code')
  if (code?.kind !== 'string') return undefined
  return { known: AZURE_ERROR_CODES.find((known) => known === code.value) }
}

/** The specification shows padded base64 and providers send unpadded base64url. */
function decodeLeniently(text: string): Uint8Array | undefined {
  const unpadded = text.replace(/={1,2}$/, '')
  return fromBase64Url(unpadded.replaceAll('+', '-').replaceAll('/', '_'))
}

function readMembers(text: string): RawMembers | undefined {
  const json = parseRawJson(text)
  return json.ok ? membersOf(json.value) : undefined
}

function membersOf(json: RawJson | undefined): RawMembers | undefined {
  return json?.kind === 'object' ? json.members : undefined
}

function textIn(json: RawJson | undefined, maxChars: number): string | undefined {
  return json?.kind === 'string' && json.value.length <= maxChars ? json.value : undefined
}
