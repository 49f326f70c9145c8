import { inMember } from '../../../base/located.ts'
import type { ParseFailure } from '../../../evidence/bytes.ts'
import { parseTpmsAttest } from '../../../evidence/tpm/attest.ts'
import { keepSelectedPcrs } from '../../../evidence/tpm/pcr.ts'
import { parsePlatformStatement } from '../../../evidence/tpm/platform-statement.ts'
import { MAX_LOG_BYTES, MAX_PLATFORM_STATEMENT_BYTES } from '../../limits.ts'
import type { Accept, MessageReader } from '../../protocol/message-reader.ts'
import type { JwkFailure } from '../../protocol/public-jwk.ts'
import { readAik } from './read-aik.ts'
import type { BootEvidence, QuotedPcrs, TpmEvidence } from './tpm-evidence.ts'

/**
 * Reads `tpm_att_data` of a version 1 request.
 *
 * After a hibernation the TPM was reset: the fresh `current_claim` speaks of the resume, whose log
 * is `srtm_resume_log`, and `boot_claim` with `srtm_boot_log` of the cold boot before it. Without a
 * resume, `current_claim` proves the boot log, `boot_claim` could add nothing to that, and it is
 * only looked at for being well-formed.
 */
export function readTpmV1(
  tpm: MessageReader,
  accept: Accept<JwkFailure | ParseFailure>,
): TpmEvidence {
  tpm.refuseMisplaced(
    ['current_attestation', 'boot_attestation'],
    'current_claim or boot_claim, or attReqV2 as typ: only version 2 has it, and typ says version 1',
  )
  const aik = readAik(tpm, accept)
  const log = (name: string) => tpm.optionalBytes(name, MAX_LOG_BYTES)
  const statement = (name: string) => readStatement(tpm, name, accept)
  const session = (
    name: string,
    kind: 'boot' | 'resume',
    [srtm, drtm]: readonly [Uint8Array, Uint8Array | undefined],
  ): BootEvidence => {
    const members = { srtm: tpm.at(`srtm_${kind}_log`), drtm: tpm.at(`drtm_${kind}_log`) }
    return { aik, logs: { srtm, drtm, hasIma: false, members }, statement: statement(name) }
  }
  const bootLog = tpm.bytes('srtm_boot_log', MAX_LOG_BYTES)
  const bootDrtm = log('drtm_boot_log')
  const resumeLog = log('srtm_resume_log')
  const resumeDrtm = log('drtm_resume_log')
  if (resumeLog === undefined) {
    if (resumeDrtm !== undefined) {
      tpm.fail(
        'message_member_missing',
        'srtm_resume_log',
        'the log that drtm_resume_log belongs to',
      )
    }
    if (tpm.optionalBytes('boot_claim', MAX_PLATFORM_STATEMENT_BYTES) !== undefined) {
      statement('boot_claim')
    }
    const current = session('current_claim', 'boot', [bootLog, bootDrtm])
    return { current, beforeHibernation: undefined }
  }
  return {
    current: session('current_claim', 'resume', [resumeLog, resumeDrtm]),
    beforeHibernation: session('boot_claim', 'boot', [bootLog, bootDrtm]),
  }
}

/** NCRYPT_TPM_PLATFORM_ATTESTATION_STATEMENT, as NCryptCreateClaim returns it. */
function readStatement(tpm: MessageReader, name: string, accept: Accept<ParseFailure>): QuotedPcrs {
  const bytes = tpm.bytes(name, MAX_PLATFORM_STATEMENT_BYTES)
  const member = tpm.at(name)
  const { quote, signature, pcrs } = accept(inMember(member, parsePlatformStatement(bytes)))
  const start = {
    quote: quote.byteOffset - bytes.byteOffset,
    signature: signature.byteOffset - bytes.byteOffset,
  }
  const { attested } = accept(inMember(member, parseTpmsAttest(quote), start.quote))
  // The statement lists all PCRs, whatever its quote covers; what it does not cover is not evidence.
  const selections = attested.kind === 'quote' ? attested.selections : []
  const members = { quote: member, signature: member, pcrs: member, start }
  return { quote, signature, pcrs: keepSelectedPcrs([pcrs], selections), members }
}
