import { toBase64Url } from '../../../base/encoding.ts'
import { claimSecureBoot } from '../../../simulator/tampering.ts'
import { EV } from '../../../simulator/tcg-log-encoding.ts'
import type { RefusalBench } from '../refusal-bench.ts'
import { withEvidence } from './evidence.ts'
import { CURRENT, type RefusalPlan } from './plan.ts'

async function lie(bench: RefusalBench, digests: 'kept' | 'recomputed') {
  const honest = await bench.deviceAfter((events) => events, { secureBoot: false })
  return bench.request({ device: claimSecureBoot(honest, digests) })
}

/** The boot log. */
export const LOG_REFUSALS: readonly RefusalPlan[] = [
  {
    name: 'log-byte-too-many',
    changed: 'The log has one byte more at its end.',
    ...{ status: 400, code: 'trailing_bytes' },
    where: { member: `${CURRENT}.logs[0].log`, event: 5, offset: 577, structure: 'TCG_EVENT_LOG' },
    send: (bench) =>
      bench.request({
        tamper: withEvidence(({ logs }) => ({
          logs: logs.map((log) => {
            const bytes = Buffer.from(log.log, 'base64url')
            return { ...log, log: toBase64Url(Buffer.concat([bytes, Uint8Array.of(0)])) }
          }),
        })),
      }),
  },
  {
    name: 'log-rewritten',
    changed: 'Secure Boot is off; the log says on, with the digest to it.',
    ...{ status: 400, code: 'log_pcr_mismatch' },
    where: { member: `${CURRENT}.logs[0].log`, bank: 'sha256', pcrs: [7] },
    send: (bench) => lie(bench, 'recomputed'),
  },
  {
    name: 'log-event-edited',
    changed: 'Secure Boot is off; the log says on, with the digest of off.',
    ...{ status: 400, code: 'log_event_digest_mismatch' },
    where: { member: `${CURRENT}.logs[0].log`, event: 5, offset: 524, pcrs: [7] },
    send: (bench) => lie(bench, 'kept'),
  },
  {
    name: 'log-separator-missing',
    changed: 'The firmware measured no separator into PCR 7.',
    ...{ status: 400, code: 'log_separator_missing' },
    where: { member: `${CURRENT}.logs[0].log`, pcrs: [7] },
    async send(bench) {
      const device = await bench.deviceAfter((events) =>
        events.filter(({ pcr, type }) => !(pcr === 7 && type === EV.separator)),
      )
      return bench.request({ device })
    },
  },
]
