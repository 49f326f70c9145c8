import { fromBase64, fromUtf8, toBase64, toUtf8 } from '../base/encoding.ts'
import { type PurposeKeys, seal, unsealWithAny } from './sealing.ts'

/** Base64 of the sealed text; in another context it does not open. */
export function sealText([key]: PurposeKeys, text: string, context: string): string {
  return toBase64(seal({ key, plaintext: toUtf8(text), context }))
}

/** `undefined` where none of the keys has sealed it, or not in this context. */
export function openText(keys: PurposeKeys, sealed: string, context: string): string | undefined {
  const bytes = fromBase64(sealed)
  if (bytes === undefined) return undefined
  const opened = unsealWithAny({ keys, sealed: bytes, context })
  return opened && fromUtf8(opened)
}

/** Of a text that another key than the first has sealed, the same sealed with the first; else `undefined`. */
export function resealText(keys: PurposeKeys, sealed: string, context: string): string | undefined {
  const [current] = keys
  if (openText([current], sealed, context) !== undefined) return undefined
  const text = openText(keys, sealed, context)
  return text === undefined ? undefined : sealText(keys, text, context)
}
