import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatCsvRecord, parseCsv, unguardCell } from '../../src/base/csv.ts'
import { describeWith } from '../support/left-out.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const cells = (text: string) => expectOk(parseCsv(text)).map((record) => record.cells)

/** RFC 4180 §2, by its numbers: the examples are those of the RFC. */
describe('RFC 4180', () => {
  test.each([
    [
      '1: records end with CRLF',
      'aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n',
      [
        ['aaa', 'bbb', 'ccc'],
        ['zzz', 'yyy', 'xxx'],
      ],
    ],
    [
      '2: the last one need not',
      'aaa,bbb,ccc\r\nzzz,yyy,xxx',
      [
        ['aaa', 'bbb', 'ccc'],
        ['zzz', 'yyy', 'xxx'],
      ],
    ],
    ['4: spaces belong to a cell', ' a ,b', [[' a ', 'b']]],
    ['5: a cell may stand in quotes', '"aaa","bbb",ccc', [['aaa', 'bbb', 'ccc']]],
    [
      '6: and then hold the end of a line and commas',
      '"aaa","b\r\nbb","c,cc"\r\nzzz',
      [['aaa', 'b\r\nbb', 'c,cc'], ['zzz']],
    ],
    ['7: and quotes, doubled', '"aaa","b""bb","ccc"', [['aaa', 'b"bb', 'ccc']]],
    [
      'empty cells are cells',
      ',\r\n"",\r\n',
      [
        ['', ''],
        ['', ''],
      ],
    ],
    ['a blank line is no record, and LF ends one too', 'a\n\nb\n', [['a'], ['b']]],
    ['a byte order mark is none of the text', '\uFEFFa,b', [['a', 'b']]],
  ])('%s', (_, text, expected) => {
    expect(cells(text)).toEqual(expected)
  })

  test.each(['a"b', '"a"b', '"a', 'x,"y\r\nz', '"a" ,b'])('refuses %j', (text) => {
    expect(expectRefusal(parseCsv(`ok\r\n${text}`), 'csv_malformed')).toMatchObject({ line: 2 })
  })

  test('counts the lines that records begin on', () => {
    const records = expectOk(parseCsv('a\r\n"b\nc"\r\n\r\nd'))
    expect(records.map(({ line }) => line)).toEqual([1, 2, 5])
  })
})

describe('what is written', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 12 })
  const awkward = fc.constantFrom(
    '=1+1',
    "'=x",
    '+',
    '-2',
    '@SUM(A1)',
    '\tx',
    '\rx',
    "''-",
    '"',
    ',',
    '\r\n',
    '',
  )

  test('reads back, whatever is in it', () => {
    const rows = fc.array(fc.array(fc.oneof(text, awkward), { minLength: 2, maxLength: 4 }), {
      maxLength: 4,
    })
    fc.assert(
      fc.property(rows, (table) => {
        const read = cells(table.map(formatCsvRecord).join(''))
        expect(read.map((row) => row.map(unguardCell))).toEqual(table)
      }),
    )
  })

  test('begins with nothing that a spreadsheet computes (OWASP, "CSV Injection")', () => {
    for (const cell of ['=cmd', '+1', '-1', '@x', '\tx', '\rx']) {
      expect(cells(formatCsvRecord([cell, 'x']))[0]?.[0]).toBe(`'${cell}`)
    }
    expect(formatCsvRecord(['plain', "it's"])).toBe("plain,it's\r\n")
  })
})

const hasPython = spawnSync('python3', ['--version']).status === 0

/** The witness is the module `csv` of Python, which follows spreadsheets and which nobody here wrote. */
describeWith('python', hasPython, "Python's csv module", () => {
  const python = (program: string, input: string): unknown => {
    const { status, stdout, stderr } = spawnSync('python3', ['-c', program], { input })
    expect([status, String(stderr)]).toEqual([0, ''])
    return JSON.parse(String(stdout))
  }
  const TABLE = [
    ['device_id', 'owner', 'labels', 'unmet'],
    ['dev_a', 'Zoë "Z" O\'Neil', 'a;b', 'one: 2, needs at least 3; two'],
    ['dev_b', 'two\nlines', '', 'x,y'],
    ['dev_c', '\u202eright', '=1+1', '"'],
  ]

  test('reads what we write', () => {
    const read = python(
      'import csv,io,json,sys;print(json.dumps(list(csv.reader(io.StringIO(sys.stdin.buffer.read().decode(),newline="")))))',
      TABLE.map(formatCsvRecord).join(''),
    )
    const guarded = TABLE.map((row) => row.map((cell) => (cell === '=1+1' ? "'=1+1" : cell)))
    expect(read).toEqual(guarded)
  })

  test.each(['excel', 'unix'])('writes what we read, as the dialect %s', (dialect) => {
    const written = python(
      `import csv,io,json,sys;o=io.StringIO();csv.writer(o,dialect="${dialect}").writerows(json.load(sys.stdin));print(json.dumps(o.getvalue()))`,
      JSON.stringify(TABLE),
    )
    expect(cells(String(written))).toEqual(TABLE)
  })
})
