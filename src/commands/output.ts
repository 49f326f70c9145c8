/**
 * Text from devices, tokens and logs goes to a terminal: its control characters, which could move
 * the cursor or hide lines, are shown as escapes. So are the marks that reverse a line's direction.
 */
export function printable(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be printed.
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Writes text for people to standard output. Line feeds are the caller's. */
export function printText(text: string): void {
  process.stdout.write(printable(text))
}

/** Writes one JSON document to standard output, in one line unless told otherwise. */
export function printJson(value: unknown, indent?: number): void {
  process.stdout.write(`${JSON.stringify(value, null, indent)}\n`)
}
