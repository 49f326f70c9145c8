import { createReadStream } from 'node:fs'
import { describeCode } from './read-file.ts'
import { UsageError } from './usage-error.ts'

/** Longer than any line that means something: a file without line breaks is not read into memory. */
const MAX_LINE_CHARS = 1_048_576

/**
 * The lines of a UTF-8 file, however large it is, one after the other and without what ends them. What is
 * no such file ends the command.
 */
export async function* readLines(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest = ''
  for await (const bytes of openFile(path)) {
    rest += decode(() => decoder.decode(bytes, { stream: true }), path)
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield line.replace(/\r$/, '')
    if (rest.length > MAX_LINE_CHARS) {
      throw new UsageError(`${path} has a line of more than ${MAX_LINE_CHARS} characters`)
    }
  }
  rest += decode(() => decoder.decode(), path)
  if (rest !== '') yield rest.replace(/\r$/, '')
}

async function* openFile(path: string): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path)
  try {
    for await (const chunk of stream) yield chunk
  } catch (error) {
    throw new UsageError(`cannot read ${path}${describeCode(error)}`)
  }
}

function decode(read: () => string, path: string): string {
  try {
    return read()
  } catch {
    throw new UsageError(`${path} is not UTF-8 text: save it as such`)
  }
}
