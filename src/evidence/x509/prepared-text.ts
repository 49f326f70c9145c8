/**
 * Prepares text of a name for comparison as caseIgnoreMatch does: mapped, folded, normalized and
 * without insignificant spaces. RFC 4518 §2, which RFC 5280 §7.1 asks for.
 *
 * `undefined` for text with characters that are prohibited: such text equals nothing (§2.4).
 */
export function prepareText(text: string): string | undefined {
  if (PLAIN.test(text)) return joinSpaces(text.toLowerCase())
  const mapped = text.replaceAll(TO_SPACE, ' ').replaceAll(TO_NOTHING, '')
  const folded = foldCase(foldCase(mapped).normalize('NFKC')).normalize('NFKC')
  return PROHIBITED.test(folded) ? undefined : joinSpaces(folded)
}

/** What nearly every name is made of, on which the steps below but the case have no effect. */
const PLAIN = /^[\x20-\x7e]*$/

/** RFC 4518 §2.2, in this order: separators and the controls of layout are spaces, */
const TO_SPACE = /[\t\n\v\f\r\u0085\p{Z}]/gu
/** and other controls, joiners, variation selectors and stand-ins for objects are nothing. */
const TO_NOTHING = /[\u034f\u1806\ufffc\p{Cc}\p{Cf}\p{Variation_Selector}]/gu

/** RFC 4518 §2.4: what is no character, is private, or stands for something unreadable. */
const PROHIBITED = /[\p{Cn}\p{Co}\p{Cs}\ufffd]/u

/**
 * Full case folding (RFC 3454 B.2, Unicode CaseFolding.txt C and F), character by character, since
 * folding has no context. JavaScript has no function for it: a character's capital form made small
 * is its folded form, except for the dotless i, whose capital belongs to another letter.
 */
function foldCase(text: string): string {
  return Array.from(text, foldCharacter).join('')
}

function foldCharacter(character: string): string {
  if (character === 'ı') return character
  const capital = character.toLowerCase().toUpperCase()
  return Array.from(capital, (one) => one.toLowerCase()).join('')
}

/**
 * RFC 4518 §2.6.1, by one space where it writes two: those at the ends go, several count as one. A
 * space that a combining mark stands on is a letter.
 */
function joinSpaces(text: string): string {
  return text.replaceAll(/ +(?!\p{M})/gu, ' ').replaceAll(/^ +(?!\p{M})| $/gu, '')
}
