import type { HashAlgorithm } from '../../base/digest.ts'
import { DIGEST_BYTES } from '../../base/digest.ts'
import { err } from '../../base/result.ts'
import { hashAlgorithmOf } from '../../evidence/tpm/algorithms.ts'
import type { PcrBank } from '../../evidence/tpm/pcr.ts'
import {
  MAX_LOG_BYTES,
  MAX_LOGS,
  MAX_OTHER_KEYS,
  MAX_PCR_BANKS,
  MAX_PCRS,
  MAX_TPM_STRUCTURE_BYTES,
} from '../limits.ts'
import type {
  BootEvidence,
  BootLogs,
  KeyCertification,
  OtherKey,
  RequestKey,
  RequestKeyBinding,
} from '../steps/attestation-evidence.ts'
import { readRsaJwk } from '../steps/public-jwk.ts'
import { readAik } from './attest-request-v1.ts'
import type { Accept, MessageReader } from './message-reader.ts'
import type { RequestData, RequestDataFailure, RequestType } from './request-data.ts'

/** The names that `info.tpm_quote.hash_alg` may have. */
const QUOTE_HASHES: ReadonlyMap<string, HashAlgorithm> = new Map([
  ['sha-256', 'sha256'],
  ['sha-384', 'sha384'],
  ['sha-512', 'sha512'],
])
const MAX_NAME_CHARS = 16
const MAX_TPM_ALG_ID = 0xffff

/** Reads the members of a version 2 request. Its key is bound by the TPM in either type. */
export function readDataV2(
  signed: MessageReader,
  _type: RequestType,
  accept: Accept<RequestDataFailure>,
): RequestData {
  const tpm = signed.object('tpm_att_data')
  const boot = tpm.optionalObject('boot_attestation')
  return {
    current: readBootEvidence(tpm.object('current_attestation'), accept),
    beforeHibernation: boot && readBootEvidence(boot, accept),
    requestKey: readRequestKey(signed.object('request_key'), accept),
    otherKeys: signed
      .optionalObjects('other_keys', MAX_OTHER_KEYS)
      .map((reader) => readOtherKey(reader, accept)),
  }
}

function readBootEvidence(reader: MessageReader, accept: Accept<RequestDataFailure>): BootEvidence {
  return {
    aik: readAik(reader, accept),
    logs: readLogs(reader),
    statement: {
      quote: reader.bytes('quote', MAX_TPM_STRUCTURE_BYTES),
      signature: reader.bytes('signature', MAX_TPM_STRUCTURE_BYTES),
      pcrs: reader.objects('pcrs', MAX_PCR_BANKS).map(readBank),
    },
  }
}

/**
 * Logs come in measurement order, so the first TCG log is the firmware's and a second one that of a
 * dynamic launch. An IMA log, which Azure takes from Linux agents, is let through and not read: no
 * claim of ours comes from it. Any other type is refused.
 */
function readLogs(reader: MessageReader): BootLogs {
  const logs = reader.objects('logs', MAX_LOGS).map((log) => {
    const type = log.string('type', MAX_NAME_CHARS)
    if (type !== 'TCG' && type !== 'IMA') log.fail('message_member_invalid', 'type')
    return { type, bytes: log.bytes('log', MAX_LOG_BYTES) }
  })
  const [srtm, drtm, ...more] = logs.filter((log) => log.type === 'TCG')
  if (srtm === undefined) reader.fail('message_member_missing', 'logs')
  if (more.length > 0) reader.fail('message_member_too_long', 'logs')
  return {
    srtm: srtm.bytes,
    drtm: drtm?.bytes,
    hasIma: logs.some((log) => log.type === 'IMA'),
  }
}

function readBank(reader: MessageReader): PcrBank {
  const algorithm = hashAlgorithmOf(reader.integer('algorithm', MAX_TPM_ALG_ID))
  if (algorithm === undefined) reader.fail('message_member_invalid', 'algorithm')
  const values = new Map<number, Uint8Array>()
  for (const value of reader.objects('values', MAX_PCRS)) {
    const index = value.integer('index', MAX_PCRS - 1)
    if (values.has(index)) value.fail('message_member_invalid', 'index')
    const bytes = value.bytes('digest', DIGEST_BYTES[algorithm])
    if (bytes.length !== DIGEST_BYTES[algorithm]) value.fail('message_member_invalid', 'digest')
    values.set(index, bytes)
  }
  return { algorithm, values }
}

/**
 * A quote is always present, so the request key must be bound to the TPM, in exactly one of the two
 * documented ways. Unknown ways are refused, because they would leave the key unbound.
 */
function readRequestKey(reader: MessageReader, accept: Accept<RequestDataFailure>): RequestKey {
  const jwk = reader.object('jwk')
  const info = reader.optionalObject('info')
  const quoted = info?.has('tpm_quote') === true
  const certified = info?.has('tpm_certify') === true
  if (info === undefined || !(quoted || certified)) {
    return accept(err({ reason: 'request_key_unbound' }))
  }
  if (quoted && certified) return accept(err({ reason: 'request_key_binding_ambiguous' }))
  const binding: RequestKeyBinding = quoted
    ? readQuoteBinding(info.object('tpm_quote'))
    : { kind: 'tpm_certify', certification: readCertification(info.object('tpm_certify')) }
  return { jwk: accept(readRsaJwk(jwk, 'request_key')), jwkText: jwk.text, binding }
}

function readQuoteBinding(reader: MessageReader): RequestKeyBinding {
  const hashName = reader.string('hash_alg', MAX_NAME_CHARS)
  const hash = QUOTE_HASHES.get(hashName)
  if (hash === undefined) reader.fail('message_member_invalid', 'hash_alg')
  return { kind: 'tpm_quote', hash, hashName }
}

function readOtherKey(reader: MessageReader, accept: Accept<RequestDataFailure>): OtherKey {
  const info = reader.optionalObject('info')
  // Only the request key can be in the quote, and an unknown binding must not look like none.
  if (info && !info.has('tpm_certify')) reader.fail('message_member_invalid', 'info')
  return {
    jwk: accept(readRsaJwk(reader.object('jwk'), 'other_keys')),
    certification: info && readCertification(info.object('tpm_certify')),
  }
}

function readCertification(reader: MessageReader): KeyCertification {
  return {
    publicArea: reader.bytes('public', MAX_TPM_STRUCTURE_BYTES),
    certification: reader.bytes('certification', MAX_TPM_STRUCTURE_BYTES),
    signature: reader.bytes('signature', MAX_TPM_STRUCTURE_BYTES),
  }
}
