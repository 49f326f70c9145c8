import { type Compared, comparison, showKey } from '../../base/comparison.ts'
import { bytesInBase64Url, fromBase64Url, textFromBase64Url } from '../../base/encoding.ts'
import type { JsonFailure } from '../../base/json/tree.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { verifyJwsSignature } from '../../evidence/jws/jws-signature.ts'
import type { TpmKey } from '../../evidence/tpm/key.ts'
import { MAX_JWS_HEADER_BYTES, MAX_MESSAGE_BYTES } from '../limits.ts'
import { type MessageFailure, readMessage } from './message-reader.ts'

export const REQUEST_JWS_REASONS = [
  'request_jws_malformed',
  'request_algorithm_unsupported',
  'request_type_unknown',
  'request_header_critical',
  'request_signature_invalid',
] as const

export type RequestJwsFailure = { readonly member: string } & (
  | { readonly reason: Exclude<(typeof REQUEST_JWS_REASONS)[number], 'request_signature_invalid'> }
  | ({ readonly reason: 'request_signature_invalid' } & Compared)
)

export type RequestVersion = 1 | 2

/** A request taken apart. Unverified: its key is inside its payload. */
export type RequestJws = {
  readonly compact: string
  readonly version: RequestVersion
  /** JSON, not yet looked at. */
  readonly payload: string
  readonly signature: Uint8Array<ArrayBuffer>
}

/** Paths of the JWS and of its header, for refusals. */
const REQUEST = 'request'
const HEADER = 'request.header'
const ALGORITHM = 'PS256'
/** What a request key is imported for. */
export const REQUEST_KEY_USE = { name: 'RSA-PSS', hash: 'SHA-256' } as const
const VERSIONS: ReadonlyMap<string, RequestVersion> = new Map([
  ['attReq', 1],
  ['attReqV2', 2],
])
const MAX_HEADER_VALUE_CHARS = 64

/**
 * Takes a compact JWS (RFC 7515 §7.1) apart and checks its header: PS256 and nothing else, `typ`
 * one of the two request types. Keys or certificates in the header are never looked at.
 */
export function readRequestJws(
  compact: string,
): Result<RequestJws, RequestJwsFailure | MessageFailure | JsonFailure> {
  const [header, body, signature, ...rest] = compact.split('.', 4)
  if (header === undefined || body === undefined || signature === undefined || rest.length > 0) {
    return err({ reason: 'request_jws_malformed', member: REQUEST })
  }
  const isTooLarge =
    bytesInBase64Url(header) > MAX_JWS_HEADER_BYTES || bytesInBase64Url(body) > MAX_MESSAGE_BYTES
  if (isTooLarge) {
    const expected = `at most ${MAX_JWS_HEADER_BYTES} bytes of header and ${MAX_MESSAGE_BYTES} of payload`
    return err({ reason: 'message_too_large', member: REQUEST, expected })
  }
  const headerText = textFromBase64Url(header)
  const payload = textFromBase64Url(body)
  const signatureBytes = fromBase64Url(signature)
  if (headerText === undefined || payload === undefined || signatureBytes === undefined) {
    const areBytes = [header, body, signature].every((part) => fromBase64Url(part) !== undefined)
    const expected = 'header and payload in UTF-8'
    return areBytes
      ? err({ reason: 'message_encoding_invalid', member: REQUEST, expected })
      : err({ reason: 'request_jws_malformed', member: REQUEST })
  }
  const fields = readMessage(HEADER, headerText, (message) => ({
    algorithm: message.string('alg', MAX_HEADER_VALUE_CHARS),
    type: message.string('typ', MAX_HEADER_VALUE_CHARS),
    critical: message.has('crit'),
  }))
  if (!fields.ok) return fields
  const { algorithm, type, critical } = fields.value
  if (algorithm !== ALGORITHM) {
    return err({ reason: 'request_algorithm_unsupported', member: `${HEADER}.alg` })
  }
  // RFC 7515 §4.1.11: an extension that is not understood makes the JWS invalid; none is.
  if (critical) return err({ reason: 'request_header_critical', member: `${HEADER}.crit` })
  const version = VERSIONS.get(type)
  if (version === undefined) {
    return err({ reason: 'request_type_unknown', member: `${HEADER}.typ` })
  }
  return ok({ compact, version, payload, signature: signatureBytes })
}

/** Checks that the holder of `key`, an RSA key, signed the request: proof of possession. */
export async function verifyRequestSignature(
  request: RequestJws,
  key: TpmKey,
): Promise<Result<true, RequestJwsFailure>> {
  const { compact, signature } = request
  const verificationKey = await key.verificationKey(REQUEST_KEY_USE)
  const signed = { compact, signature, key: verificationKey, algorithm: ALGORITHM } as const
  const isValid = await verifyJwsSignature(signed)
  if (isValid) return ok(true)
  const compared = () => [
    comparison(
      'signature',
      `${ALGORITHM} (salt of 32 bytes) by ${showKey(key.jwk)}`,
      'by another key, or over other bytes',
    ),
  ]
  return err({ reason: 'request_signature_invalid', member: REQUEST, compared })
}
