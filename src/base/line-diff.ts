/** Lines of a text that are compared; a longer one is shown as replaced. */
const MAX_DIFF_LINES = 2_000
/** Equal lines around a difference. */
const DIFF_CONTEXT_LINES = 3

type Edit = { readonly mark: ' ' | '-' | '+'; readonly line: string }

/**
 * The lines by which two texts differ, with their neighbours, as `-` old and `+` new. Empty when the
 * texts are the same; that lines end otherwise is a difference.
 */
export function diffLines(before: string, after: string): readonly string[] {
  if (before === after) return []
  const edits = compareLines(splitLines(before), splitLines(after))
  const shown = edits.map((_, at) => {
    const from = Math.max(0, at - DIFF_CONTEXT_LINES)
    return edits.slice(from, at + DIFF_CONTEXT_LINES + 1).some(({ mark }) => mark !== ' ')
  })
  const lines: string[] = []
  for (const [at, { mark, line }] of edits.entries()) {
    if (!shown[at]) continue
    if (at > 0 && !shown[at - 1]) lines.push('…')
    lines.push(`${mark} ${line}`)
  }
  return lines
}

/** A last line without an end, and ends that cannot be seen, are shown. */
function splitLines(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, '␍'))
  const last = lines.pop() ?? ''
  return last === '' ? lines : [...lines, `${last} (without an end of line)`]
}

function compareLines(before: readonly string[], after: readonly string[]): readonly Edit[] {
  let start = 0
  while (start < before.length && before[start] === after[start]) start++
  let end = 0
  const room = Math.min(before.length, after.length) - start
  while (end < room && before.at(-1 - end) === after.at(-1 - end)) end++
  const old = before.slice(start, before.length - end)
  const young = after.slice(start, after.length - end)
  const isLong = old.length > MAX_DIFF_LINES || young.length > MAX_DIFF_LINES
  return [
    ...before.slice(0, start).map(marked(' ')),
    ...(isLong ? [...old.map(marked('-')), ...young.map(marked('+'))] : align(old, young)),
    ...before.slice(before.length - end).map(marked(' ')),
  ]
}

const marked = (mark: Edit['mark']) => (line: string) => ({ mark, line })

/** By the longest common subsequence of lines. */
function align(old: readonly string[], young: readonly string[]): readonly Edit[] {
  const width = young.length + 1
  const lengths = new Uint16Array((old.length + 1) * width)
  const lengthAt = (i: number, j: number) => lengths[i * width + j] ?? 0
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = young.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        old[i] === young[j]
          ? lengthAt(i + 1, j + 1) + 1
          : Math.max(lengthAt(i + 1, j), lengthAt(i, j + 1))
    }
  }
  const edits: Edit[] = []
  let i = 0
  let j = 0
  while (i < old.length || j < young.length) {
    if (i < old.length && old[i] === young[j]) {
      edits.push({ mark: ' ', line: old[i++] ?? '' })
      j++
    } else if (i < old.length && (j >= young.length || lengthAt(i + 1, j) >= lengthAt(i, j + 1))) {
      edits.push({ mark: '-', line: old[i++] ?? '' })
    } else {
      edits.push({ mark: '+', line: young[j++] ?? '' })
    }
  }
  return edits
}
