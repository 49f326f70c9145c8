import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { digest } from '../../src/base/digest.ts'
import type { Result } from '../../src/base/result.ts'
import type { ParseFailure } from '../../src/evidence/bytes.ts'
import { parseSipaElements } from '../../src/evidence/event-log/sipa.ts'
import {
  parseIdentityKey,
  parseRevocationList,
  parseSiPolicy,
} from '../../src/evidence/event-log/sipa-payloads.ts'
import { parsePlatformStatement } from '../../src/evidence/tpm/platform-statement.ts'
import { parseVbsReport } from '../../src/evidence/vbs/report.ts'
import { type RunFile, readAgentVectors, readFolder, readValue } from '../support/agent-vectors.ts'
import { describeVectors, vector } from '../support/vectors.ts'
import { bytes, identityKey, u16, u32, u64, utf16le } from './event-log/support.ts'

/*
 * The tables of docs/agent-evidence.md that have names are what a vendor looks a refusal up in: each name
 * is the one that the reader answers with, and each offset is where it begins to read. The report is held
 * against a real one of Windows besides; no real statement of NCRYPT_CLAIM_PLATFORM is at hand.
 */
const PAGE = readFileSync('docs/agent-evidence.md', 'utf8')

type Row = { readonly offset: number | undefined; readonly bytes: number; readonly name: string }
type Parser = (bytes: Uint8Array) => Result<unknown, ParseFailure>

const TABLE = /\| offset \| bytes \| name \| \|\n\|---\|---\|---\|---\|\n((?:\| .+\n)+)/g

const TABLES = [...PAGE.matchAll(TABLE)].map(([, rows = '']) =>
  [...rows.matchAll(/^\| (\d+|…) \| (\d+|…) \| `([\w.]+)` \|/gm)].map(
    ([, offset, bytes, name = '']): Row => ({
      offset: offset === '…' ? undefined : Number(offset),
      bytes: bytes === '…' ? Number.NaN : Number(bytes),
      name,
    }),
  ),
)

const [ofKey = [], ofStatement = [], ofReport = [], ofModule = []] = TABLES

const run = readFolder<RunFile>(readAgentVectors(), 'runs').find(({ name }) => name === 'v1-vbs')
const vectorValue = (name: string) => (run === undefined ? Buffer.alloc(0) : readValue(run, name))
const PACKAGE_HEADER = 24
const MODULES = 248

/** The report with its statement cut to this length, and sizes that say so. */
function cutReport(length: number): Uint8Array {
  const report = vectorValue('enclave_report')
  if (length < PACKAGE_HEADER) return report.subarray(0, length)
  const size = report.readUInt32LE(12)
  const statement = Buffer.from(report.subarray(PACKAGE_HEADER, length))
  const header = Buffer.from(report.subarray(0, PACKAGE_HEADER))
  header.writeUInt32LE(length + report.readUInt32LE(16), 0)
  header.writeUInt32LE(statement.length, 12)
  if (statement.length >= 4) statement.writeUInt32LE(statement.length, 0)
  return Buffer.concat([header, statement, report.subarray(PACKAGE_HEADER + size)])
}

/** The same, whose first module says how long it is. */
function cutModule(length: number): Uint8Array {
  const report = Buffer.from(cutReport(MODULES + length))
  if (length >= 8) report.writeUInt32LE(length, MODULES + 4)
  return report
}

/** Each field that a cut is refused for, with the length of the shortest such cut. */
function readByCutting(parse: Parser, cut: (length: number) => Uint8Array, most: number): Row[] {
  const fields = new Map<string, number>()
  for (let length = 0; length < most; length++) {
    const read = parse(cut(length))
    if (!read.ok && !fields.has(read.failure.field)) fields.set(read.failure.field, length)
  }
  const starts = [...fields]
  return starts.map(([name, offset], index) => {
    return { name, offset, bytes: (starts[index + 1]?.[1] ?? Number.NaN) - offset }
  })
}

function expectSameRows(told: readonly Row[], read: readonly Row[]): void {
  expect(told.map(({ name }) => name)).toEqual(read.map(({ name }) => name))
  for (const [index, { name, offset, bytes }] of told.entries()) {
    const found = read[index]
    if (offset !== undefined) expect(offset, name).toBe(found?.offset)
    // Where the last field ends the cuts do not say.
    if (!Number.isNaN(bytes) && found !== read.at(-1)) expect(bytes, name).toBe(found?.bytes)
  }
}

/** Numbers in which the reader takes whatever there is; of the others it names the one that is wrong. */
function takenWithAnyValue(
  rows: readonly Row[],
  parse: Parser,
  valid: Uint8Array,
  start = 0,
): readonly string[] {
  return rows.flatMap(({ name, offset, bytes }) => {
    if (offset === undefined || bytes !== 4) return []
    const changed = Buffer.from(valid)
    changed.writeUInt32LE(0xffff_ffff, start + offset)
    const read = parse(changed)
    if (read.ok) return [name]
    // What does not fit together is told of the first of the two sizes.
    if (name !== 'modulusSizeBytes') {
      expect(read.failure).toMatchObject({ field: name, offset: start + offset })
    }
    expect(PAGE).toContain(`\`where.structure\` of the refusal is \`${read.failure.structure}\``)
    return []
  })
}

test('the page has four tables of fields', () => {
  expect(TABLES.map((rows) => rows.length)).toEqual([6, 9, 21, 8])
})

const SHA256_ID = 0x0b
const digestBytes = Buffer.alloc(32, 1)
const nameBytes = utf16le('CI\0')

test.each<[string, Parser, Uint8Array]>([
  ['of Windows holds elements', parseSipaElements, bytes(u32(0x00040001), u32(1), Buffer.alloc(1))],
  [
    'a SIPAEVENT_SI_POLICY_PAYLOAD: ',
    parseSiPolicy,
    bytes(u64(3), u16(nameBytes.length), u16(SHA256_ID), u32(32), nameBytes, digestBytes),
  ],
  [
    'a SIPAEVENT_REVOCATION_LIST_PAYLOAD: ',
    parseRevocationList,
    bytes(u64(5), u32(32), u16(SHA256_ID), digestBytes),
  ],
])('fields in the prose are those of the reader, in their order: %s', (where, parse, valid) => {
  const [, prose = ''] = PAGE.split(where)
  const [line = ''] = prose.split('\n')
  const told = [...line.matchAll(/`(?:u(\d+) )?(\w+)`/g)].map(([, bits = '', name]) => [name, bits])
  const read = readByCutting(parse, (length) => valid.subarray(0, length), valid.length)
  expect(told).toHaveLength(read.filter(({ name }) => name !== 'eventData').length)
  for (const [index, [name, bits]] of told.entries()) {
    expect(name).toBe(read[index]?.name)
    if (bits !== '') expect(Number(bits)).toBe(8 * (read[index]?.bytes ?? 0))
  }
})

describe('names, offsets and sizes are those of the reader', () => {
  test('of the key of reports', () => {
    const key = identityKey()
    const read = readByCutting(parseIdentityKey, (length) => key.subarray(0, length), key.length)
    expectSameRows(ofKey, read)
    expect(takenWithAnyValue(ofKey, parseIdentityKey, key)).toEqual([])
  })

  test('of the statement of version 1', () => {
    const claim = vectorValue('current_claim')
    const cut = (length: number) => claim.subarray(0, length)
    expectSameRows(ofStatement, readByCutting(parsePlatformStatement, cut, claim.length))
    expect(takenWithAnyValue(ofStatement, parsePlatformStatement, claim)).toEqual([])
  })

  test('of a report, in which six numbers may be any', () => {
    const report = vectorValue('enclave_report')
    const statement = readByCutting(parseVbsReport, cutReport, MODULES)
    expectSameRows(ofReport.slice(0, -1), statement)
    const cut = (length: number) => report.subarray(0, length)
    const whole = readByCutting(parseVbsReport, cut, report.length)
    expect(whole.slice(-2)).toMatchObject([
      { name: 'SignedStatement', offset: PACKAGE_HEADER },
      { name: ofReport.at(-1)?.name, offset: report.length - report.readUInt32LE(16) },
    ])
    expect(takenWithAnyValue(ofReport, parseVbsReport, report)).toEqual([
      ...['EnclaveSvn', 'SecureKernelSvn', 'PlatformSvn'],
      ...['Flags', 'SigningLevel', 'EnclaveType'],
    ])
  })

  test('of a module in it, of which there may be none', () => {
    expect(parseVbsReport(cutReport(MODULES))).toMatchObject({ ok: true, value: { modules: [] } })
    // Without a byte of it there is no module.
    const cut = (length: number) => cutModule(Math.max(1, length))
    expectSameRows(ofModule, readByCutting(parseVbsReport, cut, 110))
    const report = vectorValue('enclave_report')
    expect(takenWithAnyValue(ofModule, parseVbsReport, report, MODULES)).toEqual(['Svn'])
  })
})

describeVectors('a real report of Windows, read by the page alone', () => {
  const report = Buffer.from(vector('vbs/vbs-enclave-report-package.bin'))
  const at = (name: string, rows = ofReport) => rows.find((row) => row.name === name)?.offset ?? -1
  const number = (name: string) => report.readUInt32LE(at(name))

  test('has the sizes, versions and data that the page tells', () => {
    expect(number('PackageSize')).toBe(report.length)
    expect(number('SignedStatementSize')).toBe(number('ReportSize'))
    expect(at('ReportSize') + number('ReportSize') + number('SignatureSize')).toBe(report.length)
    const told = ['Version', 'SignatureScheme', 'Reserved', 'ReportVersion'].map(number)
    expect(told).toEqual([1, 1, 0, 1])
    const data = report.subarray(at('EnclaveData'), at('EnclaveData') + 32)
    const bound = digest('sha256', vector('vbs/enclave-public-key-bcryptrsa.bin'))
    expect(data.equals(bound)).toBe(true)
  })

  test('has modules of the form that the page tells, up to the end of the statement', () => {
    const end = at('ReportSize') + number('ReportSize')
    const names: string[] = []
    let start = MODULES
    while (start < end) {
      expect(report.readUInt32LE(start + at('VARDATA.DataType', ofModule))).toBe(1)
      const size = report.readUInt32LE(start + at('VARDATA.Size', ofModule))
      expect(size % 8).toBe(0)
      const text = report.toString('utf16le', start + at('ModuleName', ofModule), start + size)
      names.push(text.slice(0, text.indexOf('\0')))
      start += size
    }
    expect(start).toBe(end)
    expect(names).toHaveLength(6)
    for (const name of names) expect(name).toMatch(/\.dll$/i)
  })
})
