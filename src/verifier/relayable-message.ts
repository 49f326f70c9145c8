import { fromUtf8 } from '../encoding.ts'
import { err, ok, type Result } from '../failure.ts'
import { type ApiVersionFailure, readApiVersion } from './api-version.ts'
import { readAttestRequest } from './attest-request.ts'
import type { MessageFailure } from './message-reader.ts'
import { type AgentMessage, openEnvelope, readInnerMessage } from './protocol.ts'
import type { JsonFailure } from './raw-json.ts'
import { readRequestJws } from './request-jws.ts'
import { isSealedBy } from './service-context.ts'

/** A message of an agent that another verifier may be asked to answer. Unverified. */
export type RelayableMessage = AgentMessage & {
  /** The JSON inside the envelope, as the agent wrote it. */
  readonly text: string
}

/** Opens the envelope and looks at what kind of message is in it, and no further. */
export function readRelayableMessage(input: {
  readonly body: string
  readonly apiVersion: string | undefined
}): Result<RelayableMessage, ApiVersionFailure | MessageFailure | JsonFailure> {
  const version = readApiVersion(input.apiVersion)
  if (!version.ok) return version
  const inner = openEnvelope(input.body)
  if (!inner.ok) return inner
  const message = readInnerMessage(inner.value)
  if (!message.ok) return message
  const text = fromUtf8(inner.value)
  if (text === undefined) return err({ reason: 'message_encoding_invalid', member: 'body.data' })
  return ok({ ...message.value, text })
}

/**
 * Whether a request answers a challenge of the built-in verifier: its service context names one of
 * our keys. That is no proof, which is still to come; a request that cannot be read is not ours.
 */
export function isOwnRequest(message: RelayableMessage, keys: readonly Uint8Array[]): boolean {
  if (message.kind !== 'request') return false
  const jws = readRequestJws(message.request)
  const request = jws.ok ? readAttestRequest(jws.value) : jws
  return request.ok && isSealedBy(request.value.serviceContext, keys)
}
