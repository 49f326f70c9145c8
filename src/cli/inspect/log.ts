import { equalBytes, type HashAlgorithm } from '../../base/digest.ts'
import { toHex } from '../../base/encoding.ts'
import { ok } from '../../base/result.ts'
import { type BootClaims, readBootClaims } from '../../evidence/event-log/claims.ts'
import { describeEvents, type EventDescription } from '../../evidence/event-log/describe.ts'
import { initialPcr, replayLog, verifyReplay } from '../../evidence/event-log/replay.ts'
import { parseTcgLog, type TcgLog } from '../../evidence/event-log/tcg-log.ts'
import type { PcrBank } from '../../evidence/tpm/pcr.ts'
import { verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import {
  FINDING_EXITS,
  FINDING_JSON,
  type Finding,
  report,
  verdictOf,
} from '../framework/finding.ts'
import { oneOf, required, text } from '../framework/options.ts'
import { readBytes } from '../framework/read-file.ts'
import { renderTable } from '../framework/table.ts'
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
  arguments: { file: required(text('FILE', 'the log')) },
  options: {
    pcrs: text('FILE', PCR_FILE_HELP),
    bank: oneOf('BANK', 'replay this bank only, such as sha256', BANKS),
  },
  json: FINDING_JSON,
  exits: FINDING_EXITS,
  run({ file, pcrs, bank, json }) {
    const bytes = readBytes(file)
    const given = pcrs === undefined ? ok(undefined) : readPcrFile(pcrs, bank)
    const log = parseTcgLog(bytes)
    const refused = [log, given].find((one) => !one.ok)
    const finding: Finding =
      log.ok && given.ok
        ? describe(log.value, given.value, bank)
        : { ...verdictOf(refused ?? ok(undefined)), remarks: [] }
    return report(finding, { json, text: explain(finding) })
  },
})

function describe(
  log: TcgLog,
  given: readonly PcrBank[] | undefined,
  bank: HashAlgorithm | undefined,
): Finding {
  const banks = given ?? (bank ? [bank] : log.algorithms).map((name) => replayLog(log, name))
  const outcomes = banks.map((pcrs) => verifyReplay({ log, pcrs }))
  const outcome = outcomes.find((one) => !one.ok) ?? ok(undefined)
  const best = strongest(outcomes.flatMap((one) => (one.ok ? [one.value] : [])))
  const measured = best && readBootClaims(best)
  const remarks: string[] = []
  if (given === undefined) {
    remarks.push(
      'no PCR values were given (--pcrs), so nothing proves that this log is what was measured',
    )
  }
  if (measured?.ok === false) {
    remarks.push(`no claims can be read from this log: ${measured.failure.reason}`)
  }
  return {
    ...verdictOf(outcome),
    format: log.format,
    banks: log.algorithms,
    startup_locality: log.startupLocality,
    claims: measured?.ok ? measured.value.claims : {},
    ...(measured?.ok === false && { claims_refused: measured.failure }),
    identity_signing_key: measured?.ok ? measured.value.idks : undefined,
    replay: banks.flatMap((pcrs) => compare(log, pcrs, given !== undefined)),
    events: describeEvents(log),
    remarks,
  }
}

/** Claims are read in the strongest bank that was proven. */
function strongest<T extends { readonly bank: HashAlgorithm }>(logs: readonly T[]): T | undefined {
  const order: readonly HashAlgorithm[] = ['sha512', 'sha384', 'sha256', 'sha1']
  return order.flatMap((bank) => logs.filter((log) => log.bank === bank))[0]
}

function compare(log: TcgLog, pcrs: PcrBank, isGiven: boolean): Replay[] {
  const bank = pcrs.algorithm
  const replayed = replayLog(log, bank).values
  const indexes = [...new Set([...pcrs.values.keys(), ...replayed.keys()])].sort((a, b) => a - b)
  return indexes.map((pcr) => {
    const computed = replayed.get(pcr) ?? initialPcr(log, bank, pcr)
    const given = isGiven ? pcrs.values.get(pcr) : undefined
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
