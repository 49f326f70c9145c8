import { generateKeyPairSync } from 'node:crypto'
import { DIGEST_BYTES } from '../../../../src/base/digest.ts'
import { toBase64Url } from '../../../../src/base/encoding.ts'
import type { RefusalBench } from '../../../../src/cli/vectors/refusal-bench.ts'
import { withEvidence } from '../../../../src/cli/vectors/refusals/evidence.ts'
import { CURRENT } from '../../../../src/cli/vectors/refusals/plan.ts'
import { toBootLog } from '../../../../src/simulator/boot-log.ts'
import { ByteWriter, toUtf16 } from '../../../../src/simulator/byte-writer.ts'
import { SIPA, sipaGroup, sipaSecureKernelKey } from '../../../../src/simulator/sipa.ts'
import { digestEvent, EV, type MeasuredEvent } from '../../../../src/simulator/tcg-log-encoding.ts'
import { TPM_ALG } from '../../../../src/simulator/tpm-encoding.ts'
import type { RefusalCase } from './case.ts'

/** A start that measured other events, of which TPM and log agree. */
function after(change: (events: readonly MeasuredEvent[]) => readonly MeasuredEvent[]) {
  return async (bench: RefusalBench) => bench.request({ device: await bench.deviceAfter(change) })
}

const isVariable = (event: MeasuredEvent, name: string) =>
  event.type === EV.efiVariableDriverConfig &&
  Buffer.from(event.data).includes(Buffer.from(toUtf16(name, false)))
const isSecureBoot = (event: MeasuredEvent) => isVariable(event, 'SecureBoot')
const isFirmwareSeparator = ({ pcr, type }: MeasuredEvent) => pcr === 7 && type === EV.separator
const KEY_ID = new ByteWriter().u32le(SIPA.vsmIdksInfo).toBytes()
const hasSigner = ({ pcr, data }: MeasuredEvent) =>
  pcr === 12 && Buffer.from(data).includes(Buffer.from(KEY_ID))

/** An event of Windows with another identity signing key of a secure kernel. */
function signerEvent(): MeasuredEvent {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = sipaSecureKernelKey(SIPA.vsmIdksInfo, privateKey)
  return digestEvent({ pcr: 12, type: EV.eventTag, data: sipaGroup(SIPA.trustBoundary, [key]) })
}

/** Two logs of the type TCG: the second is that of a dynamic launch. */
function withSecondLog(bytes: Uint8Array) {
  return async (bench: RefusalBench) =>
    bench.request({
      device: await bench.deviceAfter(),
      tamper: withEvidence(({ logs }) => ({
        logs: [...logs, { type: 'TCG', log: toBase64Url(bytes) }],
      })),
    })
}

/** TCG_PCR_EVENT2 with the digest of one bank only. */
function eventOfSha1(pcr: number): Uint8Array {
  return new ByteWriter()
    .u32le(pcr)
    .u32le(EV.efiAction)
    .u32le(1)
    .u16le(TPM_ALG.sha1)
    .bytes(new Uint8Array(DIGEST_BYTES.sha1))
    .sized32le(Uint8Array.of(1))
    .toBytes()
}

const inPcr = (pcr: number) => digestEvent({ pcr, type: EV.efiAction, data: Uint8Array.of(1) })

/** Boot logs, and the key in them that signs reports of enclaves. */
export const LOG_CASES: readonly RefusalCase[] = [
  {
    reason: 'log_bank_missing',
    tries: 'an event without a digest of the quoted bank',
    where: { member: `${CURRENT}.logs[0].log`, bank: 'sha256', pcrs: [5] },
    send: async (bench) =>
      bench.request({
        device: await bench.deviceAfter(),
        tamper: withEvidence(({ logs }) => ({
          logs: logs.map(({ type, log }) => {
            const bytes = Buffer.concat([Buffer.from(log, 'base64url'), eventOfSha1(5)])
            return { type, log: toBase64Url(bytes) }
          }),
        })),
      }),
  },
  {
    reason: 'log_event_unexpected',
    tries: 'a variable that is called something else',
    where: { member: `${CURRENT}.logs[0].log`, event: 6, offset: 649, pcrs: [7] },
    send: after((events) =>
      events.map((event) => (isVariable(event, 'PK') ? { ...event, type: EV.efiAction } : event)),
    ),
  },
  {
    reason: 'log_separator_duplicate',
    tries: 'two separators of the firmware in PCR 7',
    where: { member: `${CURRENT}.logs[0].log`, event: 11, offset: 1993, pcrs: [7] },
    send: after((events) =>
      events.flatMap((event) => (isFirmwareSeparator(event) ? [event, event] : event)),
    ),
  },
  {
    reason: 'log_variable_after_separator',
    tries: 'Secure Boot measured after the firmware closed PCR 7',
    where: { member: `${CURRENT}.logs[0].log`, event: 10, offset: 1868, pcrs: [7] },
    send: after((events) => {
      const measured = events.filter(isSecureBoot)
      return events
        .filter((event) => !isSecureBoot(event))
        .flatMap((event) => (isFirmwareSeparator(event) ? [event, ...measured] : event))
    }),
  },
  {
    reason: 'log_variable_duplicate',
    tries: 'Secure Boot measured twice',
    where: { member: `${CURRENT}.logs[0].log`, event: 6, offset: 649, pcrs: [7] },
    send: after((events) => events.flatMap((one) => (isSecureBoot(one) ? [one, one] : one))),
  },
  {
    reason: 'log_secure_boot_invalid',
    tries: 'Secure Boot neither off nor on',
    where: { member: `${CURRENT}.logs[0].log`, event: 5, offset: 524, pcrs: [7] },
    send: after((events) =>
      events.map((event) => {
        if (!isSecureBoot(event)) return event
        const data = Uint8Array.from(event.data)
        data[data.length - 1] = 2
        return digestEvent({ ...event, data })
      }),
    ),
  },
  {
    reason: 'log_claim_conflict',
    tries: 'two keys that sign reports',
    where: { member: `${CURRENT}.logs[0].log`, event: 30, offset: 5887, pcrs: [12] },
    send: after((events) =>
      events.flatMap((event) => (hasSigner(event) ? [event, signerEvent()] : event)),
    ),
  },
  {
    reason: 'drtm_log_foreign_pcr',
    tries: 'a log of a dynamic launch about PCR 7',
    where: { member: `${CURRENT}.logs[1].log`, event: 2, offset: 230, pcrs: [7] },
    send: withSecondLog(toBootLog(0, [inPcr(7)]).bytes),
  },
  {
    reason: 'drtm_log_pcr_mismatch',
    tries: 'a log of a dynamic launch that never was',
    where: { member: `${CURRENT}.logs[1].log`, bank: 'sha256', pcrs: [17, 18, 19, 20, 21, 22] },
    send: withSecondLog(toBootLog(0, [inPcr(17)]).bytes),
  },
  {
    reason: 'enclave_signer_unknown',
    tries: 'a report of a boot that measured no key for reports',
    where: { member: 'request.att_data.vsm_report.enclave.report' },
    send: after((events) => events.filter((event) => !hasSigner(event))),
  },
]
