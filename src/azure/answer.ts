import { fromBase64Url, textFromBase64Url, toBase64UrlAlphabet } from '../base/encoding.ts'
import { type JsonNode, memberOf, readJsonTree } from '../base/json/tree.ts'
import { err, ok, type Result } from '../base/result.ts'
import { decodeCompactJws } from '../evidence/jws/compact-jws.ts'
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../verifier/limits.ts'
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
  const data = textIn(readRoot(body), 'data', MAX_ANSWER_BYTES)
  const message = data === undefined ? undefined : textFromBase64Url(toBase64UrlAlphabet(data))
  const payload = message === undefined ? undefined : memberOf(readRoot(message), 'payload')?.node
  const members = MEMBERS[kind]
  if (payload?.kind !== 'object' || payload.members.size !== members.length) {
    return err({ reason: 'provider_answer_malformed' })
  }
  const checked: Record<string, string> = {}
  for (const { name, maxChars, isForm } of members) {
    const text = textIn(payload, name, maxChars)
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
  const code = memberOf(memberOf(readRoot(body), 'error')?.node, 'code')?.node
  if (code?.kind !== 'string') return undefined
  return { known: AZURE_ERROR_CODES.find((known) => known === code.value) }
}

function readRoot(text: string): JsonNode | undefined {
  const tree = readJsonTree(text, {
    maxDepth: MAX_JSON_DEPTH,
    maxValues: MAX_JSON_VALUES,
    repeatedMembers: 'refuse',
  })
  return tree.ok ? tree.value.root : undefined
}

function textIn(node: JsonNode | undefined, name: string, maxChars: number): string | undefined {
  const member = memberOf(node, name)?.node
  return member?.kind === 'string' && member.value.length <= maxChars ? member.value : undefined
}
