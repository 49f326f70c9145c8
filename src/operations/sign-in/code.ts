import { z } from 'zod'
import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { type PurposeKeys, seal, unsealWithAny } from '../../keys/sealing.ts'

/** What a code is for: nobody else, no other place, and nobody without the verifier gets the ID token. */
export type GrantedCode = {
  readonly clientId: string
  readonly redirectUri: string
  /** RFC 7636, with S256; `null` where there was none. */
  readonly codeChallenge: string | null
  readonly idToken: string
}

/** A code of ours. Whether it came before is still to be looked up by `id`. */
export type OpenedCode = GrantedCode & { readonly id: string; readonly expiresAt: Date }

const CONTEXT = 'code'
const ID_BYTES = 16
const MAX_CODE_CHARS = 8192
/** RFC 6749 §4.1.2 recommends ten minutes at the most; an identity provider comes at once. */
const LIFETIME_MS = 60_000

const sealedCode = z.object({
  id: z.string(),
  /** Milliseconds since 1970. */
  expires: z.number(),
  clientId: z.string(),
  redirectUri: z.string(),
  codeChallenge: z.string().nullable(),
  idToken: z.string(),
})

/** Seals an ID token into a code, so that nothing has to be kept until it is fetched. */
export function sealCode(
  granted: GrantedCode,
  made: {
    readonly keys: PurposeKeys
    readonly random: (length: number) => Uint8Array
    readonly now: Date
  },
): string {
  const id = toBase64Url(made.random(ID_BYTES))
  const expires = made.now.getTime() + LIFETIME_MS
  const text = JSON.stringify({ ...granted, id, expires })
  return toBase64Url(seal({ key: made.keys[0], plaintext: toUtf8(text), context: CONTEXT }))
}

/** `undefined` for what is no code of ours. It may have expired. */
export function openCode(keys: PurposeKeys, code: string): OpenedCode | undefined {
  const sealed = code.length <= MAX_CODE_CHARS ? fromBase64Url(code) : undefined
  if (sealed === undefined) return undefined
  const opened = unsealWithAny({ keys, sealed, context: CONTEXT })
  const text = opened && fromUtf8(opened)
  if (text === undefined) return undefined
  const { expires, ...granted } = sealedCode.parse(JSON.parse(text))
  return { ...granted, expiresAt: new Date(expires) }
}
