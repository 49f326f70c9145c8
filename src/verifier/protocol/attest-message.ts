import type { JsonFailure } from '../../base/json/tree.ts'
import { ok, type Result } from '../../base/result.ts'
import type { AttestationEvidence } from '../steps/attestation-evidence.ts'
import { type ApiVersionFailure, readApiVersion } from './api-version.ts'
import { readAttestRequest } from './attest-request.ts'
import type { MessageFailure } from './message-reader.ts'
import { readAgentMessage } from './protocol.ts'
import type { RequestDataFailure } from './request-data.ts'
import { type RequestJws, type RequestJwsFailure, readRequestJws } from './request-jws.ts'
import { isSealedBy } from './service-context.ts'

/** Not exported, so that no other file can make a `ReadRequest`. */
const whole: unique symbol = Symbol('whole')

/**
 * A request that was read whole, once for whoever answers it. Only `readRequest` makes one. Unverified:
 * the key that signed it is inside.
 */
export type ReadRequest = {
  readonly [whole]: true
  readonly jws: RequestJws
  readonly evidence: AttestationEvidence
}

/** A message of an agent, read whole. Unverified. */
export type AttestMessage =
  | { readonly kind: 'init' }
  | {
      readonly kind: 'request'
      /** The compact JWS, for a verifier elsewhere. */
      readonly request: string
      readonly read: ReadRequest
    }

export type ReadRequestFailure =
  | RequestJwsFailure
  | RequestDataFailure
  | MessageFailure
  | JsonFailure

export type AttestMessageFailure = ApiVersionFailure | ReadRequestFailure

/**
 * Reads a message whole, and believes nothing of it. What does not read as one of the protocol is for
 * no verifier, so that nobody can have a provider chew on anything else through us.
 */
export function readAttestMessage(input: {
  /** The HTTP body, `{"data": …}`. */
  readonly body: string
  /** The query parameter `api-version`. */
  readonly apiVersion: string | undefined
}): Result<AttestMessage, AttestMessageFailure> {
  const version = readApiVersion(input.apiVersion)
  if (!version.ok) return version
  const message = readAgentMessage(input.body)
  if (!message.ok) return message
  if (message.value.kind === 'init') return ok({ kind: 'init' })
  const { request } = message.value
  const read = readRequest(request)
  return read.ok ? ok({ kind: 'request', request, read: read.value }) : read
}

/** The same of a request alone, a compact JWS. */
export function readRequest(compact: string): Result<ReadRequest, ReadRequestFailure> {
  const jws = readRequestJws(compact)
  if (!jws.ok) return jws
  const evidence = readAttestRequest(jws.value)
  return evidence.ok ? ok({ [whole]: true, jws: jws.value, evidence: evidence.value }) : evidence
}

/**
 * Whether a message answers a challenge of the built-in verifier: its service context names one of
 * our keys. That is no proof, which is still to come.
 */
export function isOwnRequest(message: AttestMessage, keys: readonly Uint8Array[]): boolean {
  return message.kind === 'request' && isSealedBy(message.read.evidence.serviceContext, keys)
}
