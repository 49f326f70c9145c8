import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pickText, readLanguages } from '../../src/access/language.ts'

const textOf = (title: string) => ({ title, repair: title })
const textsOf = (...tags: readonly string[]) => ({
  en: textOf('en'),
  ...Object.fromEntries(tags.map((tag) => [tag, textOf(tag)])),
})
const pick = (header: string, ...tags: readonly string[]) =>
  pickText(textsOf(...tags), readLanguages(header)).title

describe('the language of an answer', () => {
  test('is found by the steps of the example in RFC 4647 §3.4', () => {
    // The range zh-Hant-CN-x-private1-private2 is cut in this order, and never ends with x.
    const steps = ['zh-Hant-CN-x-private1-private2', 'zh-Hant-CN-x-private1', 'zh-Hant-CN']
    const all = [...steps, 'zh-Hant', 'zh', 'zh-Hant-CN-x']
    for (const [index, step] of [...steps, 'zh-Hant', 'zh'].entries()) {
      const left = all.filter((tag) => ![...steps, 'zh-Hant', 'zh'].slice(0, index).includes(tag))
      expect(pick('zh-Hant-CN-x-private1-private2', ...left)).toBe(step)
    }
    expect(pick('zh-Hant-CN-x-private1-private2', 'zh-Hant-CN-x')).toBe('en')
    // The default of that section, after "fr-FR, zh-Hant".
    expect(pick('fr-FR, zh-Hant', 'fr', 'zh')).toBe('fr')
    expect(pick('fr-FR, zh-Hant', 'ja')).toBe('en')
  })

  test.each([
    ['da, en-gb;q=0.8, en;q=0.7', ['en-GB', 'da'], 'da'],
    ['da, en-gb;q=0.8, en;q=0.7', ['en-GB'], 'en-GB'],
    ['de;Q=0.2, fr;q=0.9', ['de', 'fr'], 'fr'],
    ['de ; q=0.2\t,\tfr ;q=0.9', ['de', 'fr'], 'fr'],
    ['de;q=1.000, fr;q=1', ['de', 'fr'], 'de'],
    ['fr;q=0.999, de;q=1.', ['de', 'fr'], 'de'],
  ])('is weighed as RFC 9110 §12.4.2 says: %s', (header, tags, right) => {
    expect(pick(header, ...tags)).toBe(right)
  })

  test('is not one of weight 0, neither asked for nor fallen back to', () => {
    for (const zero of ['0', '0.', '0.0', '0.000']) {
      expect(pick(`de;q=${zero}`, 'de')).toBe('en')
      expect(pick(`de-AT, de;q=${zero}, fr;q=0.1`, 'de', 'fr')).toBe('fr')
    }
    expect(pick('de-AT, de;q=0', 'de', 'de-AT')).toBe('de-AT')
  })

  test.each([
    'de;q=1.1',
    'de;q=2',
    'de;q=0.1234',
    'de;q=',
    'de;q=.5',
    'de;q=-1',
    'de;q=1e0',
    'd_e',
  ])('is not taken from what has no such grammar: %s', (header) => {
    expect(pick(`${header}, fr;q=0.1`, 'de', 'fr')).toBe('fr')
  })

  test('is ours for anything: * names no language', () => {
    expect(pick('*', 'de')).toBe('en')
    expect(pick('*;q=0.9, de;q=0.1', 'de')).toBe('de')
  })

  test('of two headers that are read one after the other is that of the first', () => {
    const languages = [...readLanguages('de'), ...readLanguages('fr;q=1, de;q=0')]
    expect(pickText(textsOf('de', 'fr'), languages).title).toBe('de')
  })

  test('of hostile input is one that there is, whatever it says, without an error', () => {
    const piece = fc.constantFrom(...'de-AT;q=0.5,*x '.split(''), '__proto__', 'constructor', 'ı')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        expect(['en', 'de', 'de-AT']).toContain(pick(pieces.join(''), 'de', 'de-AT'))
      }),
    )
    expect(pick(`${'a,'.repeat(100_000)}de`, 'de')).toBe('en')
    // What is cut off in the middle of a weight has no weight.
    const long = `${' '.repeat(10)}fr, ${'x'.repeat(8)},`.repeat(500)
    expect(readLanguages(`${long}de;q=0.9`).every(({ range }) => range !== 'de')).toBe(true)
  })
})
