import type { ClauseText, Texts } from '../policy/document.ts'
import { MAX_LANGUAGE_HEADER_CHARS, MAX_LANGUAGES_READ } from './limits.ts'

/**
 * The languages of an Accept-Language value (RFC 9110 §12.5.4) or of a single tag, best first and
 * in lower case. Hostile input gives fewer languages and never an error.
 */
export function readLanguages(header: string | undefined): readonly string[] {
  if (header === undefined) return []
  const ranges: { tag: string; weight: number }[] = []
  for (const part of header.slice(0, MAX_LANGUAGE_HEADER_CHARS).split(',', MAX_LANGUAGES_READ)) {
    const [tag = '', ...parameters] = part.split(';').map((text) => text.trim())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    const weight = quality === undefined ? 1 : Number(quality.slice(2))
    if (tag !== '' && weight > 0) ranges.push({ tag: tag.toLowerCase(), weight })
  }
  return ranges.sort((a, b) => b.weight - a.weight).map(({ tag }) => tag)
}

/** The text in the first of `languages` that there is one for: `de` serves `de-AT`. Else English. */
export function pickText(texts: Texts, languages: readonly string[]): ClauseText {
  for (const language of languages) {
    const text = textIn(texts, language) ?? textIn(texts, language.split('-')[0] ?? '')
    if (text !== undefined) return text
  }
  return texts.en
}

function textIn(texts: Texts, language: string): ClauseText | undefined {
  if (Object.hasOwn(texts, language)) return texts[language]
  const tag = Object.keys(texts).find((known) => known.toLowerCase() === language)
  return tag === undefined ? undefined : texts[tag]
}
