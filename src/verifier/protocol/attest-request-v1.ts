import { parseTpmsAttest } from '../../evidence/tpm/attest.ts'
import { keepSelectedPcrs } from '../../evidence/tpm/pcr.ts'
import { parsePlatformStatement } from '../../evidence/tpm/platform-statement.ts'
import {
  MAX_CERTIFICATE_BYTES,
  MAX_CHAIN_CERTIFICATES,
  MAX_LOG_BYTES,
  MAX_PLATFORM_STATEMENT_BYTES,
} from '../limits.ts'
import type { AikEvidence, BootEvidence, QuotedPcrs } from '../steps/attestation-evidence.ts'
import { readPublicJwk, readRsaJwk } from '../steps/public-jwk.ts'
import type { Accept, MessageReader } from './message-reader.ts'
import type { RequestData, RequestDataFailure, RequestType } from './request-data.ts'

/**
 * Reads the members of a version 1 request.
 *
 * After a hibernation the TPM was reset: the fresh `current_claim` speaks of the resume, whose log
 * is `srtm_resume_log`, and `boot_claim` with `srtm_boot_log` of the cold boot before it. Without a
 * resume, `current_claim` proves the boot log, `boot_claim` could add nothing to that, and it is
 * only looked at for being well-formed.
 *
 * The quotes bind the challenge and nothing of the request, so its key counts through the enclave's
 * report or not at all.
 */
export function readDataV1(
  signed: MessageReader,
  type: RequestType,
  accept: Accept<RequestDataFailure>,
): RequestData {
  const tpm = signed.object('tpm_att_data')
  const aik = readAik(tpm, accept)
  const log = (name: string) => tpm.optionalBytes(name, MAX_LOG_BYTES)
  const statement = (name: string) => readStatement(tpm, name, accept)
  const session = (name: string, srtm: Uint8Array, drtm: Uint8Array | undefined): BootEvidence => ({
    aik,
    logs: { srtm, drtm, hasIma: false },
    statement: statement(name),
  })
  const bootLog = tpm.bytes('srtm_boot_log', MAX_LOG_BYTES)
  const bootDrtm = log('drtm_boot_log')
  const resumeLog = log('srtm_resume_log')
  const resumeDrtm = log('drtm_resume_log')
  const resumed = resumeLog !== undefined
  if (!resumed && resumeDrtm !== undefined) tpm.fail('message_member_missing', 'srtm_resume_log')
  if (!resumed && tpm.has('boot_claim')) statement('boot_claim')
  const key = signed.object('attest_key')
  return {
    current: resumed
      ? session('current_claim', resumeLog, resumeDrtm)
      : session('current_claim', bootLog, bootDrtm),
    beforeHibernation: resumed ? session('boot_claim', bootLog, bootDrtm) : undefined,
    requestKey: {
      jwk: accept(readRsaJwk(key, 'attest_key')),
      jwkText: key.text,
      binding: { kind: type === 'vbs' ? 'enclave_report' : 'none' },
    },
    otherKeys: [],
  }
}

/**
 * Both versions name the attestation key by certificate, by key, or by both. `aik_cert_chain` is our
 * own: Azure's protocol has room for one certificate, and ignores members that it does not know.
 */
export function readAik(reader: MessageReader, accept: Accept<RequestDataFailure>): AikEvidence {
  const publicKey = reader.optionalObject('aik_pub')
  return {
    publicKey: publicKey && accept(readPublicJwk(publicKey, 'aik_pub')),
    certificate: reader.optionalBytes('aik_cert', MAX_CERTIFICATE_BYTES),
    chain: reader.optionalByteStrings(
      'aik_cert_chain',
      MAX_CHAIN_CERTIFICATES,
      MAX_CERTIFICATE_BYTES,
    ),
  }
}

/** NCRYPT_TPM_PLATFORM_ATTESTATION_STATEMENT, as NCryptCreateClaim returns it. */
function readStatement(
  tpm: MessageReader,
  name: string,
  accept: Accept<RequestDataFailure>,
): QuotedPcrs {
  const bytes = tpm.bytes(name, MAX_PLATFORM_STATEMENT_BYTES)
  const { quote, signature, pcrs } = accept(parsePlatformStatement(bytes))
  const { attested } = accept(parseTpmsAttest(quote))
  // The statement lists all PCRs, whatever its quote covers; what it does not cover is not evidence.
  const selections = attested.kind === 'quote' ? attested.selections : []
  return { quote, signature, pcrs: keepSelectedPcrs([pcrs], selections) }
}
