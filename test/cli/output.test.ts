import { describe, expect, test, vi } from 'vitest'
import { EXIT, verb } from '../../src/cli/framework/command.ts'
import { fields } from '../../src/cli/framework/fields.ts'
import {
  count,
  duration,
  flag,
  oneOf,
  preset,
  repeated,
  required,
  text,
} from '../../src/cli/framework/options.ts'
import { printable, printJson } from '../../src/cli/framework/output.ts'
import { parseValues } from '../../src/cli/framework/parse.ts'
import { createProgress, renderBar } from '../../src/cli/framework/progress.ts'
import { renderTable } from '../../src/cli/framework/table.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { describeSelections } from '../../src/cli/inspect/pcrs.ts'

const HOSTILE = 'a\u001b[2J\r\nb\u009b1m\u202ec'
const SHOWN = String.raw`a\u001b[2J\u000d\u000ab\u009b1m\u202ec`

describe('text for a terminal', () => {
  test('nothing in it moves the cursor, starts a line or turns the direction', () => {
    expect(printable(HOSTILE)).toBe(SHOWN)
    expect(printable('Zürich „grün“ 東京 ✓')).toBe('Zürich „grün“ 東京 ✓')
    expect(fields({ [HOSTILE]: HOSTILE })).toBe(`  ${SHOWN}  ${SHOWN}\n`)
    expect(renderTable(['x'], [[HOSTILE]]).split('\n')).toHaveLength(3)
  })

  test('fields are aligned, members of objects get lines, absent ones none', () => {
    const text = fields({ a: 1, b: undefined, c: { d: 'x', e: null, f: [1, 'y'] }, longer: [] }, '')
    expect(text).toBe('a       1\nc.d     x\nc.f     1, y\nlonger  none\n')
  })

  test('columns are as wide as their widest cell', () => {
    expect(
      renderTable(
        ['a', 'b'],
        [
          ['xx', ''],
          ['y', 'z'],
        ],
      ),
    ).toBe('a   b\n──  ─\nxx\ny   z')
  })

  test('selected PCRs are told in ranges', () => {
    expect(
      describeSelections([
        { algorithm: 'sha1', indexes: [] },
        { algorithm: 'sha256', indexes: [0, 1, 2, 3, 7, 11, 12] },
      ]),
    ).toBe('sha1 none; sha256 0-3, 7, 11-12')
  })
})

describe('JSON for a program', () => {
  // The witness is the JSON of the runtime: it reads the same value back.
  test.each([undefined, 2])(
    'has no control character but our own line feeds (indent %s)',
    (indent) => {
      const value = {
        [HOSTILE]: [HOSTILE, '\u007f\u0085\u061c\u2028'],
        plain: 'Zürich „grün“ 東京 ✓',
      }
      const written: string[] = []
      const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
        written.push(String(text))
        return true
      })
      try {
        printJson(value, indent)
      } finally {
        spy.mockRestore()
      }
      const text = written.join('')
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u)
      expect(text).toContain('Zürich „grün“ 東京 ✓')
      expect(text.trimEnd().split('\n')).toHaveLength(indent === undefined ? 1 : 7)
      expect(JSON.parse(text)).toEqual(value)
    },
  )
})

describe('progress', () => {
  function record(isTTY: boolean) {
    let text = ''
    const write = (part: string) => {
      text += part
    }
    return { stream: { isTTY, write }, text: () => text }
  }

  test('on a terminal it redraws one line and leaves none behind', () => {
    const { stream, text } = record(true)
    const progress = createProgress(stream, () => new Date(0))
    progress.show('one')
    progress.show('two')
    progress.end()
    expect(text()).toBe('\r\u001b[2Kone\r\u001b[2Ktwo\r\u001b[2K')
  })

  test('where it is kept it is a line now and then', () => {
    const { stream, text } = record(false)
    let now = 1_000_000
    const progress = createProgress(stream, () => new Date(now))
    for (const [step, show] of [
      [0, 'one'],
      [4999, 'two'],
      [1, 'three'],
    ] as const) {
      now += step
      progress.show(show)
    }
    progress.end()
    expect(text()).toBe('one\nthree\n')
  })

  test('the bar is full at the end and not before', () => {
    expect(renderBar(0, 10, 4)).toBe('░░░░   0%')
    expect(renderBar(5, 10, 4)).toBe('██░░  50%')
    expect(renderBar(10, 10, 4)).toBe('████ 100%')
    expect(renderBar(0, 0, 4)).toBe('████ 100%')
  })
})

describe('arguments and options', () => {
  const declared = verb({
    json: 'what was given',
    arguments: { first: required(text('FIRST', 'one')), others: repeated(text('OTHER', 'more')) },
    options: {
      atOnce: flag('now'),
      count: preset(count('N', 'how many', { least: 1, most: 9 }), '3'),
      age: duration('AGE', 'how old'),
      kind: oneOf('KIND', 'which', ['a', 'b']),
      label: repeated(text('LABEL', 'whose')),
    },
    run: () => EXIT.done,
  })
  const parse = (...args: readonly string[]) => parseValues(declared, args)

  test('become values under their own names', () => {
    const given = ['x', '--at-once', '--label=a', '-', '--label', 'b', '--json', '--', '--y']
    expect(parse(...given, '--age')).toEqual({
      first: 'x',
      others: ['-', '--y', '--age'],
      atOnce: true,
      label: ['a', 'b'],
      count: 3,
      age: undefined,
      kind: undefined,
      json: true,
      data: undefined,
    })
    expect(parse('x', '--age', '90s', '--count', '9', '--kind', 'b')).toMatchObject({
      age: 90_000,
      count: 9,
      kind: 'b',
      json: false,
    })
    expect(['30m', '1h', '2d'].map((age) => parse('x', '--age', age).age)).toEqual([
      1_800_000, 3_600_000, 172_800_000,
    ])
  })

  test('take ids that begin with a hyphen, as those of keys can', () => {
    // The example of a thumbprint in RFC 7638 §3.1, with a hyphen before it.
    const id = '-NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
    expect(parse(id, '--at-once')).toMatchObject({ first: id, atOnce: true })
    expect(parse('x', `--label=${id}`)).toMatchObject({ label: [id] })
    expect(() => parse('x', '--label', id)).toThrow(UsageError)
  })

  test.each([
    [[], 'FIRST is missing: one'],
    [['x', ''], 'an argument is empty'],
    [['x', '--count', '0'], "--count must be a whole number from 1 to 9, not '0'"],
    [['x', '--count', '10'], "--count must be a whole number from 1 to 9, not '10'"],
    [['x', '--count=-1'], "--count must be a whole number from 1 to 9, not '-1'"],
    [['x', '--count', '1.5'], "--count must be a whole number from 1 to 9, not '1.5'"],
    [['x', '--count', '1e0'], "--count must be a whole number from 1 to 9, not '1e0'"],
    [['x', '--age', '5'], '--age must be like 90s, 30m, 1h or 2d'],
    [['x', '--kind', 'c'], "--kind must be one of a, b, not 'c'"],
    [['x', '-a'], 'there is no option -a: did you mean --age?'],
    [['x', '--at-once', '--at-once'], '--at-once is given twice'],
  ])('%j is wrong usage', (args, message) => {
    expect(() => parse(...args)).toThrow(new UsageError(message))
  })
})
