import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diffLines } from '../../src/base/line-diff.ts'

describe('the difference of two texts', () => {
  test('is empty where there is none', () => {
    expect(diffLines('', '')).toEqual([])
    expect(diffLines('a\nb\n', 'a\nb\n')).toEqual([])
  })

  test('shows changed lines with their neighbours', () => {
    const lines = Array.from({ length: 20 }, (_, at) => `line ${at}`)
    const changed = lines.with(10, 'other').toSpliced(1, 1)
    expect(diffLines(`${lines.join('\n')}\n`, `${changed.join('\n')}\n`)).toEqual([
      '  line 0',
      '- line 1',
      '  line 2',
      '  line 3',
      '  line 4',
      '…',
      '  line 7',
      '  line 8',
      '  line 9',
      '- line 10',
      '+ other',
      '  line 11',
      '  line 12',
      '  line 13',
    ])
  })

  test('shows what cannot be seen', () => {
    expect(diffLines('a\n', 'a\r\n')).toEqual(['- a', '+ a␍'])
    expect(diffLines('a\n', 'a')).toEqual(['- a', '+ a (without an end of line)'])
  })

  test('of a text and nothing is the text', () => {
    expect(diffLines('', 'a\nb\n')).toEqual(['+ a', '+ b'])
    expect(diffLines('a\n', '')).toEqual(['- a'])
  })

  test('leads from the one to the other', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 })
    fc.assert(
      fc.property(text, text, (before, after) => {
        const end = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('')
        const edits = diffLines(end(before), end(after))
        const side = (mark: string) =>
          edits.filter((line) => line[0] === mark || line[0] === ' ').map((line) => line.slice(2))
        if (before.join() === after.join()) expect(edits).toEqual([])
        else if (!edits.includes('…')) {
          expect(before.join()).toContain(side('-').join())
          expect(after.join()).toContain(side('+').join())
        }
      }),
    )
  })

  test('of long texts is found in bounded time', () => {
    const lines = (word: string) => Array.from({ length: 30_000 }, (_, at) => `${word}${at}\n`)
    expect(diffLines(lines('a').join(''), lines('b').join(''))).toHaveLength(60_000)
  })
})
