import { printable } from './output.ts'

/** `name   value` lines, aligned and indented. Members of objects get a line each; absent ones none. */
export function fields(entries: Readonly<Record<string, unknown>>, indent = '  '): string {
  const shown = Object.entries(entries)
    .flatMap(([name, value]) => flatten(name, value))
    .map((line) => line.map(printable))
  const widest = Math.max(0, ...shown.map(([name = '']) => name.length))
  return shown.map(([name = '', value]) => `${indent}${name.padEnd(widest)}  ${value}\n`).join('')
}

function flatten(name: string, value: unknown): (readonly [string, string])[] {
  if (value === undefined || value === null) return []
  if (typeof value === 'string') return [[name, value]]
  if (Array.isArray(value)) return [[name, value.map(showItem).join(', ') || 'none']]
  if (typeof value !== 'object') return [[name, JSON.stringify(value)]]
  return Object.entries(value).flatMap(([member, inner]) => flatten(`${name}.${member}`, inner))
}

function showItem(item: unknown): string {
  return typeof item === 'string' ? item : JSON.stringify(item)
}
