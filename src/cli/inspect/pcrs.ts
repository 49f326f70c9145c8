import type { HashAlgorithm } from '../../base/digest.ts'

/** `sha256 0-7, 11-14; sha1 none` */
export function describeSelections(
  selections: readonly { readonly algorithm: HashAlgorithm; readonly indexes: readonly number[] }[],
): string {
  return selections
    .map(({ algorithm, indexes }) => `${algorithm} ${describeRanges(indexes) || 'none'}`)
    .join('; ')
}

function describeRanges(indexes: readonly number[]): string {
  const ranges: { first: number; last: number }[] = []
  for (const index of indexes) {
    const range = ranges.at(-1)
    if (range?.last === index - 1) range.last = index
    else ranges.push({ first: index, last: index })
  }
  return ranges
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(', ')
}
