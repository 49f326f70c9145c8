import { DIGEST_BYTES } from '../../../base/digest.ts'
import { HASH_IDS, hashAlgorithmOf } from '../../../evidence/tpm/algorithms.ts'
import type { PcrBank } from '../../../evidence/tpm/pcr.ts'
import {
  MAX_LOG_BYTES,
  MAX_LOGS,
  MAX_PCR_BANKS,
  MAX_PCRS,
  MAX_TPM_STRUCTURE_BYTES,
} from '../../limits.ts'
import type { Accept, MessageReader } from '../../protocol/message-reader.ts'
import type { JwkFailure } from '../../protocol/public-jwk.ts'
import { readAik } from './read-aik.ts'
import type { BootEvidence, BootLogs, TpmEvidence } from './tpm-evidence.ts'

/** What version 1 has in `tpm_att_data`, and version 2 inside `current_attestation` or nowhere. */
export const MEMBERS_OF_V1 = [
  ...['srtm_boot_log', 'srtm_resume_log', 'drtm_boot_log', 'drtm_resume_log'],
  ...['aik_cert', 'aik_cert_chain', 'aik_pub', 'current_claim', 'boot_claim'],
]
const MAX_NAME_CHARS = 16
const MAX_TPM_ALG_ID = 0xffff

/** Reads `tpm_att_data` of a version 2 request. */
export function readTpmV2(tpm: MessageReader, accept: Accept<JwkFailure>): TpmEvidence {
  tpm.refuseMisplaced(
    MEMBERS_OF_V1,
    'what current_attestation has in its place, or attReq as typ: version 1 has it here, and typ says version 2',
  )
  const boot = tpm.optionalObject('boot_attestation')
  return {
    current: readBootEvidence(tpm.object('current_attestation'), accept),
    beforeHibernation: boot && readBootEvidence(boot, accept),
  }
}

function readBootEvidence(reader: MessageReader, accept: Accept<JwkFailure>): BootEvidence {
  return {
    aik: readAik(reader, accept),
    logs: readLogs(reader),
    statement: {
      quote: reader.bytes('quote', MAX_TPM_STRUCTURE_BYTES),
      signature: reader.bytes('signature', MAX_TPM_STRUCTURE_BYTES),
      pcrs: reader.objects('pcrs', MAX_PCR_BANKS).map(readBank),
      members: {
        quote: reader.at('quote'),
        signature: reader.at('signature'),
        pcrs: reader.at('pcrs'),
      },
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
    if (type !== 'TCG' && type !== 'IMA') log.fail('message_member_invalid', 'type', 'TCG or IMA')
    return { type, bytes: log.bytes('log', MAX_LOG_BYTES), member: log.at('log') }
  })
  const [srtm, drtm, ...more] = logs.filter((log) => log.type === 'TCG')
  if (srtm === undefined) reader.fail('message_member_missing', 'logs', 'a log of type TCG')
  if (more.length > 0) {
    reader.fail('message_member_too_long', 'logs', 'at most two logs of type TCG')
  }
  return {
    srtm: srtm.bytes,
    drtm: drtm?.bytes,
    hasIma: logs.some((log) => log.type === 'IMA'),
    members: { srtm: srtm.member, drtm: drtm?.member ?? '' },
  }
}

function readBank(reader: MessageReader): PcrBank {
  const algorithm = hashAlgorithmOf(reader.integer('algorithm', MAX_TPM_ALG_ID, HASH_IDS))
  if (algorithm === undefined) {
    reader.fail('message_member_invalid', 'algorithm', HASH_IDS)
  }
  const values = new Map<number, Uint8Array>()
  for (const value of reader.objects('values', MAX_PCRS)) {
    const index = value.integer('index', MAX_PCRS - 1)
    if (values.has(index)) value.fail('message_member_invalid', 'index', 'each index once')
    values.set(index, value.fixedBytes('digest', DIGEST_BYTES[algorithm]))
  }
  return { algorithm, values }
}
