import { equalBytes, type HashAlgorithm } from '../../base/digest.ts'
import { toHex } from '../../base/encoding.ts'
import { ok } from '../../base/result.ts'
import type { BootClaims } from '../../evidence/event-log/claims.ts'
import { describeEvents, type EventDescription } from '../../evidence/event-log/describe.ts'
import { initialPcr, replayLog } from '../../evidence/event-log/replay.ts'
import { parseTcgLog, type TcgLog } from '../../evidence/event-log/tcg-log.ts'
import { describeUnread } from '../../evidence/event-log/unread.ts'
import type { PcrBank } from '../../evidence/tpm/pcr.ts'
import { readMeasuredBoot } from '../../verifier/kinds/tpm/boot-evidence.ts'
import { IMA_PCR } from '../../verifier/kinds/tpm/boot-log-proof.ts'
import type { BootLogs } from '../../verifier/kinds/tpm/tpm-evidence.ts'
import { verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import {
  FINDING_EXITS,
  FINDING_JSON,
  type Finding,
  report,
  verdictOf,
} from '../framework/finding.ts'
import { flag, oneOf, required, text } from '../framework/options.ts'
import { readBytes } from '../framework/read-file.ts'
import { renderTable } from '../framework/table.ts'
import { UsageError } from '../framework/usage-error.ts'
import { ownPcrs, PLACES } from './boot-log.ts'
import { BANKS, PCR_FILE_HELP, readPcrFile } from './pcr-file.ts'

type Replay = {
  readonly bank: HashAlgorithm
  readonly pcr: number
  readonly computed: string
  readonly given?: string
  readonly result: 'match' | 'mismatch' | 'not compared'
}

export const inspectLog = verb({
  summary: 'a TCG boot log: its claims, the PCR values it replays to, and its events',
  about: `What the service would refuse is refused, for the same reason: it goes by one bank, the strongest
that was both quoted and logged (SHA-1 does not count), and wants PCRs 0 to 7 and 11 to 14.`,
  arguments: { file: required(text('FILE', 'the log')) },
  options: {
    pcrs: text('FILE', PCR_FILE_HELP),
    bank: oneOf('BANK', 'look at this bank only, such as sha256', BANKS),
    drtm: text('FILE', 'the log of a dynamic launch that was sent with it, with --pcrs'),
    ima: flag('an IMA log was sent with it, which extends PCR 10'),
  },
  json: FINDING_JSON,
  exits: FINDING_EXITS,
  run({ file, pcrs, bank, drtm, ima, json }) {
    if (drtm !== undefined && pcrs === undefined) {
      throw new UsageError('--drtm is held against PCR values: say --pcrs, too')
    }
    const launch = drtm === undefined ? undefined : readBytes(drtm)
    const members = PLACES.logs
    const logs: BootLogs = { srtm: readBytes(file), drtm: launch, hasIma: ima, members }
    const given = pcrs === undefined ? ok(undefined) : readPcrFile(pcrs, bank)
    const log = parseTcgLog(logs.srtm)
    const refused = [log, given].find((one) => !one.ok)
    const finding: Finding =
      log.ok && given.ok
        ? describe(logs, log.value, { given: given.value, bank })
        : { ...verdictOf(refused ?? ok(undefined)), remarks: [] }
    return report(finding, { json, text: explain(finding) })
  },
})

function describe(
  logs: BootLogs,
  log: TcgLog,
  {
    given,
    bank,
  }: {
    readonly given: readonly PcrBank[] | undefined
    readonly bank: HashAlgorithm | undefined
  },
): Finding {
  const own = (bank === undefined ? log.algorithms : [bank]).map((name) => ownPcrs(log, name))
  const banks = given ?? own
  const measured = readMeasuredBoot(logs, banks, PLACES.pcrs)
  const isCompared = (pcr: number) => given !== undefined && !(logs.hasIma && pcr === IMA_PCR)
  const remarks: string[] = []
  if (given === undefined) {
    remarks.push(
      'no PCR values were given (--pcrs), so nothing proves that this log is what was measured',
    )
  }
  remarks.push(...describeUnread(log))
  return {
    ...nameEvent(verdictOf(measured), log),
    format: log.format,
    banks: log.algorithms,
    startup_locality: log.startupLocality,
    claims: measured.ok ? measured.value.claims : {},
    identity_signing_key: measured.ok ? measured.value.idks : undefined,
    replay: banks.flatMap((pcrs) => compare(log, pcrs, isCompared)),
    events: describeEvents(log),
    remarks,
  }
}

/** The event that is refused by its type, too, and not by a number. */
function nameEvent(verdict: ReturnType<typeof verdictOf>, { events }: TcgLog) {
  const { where } = verdict
  const event = events.find(({ sequence }) => sequence === where?.event)
  return event === undefined ? verdict : { ...verdict, where: { ...where, type: event.typeName } }
}

function compare(log: TcgLog, pcrs: PcrBank, isCompared: (pcr: number) => boolean): Replay[] {
  const bank = pcrs.algorithm
  const replayed = replayLog(log, bank).values
  const indexes = [...new Set([...pcrs.values.keys(), ...replayed.keys()])].sort((a, b) => a - b)
  return indexes.map((pcr) => {
    const computed = replayed.get(pcr) ?? initialPcr(log, bank, pcr)
    const given = isCompared(pcr) ? pcrs.values.get(pcr) : undefined
    if (given === undefined) return { bank, pcr, computed: toHex(computed), result: 'not compared' }
    const result = equalBytes(computed, given) ? 'match' : 'mismatch'
    return { bank, pcr, computed: toHex(computed), given: toHex(given), result }
  })
}

function explain({ format, banks, startup_locality, claims, replay, events }: Finding): string {
  if (!Array.isArray(replay) || !Array.isArray(events)) return ''
  const head = fields({ format, banks, 'startup locality': startup_locality })
  const listed = fields({ ...(claims as BootClaims) }) || '  none\n'
  const pcrTable = renderTable(
    ['bank', 'pcr', 'replayed', 'result'],
    replay.map((row: Replay) => [row.bank, String(row.pcr), row.computed, describeResult(row)]),
  )
  const eventTable = renderTable(
    ['#', 'pcr', 'type', 'data'],
    events.map((event: EventDescription) => [
      String(event.sequence),
      String(event.pcr),
      event.typeName,
      event.description,
    ]),
  )
  return `${head}
Claims
${listed}
PCRs
${pcrTable}

Events (no digest covers their types)
${eventTable}
`
}

function describeResult({ result, given }: Replay): string {
  return result === 'mismatch' ? `MISMATCH: the PCR is ${given}` : result
}
