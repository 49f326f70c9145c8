import { type Failure, ok, type Result } from '../../base/result.ts'
import { BUILT_IN_KINDS, type BuiltInFailure } from '../kinds/built-in.ts'
import type { EvidenceKind } from '../kinds/kind.ts'
import { readApiVersion } from './api-version.ts'
import { type AttestRequest, readRequestOfKinds } from './attest-request.ts'
import { readAgentMessage } from './protocol.ts'
import type { ProtocolFailure } from './protocol-failure.ts'
import { type RequestJws, readRequestJws } from './request-jws.ts'
import { isSealedBy } from './service-context.ts'

/** Not exported, so that no other file can make a `ReadRequest`. */
const whole: unique symbol = Symbol('whole')

/**
 * A request that was read whole, once for whoever answers it. Only a `MessageReaders` makes one.
 * Unverified: the key that signed it is inside.
 */
export type ReadRequest<F extends Failure = BuiltInFailure> = {
  readonly [whole]: true
  readonly jws: RequestJws
  readonly request: AttestRequest<F>
}

/** A message of an agent, read whole. Unverified. */
export type AttestMessage<F extends Failure = BuiltInFailure> =
  | { readonly kind: 'init' }
  | {
      readonly kind: 'request'
      /** The compact JWS, for a verifier elsewhere. */
      readonly request: string
      readonly read: ReadRequest<F>
    }

export type MessageReaders<F extends Failure> = {
  /**
   * Reads a message whole, and believes nothing of it. What does not read as one of the protocol is
   * for no verifier, so that nobody can have a provider chew on anything else through us.
   */
  readonly readAttestMessage: (input: {
    /** The HTTP body, `{"data": …}`. */
    readonly body: string
    /** The query parameter `api-version`. */
    readonly apiVersion: string | undefined
  }) => Result<AttestMessage<F>, ProtocolFailure | F>
  /** The same of a request alone, a compact JWS. */
  readonly readRequest: (compact: string) => Result<ReadRequest<F>, ProtocolFailure | F>
}

/** Readers of messages with evidence of these kinds. */
export function createMessageReaders<F extends Failure>(
  kinds: readonly EvidenceKind<F>[],
): MessageReaders<F> {
  const readRequest: MessageReaders<F>['readRequest'] = (compact) => {
    const jws = readRequestJws(compact)
    if (!jws.ok) return jws
    const request = readRequestOfKinds(jws.value, kinds)
    return request.ok ? ok({ [whole]: true, jws: jws.value, request: request.value }) : request
  }
  return {
    readRequest,
    readAttestMessage({ body, apiVersion }) {
      const version = readApiVersion(apiVersion)
      if (!version.ok) return version
      const message = readAgentMessage(body)
      if (!message.ok) return message
      if (message.value.kind === 'init') return ok({ kind: 'init' })
      const { request } = message.value
      const read = readRequest(request)
      return read.ok ? ok({ kind: 'request', request, read: read.value }) : read
    },
  }
}

/** The readers of the built-in verifier. */
export const { readAttestMessage, readRequest } = createMessageReaders(BUILT_IN_KINDS)

/**
 * Whether a message answers a challenge of the built-in verifier: its service context names one of
 * our keys. That is no proof, which is still to come.
 */
export function isOwnRequest(message: AttestMessage, keys: readonly Uint8Array[]): boolean {
  return message.kind === 'request' && isSealedBy(message.read.request.serviceContext, keys)
}
