import type { HashAlgorithm } from '../../base/digest.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { MAX_OTHER_KEYS, MAX_TPM_STRUCTURE_BYTES } from '../limits.ts'
import type { Accept, MessageReader } from './message-reader.ts'
import { type JwkFailure, readRsaJwk } from './public-jwk.ts'
import type {
  KeyCertification,
  OtherKey,
  RequestData,
  RequestKey,
  RequestKeyBinding,
} from './request-data.ts'

export const REQUEST_KEY_REASONS = [
  'request_key_unbound',
  'legacy_request_key_unbound',
  'request_key_binding_ambiguous',
] as const

export type RequestKeyFailure =
  | { readonly reason: (typeof REQUEST_KEY_REASONS)[number]; readonly member: string }
  | JwkFailure

/** The keys of a request and what they say to be bound by. Unverified. */
type RequestKeys = Pick<RequestData, 'requestKey' | 'otherKeys'>

/** The names that `info.tpm_quote.hash_alg` may have. */
export const QUOTE_HASHES: ReadonlyMap<string, HashAlgorithm> = new Map([
  ['sha-256', 'sha256'],
  ['sha-384', 'sha384'],
  ['sha-512', 'sha512'],
])
const MAX_NAME_CHARS = 16

/**
 * The quotes of version 1 bind the challenge and nothing of the request, so its key counts through a
 * report that is made over the request, or not at all.
 */
export function readKeysV1(
  signed: MessageReader,
  isReportBound: boolean,
  accept: Accept<RequestKeyFailure>,
): RequestKeys {
  signed.refuseMisplaced(['request_key'], 'attest_key in its place: typ says version 1')
  signed.refuseMisplaced(['other_keys'], 'no such member: typ says version 1')
  const key = signed.object('attest_key')
  return {
    requestKey: {
      jwk: accept(readRsaJwk(key)),
      jwkText: key.text,
      member: key.path,
      binding: { kind: isReportBound ? 'enclave_report' : 'none' },
    },
    otherKeys: [],
  }
}

/** The keys of version 2. The TPM binds the request key in requests of every type. */
export function readKeysV2(signed: MessageReader, accept: Accept<RequestKeyFailure>): RequestKeys {
  signed.refuseMisplaced(['attest_key'], 'request_key in its place: typ says version 2')
  return {
    requestKey: readRequestKey(signed.object('request_key'), accept),
    otherKeys: signed
      .optionalObjects('other_keys', MAX_OTHER_KEYS)
      .map((reader) => readOtherKey(reader, accept)),
  }
}

/**
 * Refuses a request whose key stands in nothing that was signed, which is every `basic` request of
 * version 1, unless the configuration accepts them: then their tokens confirm no key.
 */
export function requireBoundKey(
  { binding, member }: RequestKey,
  legacyUnboundRequestKey: 'refuse' | 'accept',
): Result<true, RequestKeyFailure> {
  return binding.kind !== 'none' || legacyUnboundRequestKey === 'accept'
    ? ok(true)
    : err({ reason: 'legacy_request_key_unbound', member })
}

/**
 * A quote is always present, so the request key must be bound to the TPM, in exactly one of the two
 * documented ways. Unknown ways are refused, because they would leave the key unbound.
 */
function readRequestKey(reader: MessageReader, accept: Accept<RequestKeyFailure>): RequestKey {
  const jwk = reader.object('jwk')
  const member = reader.at('info')
  const info = reader.optionalObject('info')
  const quoted = info?.has('tpm_quote') === true
  const certified = info?.has('tpm_certify') === true
  if (info === undefined || !(quoted || certified)) {
    return accept(err({ reason: 'request_key_unbound', member }))
  }
  if (quoted && certified) {
    return accept(err({ reason: 'request_key_binding_ambiguous', member }))
  }
  const binding: RequestKeyBinding = quoted
    ? readQuoteBinding(info.object('tpm_quote'))
    : { kind: 'tpm_certify', certification: readCertification(info.object('tpm_certify')) }
  return { jwk: accept(readRsaJwk(jwk)), jwkText: jwk.text, member: jwk.path, binding }
}

function readQuoteBinding(reader: MessageReader): RequestKeyBinding {
  const hashName = reader.string('hash_alg', MAX_NAME_CHARS)
  const hash = QUOTE_HASHES.get(hashName)
  if (hash === undefined) {
    reader.fail('message_member_invalid', 'hash_alg', [...QUOTE_HASHES.keys()].join(', '))
  }
  return { kind: 'tpm_quote', hash, hashName }
}

function readOtherKey(reader: MessageReader, accept: Accept<RequestKeyFailure>): OtherKey {
  const info = reader.optionalObject('info')
  // Only the request key can be in the quote, and an unknown binding must not look like none.
  if (info && !info.has('tpm_certify')) {
    reader.fail('message_member_invalid', 'info', 'no info, or one with tpm_certify')
  }
  const jwk = reader.object('jwk')
  return {
    jwk: accept(readRsaJwk(jwk)),
    member: jwk.path,
    certification: info && readCertification(info.object('tpm_certify')),
  }
}

function readCertification(reader: MessageReader): KeyCertification {
  return {
    publicArea: reader.bytes('public', MAX_TPM_STRUCTURE_BYTES),
    certification: reader.bytes('certification', MAX_TPM_STRUCTURE_BYTES),
    signature: reader.bytes('signature', MAX_TPM_STRUCTURE_BYTES),
    member: reader.path,
  }
}
