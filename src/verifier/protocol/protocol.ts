import { toBase64Url, toUtf8 } from '../../base/encoding.ts'
import type { JsonFailure } from '../../base/json/tree.ts'
import { err, type Result } from '../../base/result.ts'
import { MAX_ENVELOPE_BYTES, MAX_MESSAGE_BYTES } from '../limits.ts'
import { type MessageFailure, readMessage } from './message-reader.ts'

/** The only value of `type` in an initial message (Azure Attestation's TPM protocol). */
const INIT_TYPE = 'aikcert'
const MAX_TYPE_CHARS = 64

/** What an agent may say at `POST /attest/Tpm`. Unverified. */
export type AgentMessage =
  | { readonly kind: 'init' }
  /** `request` is a compact JWS, not yet looked at. */
  | { readonly kind: 'request'; readonly request: string }

/**
 * Opens the outer envelope `{"data": base64(UTF-8 JSON)}` and the message in it. Sizes are checked
 * before anything is decoded. The members of `metadata` are nobody's business here.
 */
export function readAgentMessage(body: string): Result<AgentMessage, MessageFailure | JsonFailure> {
  const inner = openEnvelope(body)
  return inner.ok ? readInnerMessage(inner.value) : inner
}

/** The text inside the envelope, capped and not looked at. */
function openEnvelope(body: string): Result<string, MessageFailure | JsonFailure> {
  // A UTF-16 unit takes at least one byte of UTF-8, so the first test spares the counting.
  if (body.length > MAX_ENVELOPE_BYTES || Buffer.byteLength(body) > MAX_ENVELOPE_BYTES) {
    const expected = `at most ${MAX_ENVELOPE_BYTES} bytes`
    return err({ reason: 'message_too_large', member: 'body', expected })
  }
  const limits = { chars: MAX_ENVELOPE_BYTES, bytes: MAX_MESSAGE_BYTES }
  return readMessage('body', body, (message) => message.encodedText('data', limits))
}

function readInnerMessage(inner: string): Result<AgentMessage, MessageFailure | JsonFailure> {
  return readMessage('message', inner, (message) => {
    message.optionalObject('metadata')
    const payload = message.object('payload', 'an object with type (aikcert) or request (a JWS)')
    if (payload.has('type') === payload.has('request')) {
      payload.fail('message_member_invalid', 'type', 'either type or request, and not both')
    }
    if (payload.has('request')) {
      return { kind: 'request', request: payload.string('request', MAX_MESSAGE_BYTES) }
    }
    if (payload.string('type', MAX_TYPE_CHARS) !== INIT_TYPE) {
      payload.fail('message_member_invalid', 'type', INIT_TYPE)
    }
    return { kind: 'init' }
  })
}

/** The JSON inside the envelope, with nothing in it that a verifier does not need. */
export function writeAgentMessage(message: AgentMessage): string {
  const payload = message.kind === 'init' ? { type: INIT_TYPE } : { request: message.request }
  return JSON.stringify({ payload })
}

/** The value of `data` in an answer to an initial message. */
export function encodeChallenge(challenge: Uint8Array, serviceContext: string): string {
  const payload = { challenge: toBase64Url(challenge), service_context: serviceContext }
  return encodePayload(payload)
}

/** The value of `data` in an answer to an attestation request: the token. */
export function encodeReport(token: string): string {
  return encodePayload({ report: token })
}

function encodePayload(payload: Readonly<Record<string, string>>): string {
  return toBase64Url(toUtf8(JSON.stringify({ payload })))
}
