import { printable } from './output.ts'

/** Text tables for people: columns as wide as their widest cell, long last columns left alone. */
export function renderTable(
  head: readonly string[],
  content: readonly (readonly string[])[],
): string {
  const rows = content.map((row) => row.map(printable))
  const widths = head.map((title, column) =>
    Math.max(width(title), ...rows.map((row) => width(row[column] ?? ''))),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell)))
      .join('  ')
      .trimEnd()
  const rule = widths.map((wide) => '─'.repeat(wide)).join('  ')
  return [line(head), rule, ...rows.map(line)].join('\n')
}

function width(text: string): number {
  return [...text].length
}
