import type { ClauseText } from '../policy/document/document.ts'
import { MAX_LANGUAGE_HEADER_CHARS, MAX_LANGUAGES_READ } from './limits.ts'

/** A language range of RFC 4647 §2.1 in lower case, and how much it is wanted: 0 is not at all. */
export type LanguageRange = { readonly range: string; readonly weight: number }

const RANGE = /^(?:\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)$/
/** RFC 9110 §12.4.2. The name of the parameter is of any letter case (§5.6.6). */
const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i
/** RFC 9110 §5.6.3. */
const WHITE_SPACE = /^[ \t]+|[ \t]+$/g

/**
 * The languages of an Accept-Language value (RFC 9110 §12.5.4) or of a single tag, best first; of
 * equal weight in their order. What is no range or has no weight of that grammar is left out, so
 * that hostile input gives fewer languages and never an error.
 */
export function readLanguages(header: string | undefined): readonly LanguageRange[] {
  if (header === undefined) return []
  const parts = header.slice(0, MAX_LANGUAGE_HEADER_CHARS).split(',')
  // The last of what was cut off may be the beginning of something else.
  if (header.length > MAX_LANGUAGE_HEADER_CHARS) parts.pop()
  const ranges: LanguageRange[] = []
  for (const part of parts.slice(0, MAX_LANGUAGES_READ)) {
    const [tag = '', ...parameters] = part.split(';').map((one) => one.replace(WHITE_SPACE, ''))
    const range = tag.toLowerCase()
    const quality = parameters.find((parameter) => /^q=/i.test(parameter)) ?? 'q=1'
    const [, weight] = WEIGHT.exec(quality) ?? []
    if (RANGE.test(range) && weight !== undefined) ranges.push({ range, weight: Number(weight) })
  }
  return ranges.sort((a, b) => b.weight - a.weight)
}

/** What there is to say, by the tag of a language (BCP 47): in English always. */
export type TextsOf<T> = { readonly en: T; readonly [language: string]: T }

/**
 * The text for the first of `languages` that there is one for, by the lookup of RFC 4647 §3.4: a
 * range loses its last subtag until there is a text for what is left, so that `zh-Hant-TW` gets
 * `zh-Hant` before `zh`, and never a text that was refused by a weight of 0. Else English, which is
 * what `*` gets too.
 */
export function pickText<T = ClauseText>(
  texts: TextsOf<T>,
  languages: readonly LanguageRange[],
): T {
  if (languages.length === 0) return texts.en
  const tags = new Map(Object.keys(texts).map((tag) => [tag.toLowerCase(), tag]))
  const refused = languages.filter(({ weight }) => weight === 0).map(({ range }) => range)
  for (const { range, weight } of languages) {
    if (weight === 0) continue
    for (const candidate of fallbacksOf(range)) {
      const isRefused = candidate !== range && refused.includes(candidate)
      const text = isRefused ? undefined : texts[tags.get(candidate) ?? '']
      if (text !== undefined) return text
    }
  }
  return texts.en
}

/** The range itself, then what is left of it; a subtag of one character is no end. */
function fallbacksOf(range: string): readonly string[] {
  const subtags = range.split('-')
  return subtags.flatMap((_, dropped) => {
    const kept = subtags.slice(0, subtags.length - dropped)
    return dropped > 0 && kept.at(-1)?.length === 1 ? [] : [kept.join('-')]
  })
}
