import { digest, equalBytes } from '../../../base/digest.ts'
import { toBase64Url, toUtf8 } from '../../../base/encoding.ts'

/** Bytes that somebody may have given an enclave for others, and what they are. */
type Guess = readonly [what: string, bytes: Uint8Array]

/**
 * What EnclaveData is made of, where it is something that agents take for the SHA-512 of the text of
 * `report_signed`. Asked only of a report whose signature holds: a guess costs a few hashes.
 */
export function recognizeData(text: string, enclaveData: Uint8Array): string | undefined {
  const bytes = toUtf8(text)
  const texts: readonly Guess[] = [
    ['of the text with a line feed behind it', toUtf8(`${text}\n`)],
    ['of the text with CR and LF behind it', toUtf8(`${text}\r\n`)],
    ['of the text with a NUL behind it', toUtf8(`${text}\0`)],
    ['of the text in base64url', toUtf8(toBase64Url(bytes))],
    ['of the text in base64', toUtf8(Buffer.from(bytes).toString('base64'))],
    ['of the text in UTF-16', Buffer.from(text, 'utf16le')],
    ...writtenAnew(text),
  ]
  const hashes = [
    ...texts.map(([what, guess]): Guess => [`that ${what}`, digest('sha512', guess)]),
    ...(['sha256', 'sha384'] as const).map(
      (hash): Guess => [`its ${hash}, filled up with zeros`, filledUp(digest(hash, bytes))],
    ),
  ]
  return hashes.find(([, guess]) => equalBytes(guess, enclaveData))?.[0]
}

/** The object in the forms in which libraries write JSON, which are not the text that is sent. */
function writtenAnew(text: string): readonly Guess[] {
  const value: unknown = JSON.parse(text)
  return [undefined, 2, 4, '\t'].map((indent): Guess => {
    return ['of the object written anew', toUtf8(JSON.stringify(value, null, indent))]
  })
}

function filledUp(hash: Uint8Array): Uint8Array {
  const filled = new Uint8Array(64)
  filled.set(hash)
  return filled
}
