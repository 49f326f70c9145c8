import { err, ok, type Result } from './result.ts'

/*
 * Comma-separated values, RFC 4180: records end with CRLF, and what holds a comma, a quote or an end of a
 * line stands in quotes. What is read may end its lines with LF alone, and begin with a byte order mark.
 */

export const CSV_REASONS = ['csv_malformed'] as const

export type CsvFailure = {
  readonly reason: (typeof CSV_REASONS)[number]
  /** From 1. */
  readonly line: number
  readonly message: string
}

/** One record and the line of the file on which it begins, from 1. */
export type CsvRecord = { readonly line: number; readonly cells: readonly string[] }

/**
 * Begins what spreadsheets take for a formula (OWASP, "CSV Injection"), behind any number of the
 * apostrophes that keep them from it.
 */
const FORMULA = /^'*[=+\-@\t\r]/
const GUARDED = /^'+[=+\-@\t\r]/

/** One record, its line end included. A cell that a spreadsheet would compute is led by an apostrophe. */
export function formatCsvRecord(cells: readonly string[]): string {
  return `${cells.map(formatCell).join(',')}\r\n`
}

function formatCell(text: string): string {
  const guarded = FORMULA.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded
}

/** The text that was written as a cell by `formatCsvRecord`. */
export function unguardCell(cell: string): string {
  return GUARDED.test(cell) ? cell.slice(1) : cell
}

/** What a record is made of, at one place: a cell in quotes, one without, and what ends it. */
const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y

/** All records of a text; a blank line is none. */
export function parseCsv(text: string): Result<readonly CsvRecord[], CsvFailure> {
  const records: CsvRecord[] = []
  let cells: string[] = []
  let line = 1
  let begun = 1
  CELL.lastIndex = text.startsWith('\uFEFF') ? 1 : 0
  while (CELL.lastIndex < text.length || cells.length > 0) {
    const match = CELL.exec(text)
    if (match === null) {
      const message = 'a quote stands in a cell that does not begin with one, or is not closed'
      return err({ reason: 'csv_malformed', line: begun, message })
    }
    const [whole, quoted, plain = '', end] = match
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    for (const character of whole) if (character === '\n') line += 1
    if (end === ',') continue
    if (cells.length > 1 || cells[0] !== '') records.push({ line: begun, cells })
    cells = []
    begun = line
  }
  return ok(records)
}
