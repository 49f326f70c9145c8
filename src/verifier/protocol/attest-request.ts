import type { Failure, Result } from '../../base/result.ts'
import { BUILT_IN_KINDS, type BuiltInFailure } from '../kinds/built-in.ts'
import type { EvidenceKind, ReadEvidence } from '../kinds/kind.ts'
import {
  MAX_CHALLENGE_BYTES,
  MAX_CUSTOM_CLAIMS,
  MAX_RP_DATA_BYTES,
  MAX_RP_ID_CHARS,
  MAX_SERVICE_CONTEXT_CHARS,
} from '../limits.ts'
import { type MessageReader, readMessage } from './message-reader.ts'
import type { ProtocolFailure } from './protocol-failure.ts'
import type { RequestData } from './request-data.ts'
import type { RequestJws } from './request-jws.ts'
import { readKeysV1, readKeysV2 } from './request-keys.ts'

const MAX_TYPE_CHARS = 16
/** What every request says, whatever evidence it carries. */
export const COMMON_MEMBERS = [
  ...['rp_id', 'rp_data', 'challenge', 'service_context', 'custom_claims'],
  ...['attest_key', 'request_key', 'other_keys'],
]

/** A request and the evidence of every kind in it. Unverified. */
export type AttestRequest<F extends Failure = BuiltInFailure> = RequestData & {
  readonly evidence: readonly ReadEvidence<F>[]
}

/**
 * Reads the payload of a request of either version and type (Azure Attestation's TPM protocol) with
 * evidence of these kinds into one shape. Nothing is verified, not even the signature: the key to
 * check it with is in there.
 *
 * `custom_claims` are the agent's own assertions. Their shape is checked and they go no further: a
 * claim of an agent's making has no place beside claims that were measured.
 */
export function readRequestOfKinds<F extends Failure>(
  { version, payload }: RequestJws,
  kinds: readonly EvidenceKind<F>[],
): Result<AttestRequest<F>, F | ProtocolFailure> {
  return readMessage<AttestRequest<F>, F | ProtocolFailure>(
    'request',
    payload,
    (message, accept) => {
      const type = message.string('att_type', MAX_TYPE_CHARS)
      const data = message.object('att_data')
      const bound = kinds.find(({ requestType }) => requestType === type)
      const known = kinds.map(({ requestType }) => requestType).join(', ')
      const { name, boundMember } =
        bound ?? message.fail('message_member_invalid', 'att_type', known)
      const signed = boundMember === undefined ? data : data.object(boundMember)
      // Beside it nothing would stand in what the report is made over.
      if (signed !== data) data.refuseMisplaced(COMMON_MEMBERS, `inside ${signed.path}`)
      checkAssertions(signed)
      const evidence = kinds.flatMap((kind) => {
        return kind.read({ version, type, data, signed, accept }) ?? []
      })
      // The key of the request may be bound by nothing else.
      if (!evidence.some(({ kind }) => kind === name)) {
        message.fail('message_member_missing', 'att_data', `evidence of the type ${type}`)
      }
      return {
        version,
        member: signed.path,
        serviceContext: signed.string('service_context', MAX_SERVICE_CONTEXT_CHARS),
        challenge: signed.bytes('challenge', MAX_CHALLENGE_BYTES),
        rpData: signed.optionalBytes('rp_data', MAX_RP_DATA_BYTES),
        evidence,
        ...(version === 1
          ? readKeysV1(signed, boundMember !== undefined, accept)
          : readKeysV2(signed, accept)),
      }
    },
  )
}

/** The same with evidence of the built-in kinds. */
export function readAttestRequest(
  request: RequestJws,
): Result<AttestRequest, BuiltInFailure | ProtocolFailure> {
  return readRequestOfKinds(request, BUILT_IN_KINDS)
}

function checkAssertions(signed: MessageReader): void {
  for (const claim of signed.optionalObjects('custom_claims', MAX_CUSTOM_CLAIMS)) {
    claim.string('name', MAX_RP_ID_CHARS)
  }
  signed.optionalString('rp_id', MAX_RP_ID_CHARS)
}
