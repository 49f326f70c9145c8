/** Printable ASCII, whose case is all that can differ. */
const ASCII = /^[\x20-\x7e]*$/
/** It has no capital of its own that would not be another letter's. Unicode CaseFolding.txt, status T */
const DOTLESS_I = 'ı'

/**
 * The form in which two texts are equal when letter case is all that tells them apart: canonical
 * caseless matching of the Unicode Standard (§3.13, D145; §5.18). What is searched for and what is
 * searched in are both folded here and nowhere in a database, whose own `lower` depends on its
 * locale: under C it knows ASCII alone. It folds each code point by itself, so that a final sigma is
 * no other letter than a sigma, in no language's own way, and for good: Unicode keeps the folding of
 * what is assigned.
 */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase()
  let folded = ''
  for (const character of text.normalize('NFD')) folded += foldCharacter(character)
  // Composed again, so that a letter is no part of the same letter with an accent.
  return folded.normalize('NFC')
}

function foldCharacter(character: string): string {
  if (character === DOTLESS_I) return character
  return character.toLowerCase().toUpperCase().toLowerCase()
}
