/** A place in a text as editors count it: from 1, columns in UTF-16 units, lines ended by LF. */
export type Position = { readonly line: number; readonly column: number }

/**
 * Finds line and column of offsets, each in the logarithm of the number of lines. `begin` is the
 * offset at which the first line begins.
 */
export function createPositionFinder(text: string, begin = 0): (offset: number) => Position {
  const starts = [begin]
  for (let end = text.indexOf('\n', begin); end >= 0; end = text.indexOf('\n', end + 1)) {
    starts.push(end + 1)
  }
  return (offset) => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}
