/**
 * FNV-1a of 32 bits over the UTF-16 units of a text: 0 to 2^32 - 1. Spreads texts evenly, so that the
 * smallest of them are a sample. Nothing but fairness may hang on it: anybody can find a text for a number.
 */
export function spreadOf(text: string): number {
  let hash = 0x811c_9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193)
  }
  return hash >>> 0
}
