import { describe, expect, test } from 'vitest'
import { readArguments, readCount, UsageError } from '../../src/cli/framework/arguments.ts'
import { fields } from '../../src/cli/framework/fields.ts'
import { printable } from '../../src/cli/framework/output.ts'
import { createProgress, renderBar } from '../../src/cli/framework/progress.ts'
import { renderTable } from '../../src/cli/framework/table.ts'
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

describe('arguments', () => {
  const options = { port: { type: 'string' }, json: { type: 'boolean' } } as const

  test('are read strictly', () => {
    expect(readArguments(['--port', '1', 'a'], options, 1)).toMatchObject({
      values: { port: '1' },
      positionals: ['a'],
    })
    for (const args of [['--prot'], ['--port'], ['--json=yes'], ['a', 'b'], ['--', '-x', '-y']]) {
      expect(() => readArguments(args, options, 1), args.join(' ')).toThrow(UsageError)
    }
  })

  test('an unknown option is told in one sentence', () => {
    expect(() => readArguments(['--prot'], options)).toThrow(/^Unknown option '--prot'$/)
  })

  test('a count is a whole number, from the least on', () => {
    expect(readCount(undefined, 'n', 7)).toBe(7)
    expect(readCount('0', 'n', 7)).toBe(0)
    for (const text of ['-1', '1.5', '1e3', '', 'x', '99999999999999999999']) {
      expect(() => readCount(text, 'n', 7), text).toThrow(UsageError)
    }
    expect(() => readCount('0', 'n', 7, 1)).toThrow("--n must be a whole number from 1 up, not '0'")
  })
})
