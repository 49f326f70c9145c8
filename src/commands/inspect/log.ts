import { equalBytes, type HashAlgorithm } from '../../digest.ts'
import { toHex } from '../../encoding.ts'
import { readBootClaims } from '../../evidence/event-log/claims.ts'
import { describeEvents } from '../../evidence/event-log/describe.ts'
import { initialPcr, replayLog, verifyReplay } from '../../evidence/event-log/replay.ts'
import { parseTcgLog, type TcgLog } from '../../evidence/event-log/tcg-log.ts'
import type { PcrBank } from '../../evidence/tpm/pcr.ts'
import { ok } from '../../failure.ts'
import { readArguments, UsageError } from '../arguments.ts'
import { renderTable } from '../table.ts'
import { isBank, readBytes, readPcrFile } from './files.ts'
import { type Finding, fields, report, verdictOf } from './finding.ts'

const OPTIONS = {
  pcrs: { type: 'string' },
  bank: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

type Replay = {
  readonly bank: HashAlgorithm
  readonly pcr: number
  readonly computed: string
  readonly given?: string
  readonly result: 'match' | 'mismatch' | 'not compared'
}

export async function inspectLog(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS)
  const bytes = readBytes(positionals[0], 'the log file')
  const { bank } = values
  if (bank !== undefined && !isBank(bank)) throw new UsageError(`there is no bank '${bank}'`)
  const given = values.pcrs === undefined ? undefined : readPcrFile(values.pcrs, bank)
  const log = parseTcgLog(bytes)
  const finding: Finding = log.ok
    ? describe(log.value, given, bank)
    : { ...verdictOf(log), remarks: [] }
  return report(finding, { json: values.json, text: explain(finding) })
}

function describe(
  log: TcgLog,
  given: readonly PcrBank[] | undefined,
  bank: HashAlgorithm | undefined,
): Finding {
  const banks = given ?? banksOf(log, bank).map((name) => replayLog(log, name))
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

function banksOf(log: TcgLog, bank: HashAlgorithm | undefined): readonly HashAlgorithm[] {
  if (bank === undefined) return log.algorithms
  if (!log.algorithms.includes(bank)) {
    throw new UsageError(`the log has no ${bank} digests, but ${log.algorithms.join(', ')}`)
  }
  return [bank]
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

function explain(finding: Finding): string {
  const { format, banks, startup_locality, where } = finding
  const head = fields({ format, banks, 'startup locality': startup_locality, where })
  if (!Array.isArray(finding.replay) || !Array.isArray(finding.events)) return head
  const replay = finding.replay as readonly Replay[]
  const events = finding.events as ReturnType<typeof describeEvents>
  const claims = typeof finding.claims === 'object' && finding.claims !== null ? finding.claims : {}
  const pcrTable = renderTable(
    ['bank', 'pcr', 'replayed', 'result'],
    replay.map((row) => [row.bank, String(row.pcr), row.computed, row.result]),
  )
  const eventTable = renderTable(
    ['#', 'pcr', 'type', 'data'],
    events.map((e) => [String(e.sequence), String(e.pcr), e.typeName, e.description]),
  )
  return `${head}\nEvents (types are not covered by any digest):\n${eventTable}\n\nReplay:\n${pcrTable}\n\nClaims:\n${fields({ ...claims })}\n`
}
