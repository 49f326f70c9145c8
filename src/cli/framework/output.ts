import { once } from 'node:events'

/** All that could move the cursor or hide text: C0 and C1, line separators, marks of direction. */
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/**
 * One line of text that comes from a device, a token or a log, for a terminal: its control
 * characters, line feeds among them, are shown as escapes.
 */
export function printable(text: string): string {
  return text.replace(CONTROLS, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** Writes lines for people to standard output; values in them have been made `printable`. */
export function printText(text: string): void {
  process.stdout.write(text.split('\n').map(printable).join('\n'))
}

/**
 * Writes one JSON document to standard output, in one line unless told otherwise. Terminals get it too: what
 * JSON leaves as it is of control characters stands in it as escapes, which readers of JSON undo.
 */
export function printJson(value: unknown, indent?: number): void {
  printText(`${JSON.stringify(value, null, indent)}\n`)
}

/** Writes to standard output as it is, no faster than it is taken: for what goes into files. */
export async function writeOut(text: string): Promise<void> {
  if (!process.stdout.write(text) && process.stdout.writable) await once(process.stdout, 'drain')
}
