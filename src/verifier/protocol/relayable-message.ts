import type { JsonFailure } from '../../base/json/tree.ts'
import { ok, type Result } from '../../base/result.ts'
import { type ApiVersionFailure, readApiVersion } from './api-version.ts'
import { readAttestRequest } from './attest-request.ts'
import type { MessageFailure } from './message-reader.ts'
import { readAgentMessage } from './protocol.ts'
import type { RequestDataFailure } from './request-data.ts'
import { type RequestJwsFailure, readRequestJws } from './request-jws.ts'
import { isSealedBy } from './service-context.ts'

/** A message of an agent that another verifier may be asked to answer. Unverified. */
export type RelayableMessage =
  | { readonly kind: 'init' }
  | {
      readonly kind: 'request'
      /** The compact JWS. */
      readonly request: string
      /** As the verifier that made the challenge sealed it. */
      readonly serviceContext: string
    }

export type RelayableMessageFailure =
  | ApiVersionFailure
  | MessageFailure
  | JsonFailure
  | RequestJwsFailure
  | RequestDataFailure

/**
 * Reads a message whole, and believes nothing of it: what does not read as one of the protocol is
 * for no verifier, so that nobody can have a provider chew on anything else through us.
 */
export function readRelayableMessage(input: {
  readonly body: string
  readonly apiVersion: string | undefined
}): Result<RelayableMessage, RelayableMessageFailure> {
  const version = readApiVersion(input.apiVersion)
  if (!version.ok) return version
  const message = readAgentMessage(input.body)
  if (!message.ok) return message
  if (message.value.kind === 'init') return ok({ kind: 'init' })
  const jws = readRequestJws(message.value.request)
  if (!jws.ok) return jws
  const evidence = readAttestRequest(jws.value)
  if (!evidence.ok) return evidence
  const { serviceContext } = evidence.value
  return ok({ ...message.value, serviceContext })
}

/**
 * Whether a request answers a challenge of the built-in verifier: its service context names one of
 * our keys. That is no proof, which is still to come.
 */
export function isOwnRequest(message: RelayableMessage, keys: readonly Uint8Array[]): boolean {
  return message.kind === 'request' && isSealedBy(message.serviceContext, keys)
}
