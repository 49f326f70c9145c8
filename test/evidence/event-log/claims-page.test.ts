import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CLAIM_NAMES, CLAIMS } from '../../../src/appraisal/claims.ts'
import { parseSipaElements } from '../../../src/evidence/event-log/sipa.ts'
import { sipaName } from '../../../src/evidence/event-log/sipa-names.ts'
import { readWindowsClaims } from '../../../src/evidence/event-log/windows-claims.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { bytes, u32, u64 } from './support.ts'

/** docs/agent-evidence.md is what a vendor builds by: each row of its table is measured and read here. */
const PAGE = readFileSync('docs/agent-evidence.md', 'utf8')

type Value = number | boolean | undefined
type Row = {
  readonly claim: string
  readonly event: string
  readonly id: number
  readonly pcrs: readonly number[]
  readonly width: number
  readonly values: readonly (readonly [number, Value])[]
  readonly absent: Value
}

const ROW = /^\| `(\w+)` \| (\w+) \| `(0x[0-9a-f]{8})` \| ([\d, ]+) \| (\d) \| (.+?) \| (.+?) \|$/gm

const ROWS = [...PAGE.matchAll(ROW)].map((match): Row => {
  const [, claim = '', event = '', id = '', pcrs = '', width = '', values = '', absent = ''] = match
  return {
    ...{ claim, event, id: Number(id), width: Number(width), absent: readValue(absent) },
    pcrs: pcrs.split(', ').map(Number),
    values: values.split(', ').map((one) => {
      const [value = '', told = ''] = one.split(' → ')
      return [Number(value), readValue(told)] as const
    }),
  }
})

function readValue(text: string): Value {
  if (text === 'left out') return undefined
  return text === 'true' || text === 'false' ? text === 'true' : Number(text)
}

const WINDOWS_PCRS = [12, 13, 14]
const TRUST_BOUNDARY = 0x40010001

function element(id: number, width: number, value: number): Uint8Array {
  return bytes(u32(id), u32(width), u64(value).subarray(0, width))
}

/** The good value of each event of the table, which is the first that its rows name. */
const GOOD = new Map(ROWS.map((row) => [row.id, { ...row, value: row.values[0]?.[0] ?? 0 }]))

/** What a boot that is good in all else has for the claim; without `value` the event is missing. */
function claimOf(
  row: Row,
  pcr: number,
  value: number | undefined,
  without: readonly string[] = [],
): unknown {
  const others = [...GOOD.values()].filter(({ id, event }) => {
    return id !== row.id && !without.includes(event)
  })
  const good = others.map(({ id, width, value }) => element(id, width, value))
  const own = value === undefined ? [] : [element(row.id, row.width, value)]
  const group = (parts: readonly Uint8Array[]) => {
    const inside = bytes(...parts)
    const data = bytes(u32(TRUST_BOUNDARY), u32(inside.length), inside)
    return { data, offset: 0, elements: expectOk(parseSipaElements(data)) }
  }
  const claims = expectOk(
    readWindowsClaims([
      { pcr: 12, sequence: 1, ...group(good) },
      ...(own.length > 0 ? [{ pcr, sequence: 2, ...group(own) }] : []),
    ]),
  )
  return Object.entries(claims).find(([name]) => name === row.claim)?.[1]
}

describe('the table of settings', () => {
  test('has as many rows as it seems to', () => {
    const written = PAGE.split('\n').filter((line) => / → /.test(line) && line.startsWith('| `'))
    expect(ROWS.length).toBe(written.length)
    expect(ROWS.length).toBeGreaterThan(15)
  })

  test.each(ROWS)('$event is what $claim is read from', (row) => {
    expect(sipaName(row.id)).toBe(row.event)
    for (const pcr of row.pcrs) {
      for (const [value, told] of row.values) expect(claimOf(row, pcr, value)).toBe(told)
    }
    expect(claimOf(row, 12, undefined)).toBe(row.absent)
  })

  test.each(ROWS)('$event counts in no other PCR for $claim', (row) => {
    for (const pcr of WINDOWS_PCRS.filter((one) => !row.pcrs.includes(one))) {
      for (const [value] of row.values) expect(claimOf(row, pcr, value)).toBe(row.absent)
    }
  })

  test.each(ROWS)('$event has the width that is told, and is named', ({ id, event, width }) => {
    for (const other of [1, 2, 4, 8].filter((one) => one !== width)) {
      const refused = expectRefusal(parseSipaElements(element(id, other, 1)), 'unexpected_value')
      expect(refused).toMatchObject({ structure: 'SIPA_EVENT', field: event })
    }
  })
})

test('VBS is on only where one of two events says that it was asked for', () => {
  const asked = ['VBS_VSM_REQUIRED', 'VBS_MANDATORY_ENFORCEMENT']
  const rows = ROWS.filter(({ event }) => asked.includes(event))
  expect(rows).toHaveLength(2)
  for (const row of rows) expect(claimOf(row, 12, undefined, asked)).toBe(false)
})

test('every claim of a boot log is told of', () => {
  const fromLogs = CLAIM_NAMES.filter((name) => CLAIMS[name].evidence === 'boot_log')
  expect(fromLogs.filter((name) => !PAGE.includes(`\`${name}\``))).toEqual([])
})

test('every event id in the prose is the event that stands beside it', () => {
  const named = [...PAGE.matchAll(/([A-Z][A-Z_]+) \(`(0x[0-9a-f]{8})`/g)]
  expect(named.length).toBeGreaterThan(10)
  for (const [, name, id] of named) expect(sipaName(Number(id)), name).toBe(name)
})
