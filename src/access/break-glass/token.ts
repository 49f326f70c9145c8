import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { ok, type Result } from '../../base/result.ts'
import { isJsonObject, parseJsonObject } from '../../evidence/jws/compact-jws.ts'
import { type BreakGlassClaims, breakGlassSchema } from './claims.ts'
import { type BreakGlassFailure, refused } from './failure.ts'
import { MAX_BREAK_GLASS_CHARS, MAX_BREAK_GLASS_SIGNATURES, MAX_KID_CHARS } from './limits.ts'

/**
 * A break-glass token is a JWS in General JSON Serialization (RFC 7515 §7.2.1), because several
 * people sign one payload, carried as the base64url of its UTF-8 JSON, because it travels in a
 * header and by telephone:
 *
 *     {"payload":"…","signatures":[{"protected":"…","signature":"…"}, …]}
 *
 * with these members in this order and no white space, so that nothing can be put into a token that
 * nobody signed. The protected headers hold `alg`, `kid` and `typ` and nothing else.
 */
export const BREAK_GLASS_TYPE = 'countersign-break-glass+jwt'

/** RFC 8037 §3.1: Ed25519, by the curve of the key. */
export const BREAK_GLASS_ALGORITHM = 'EdDSA'

/** The envelope as it is written, each part in base64url. */
export type BreakGlassEnvelope = {
  readonly payload: string
  readonly signatures: readonly { readonly protected: string; readonly signature: string }[]
}

export type BreakGlassSignature = {
  /** Whose it claims to be. */
  readonly kid: string
  readonly signature: Uint8Array<ArrayBuffer>
  /** What it is over: RFC 7515 §5.1 step 8. */
  readonly message: Uint8Array<ArrayBuffer>
}

/** A token that has the right form. Nothing of it is verified. */
export type DecodedBreakGlass = {
  readonly envelope: BreakGlassEnvelope
  readonly claims: BreakGlassClaims
  readonly signatures: readonly BreakGlassSignature[]
}

export function encodeBreakGlass({ payload, signatures }: BreakGlassEnvelope): string {
  const inOrder = signatures.map((one) => ({ protected: one.protected, signature: one.signature }))
  return toBase64Url(toUtf8(JSON.stringify({ payload, signatures: inOrder })))
}

export function decodeBreakGlass(token: string): Result<DecodedBreakGlass, BreakGlassFailure> {
  if (token.length > MAX_BREAK_GLASS_CHARS) return refused('break_glass_too_large')
  const envelope = readEnvelope(token)
  if (envelope === undefined) return refused('break_glass_malformed', { at: 'envelope' })
  if (envelope.signatures.length > MAX_BREAK_GLASS_SIGNATURES) {
    return refused('break_glass_too_large', { at: 'signatures' })
  }
  const signatures: BreakGlassSignature[] = []
  for (const one of envelope.signatures) {
    const read = readSignature(one, envelope.payload)
    if (!read.ok) return read
    signatures.push(read.value)
  }
  const claims = breakGlassSchema.safeParse(readObject(envelope.payload))
  if (!claims.success) {
    const [at = 'payload'] = claims.error.issues[0]?.path ?? []
    return refused('break_glass_malformed', { at: String(at) })
  }
  return ok({ envelope, claims: claims.data, signatures })
}

/** The bytes that a signature under this protected header is over. Both parts are base64url. */
export function signingInput(protectedHeader: string, payload: string): Uint8Array<ArrayBuffer> {
  return Buffer.from(`${protectedHeader}.${payload}`, 'latin1')
}

function readEnvelope(token: string): BreakGlassEnvelope | undefined {
  const members = readObject(token)
  if (members === undefined) return undefined
  const { payload, signatures } = members
  if (typeof payload !== 'string' || !Array.isArray(signatures)) return undefined
  const read: { readonly protected: string; readonly signature: string }[] = []
  for (const one of signatures) {
    if (!isJsonObject(one)) return undefined
    const { protected: header, signature } = one
    if (typeof header !== 'string' || typeof signature !== 'string') return undefined
    read.push({ protected: header, signature })
  }
  const envelope = { payload, signatures: read }
  // Other members, unprotected headers among them, another order and white space end here.
  return encodeBreakGlass(envelope) === token ? envelope : undefined
}

function readSignature(
  one: BreakGlassEnvelope['signatures'][number],
  payload: string,
): Result<BreakGlassSignature, BreakGlassFailure> {
  const header = readObject(one.protected)
  const signature = readBytes(one.signature)
  if (header === undefined || signature === undefined) {
    return refused('break_glass_malformed', { at: 'signatures' })
  }
  const { alg, kid, typ, ...others } = header
  const isOurs = alg === BREAK_GLASS_ALGORITHM && typ === BREAK_GLASS_TYPE
  const isNamed = typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID_CHARS
  if (!isOurs || !isNamed || Object.keys(others).length > 0) {
    return refused('break_glass_header_refused')
  }
  return ok({ kid, signature, message: signingInput(one.protected, payload) })
}

function readObject(text: string) {
  const bytes = readBytes(text)
  const json = bytes && fromUtf8(bytes)
  return json === undefined ? undefined : parseJsonObject(json)
}

/** Base64url in the one text that stands for the bytes. */
function readBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = fromBase64Url(text)
  return bytes !== undefined && toBase64Url(bytes) === text ? bytes : undefined
}
