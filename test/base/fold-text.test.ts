import { describe, expect, test } from 'vitest'
import { foldText } from '../../src/base/fold-text.ts'

describe('text without regard to letter case', () => {
  test.each([
    ['ΝΙΚΟΣ', 'νικος', 'Νικοσ'],
    ['Straße', 'STRASSE', 'straẞe'],
    ['Åsa', 'A\u030aSA', 'åsa'],
    ['İ', 'i\u0307', 'I\u0307'],
    ['ﬁn', 'FIN', 'fin'],
    ['ᏣᎳᎩ', 'ꮳꮃꭹ'],
    ['K', 'K', 'k'],
    ['ǅ', 'Ǆ', 'ǆ'],
    ['ᾳ', 'ᾼ', 'ΑΙ'],
  ])('is one text: %s', (...texts) => {
    expect(new Set(texts.map(foldText)).size).toBe(1)
  })

  test('tells apart what another language would not, and what accents tell apart', () => {
    for (const [one, other] of [
      ['ı', 'i'],
      ['ö', 'o'],
      ['и', 'й'],
      ['I\u0307', 'I'],
      ['ss', 's'],
    ] as const) {
      expect(foldText(one)).not.toBe(foldText(other))
    }
    expect(foldText('Öberg').includes(foldText('o'))).toBe(false)
  })

  /**
   * The witness is the regular expression of the runtime: with the flags `iu` it compares by the
   * simple folding of CaseFolding.txt (ECMA-262 §22.2.2.7.3), which the full folding only extends.
   */
  test('is folded as CaseFolding.txt says, code point by code point', () => {
    const letters: string[] = []
    for (let point = 0x80; point < 0x1_f000; point++) {
      const character = String.fromCodePoint(point)
      if (/\p{CWCM}|\p{CWL}|\p{CWU}|\p{CWCF}/u.test(character)) letters.push(character)
    }
    expect(letters.length).toBeGreaterThan(2_700)
    // Those whose normal form is another code point are equal by more than their case.
    const plain = letters.filter((letter) => letter.normalize('NFC') === letter)
    const byFold = new Map<string, string[]>()
    for (const letter of plain) {
      const key = foldText(letter)
      byFold.set(key, [...(byFold.get(key) ?? []), letter])
    }
    // Equal by the full folding alone until Unicode 15.1.
    const late = new Set(['ΐ', 'ΰ', 'ﬅ', 'ﬆ'])
    const all = plain.join('')
    for (const letter of plain) {
      if (late.has(letter)) continue
      const same = all.match(new RegExp(letter, 'giu')) ?? []
      expect([letter, byFold.get(foldText(letter))?.toSorted()]).toEqual([letter, same.toSorted()])
    }
  })
})
