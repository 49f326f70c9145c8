import { toBase64Url, toUtf8 } from '../../base/encoding.ts'
import { type BreakGlassClaims, breakGlassSchema } from './claims.ts'
import {
  BREAK_GLASS_ALGORITHM,
  BREAK_GLASS_TYPE,
  type BreakGlassEnvelope,
  encodeBreakGlass,
  signingInput,
} from './token.ts'

/** Makes Ed25519 signatures (RFC 8032) with one key. */
export type BreakGlassSigner = {
  readonly kid: string
  readonly sign: (message: Uint8Array) => Uint8Array | Promise<Uint8Array>
}

/** A token with its first signature. It opens nothing before it has as many as the service wants. */
export function signBreakGlass(
  claims: BreakGlassClaims,
  signer: BreakGlassSigner,
): Promise<string> {
  const { jti, iss, aud, sub, reason, iat, exp } = breakGlassSchema.parse(claims)
  const payload = encodeJson({ jti, iss, aud, sub, reason, iat, exp })
  return addSignature({ payload, signatures: [] }, signer)
}

/** The same token with one more signature over the same payload. */
export async function addSignature(
  { payload, signatures }: BreakGlassEnvelope,
  { kid, sign }: BreakGlassSigner,
): Promise<string> {
  const header = encodeJson({ alg: BREAK_GLASS_ALGORITHM, kid, typ: BREAK_GLASS_TYPE })
  const signature = toBase64Url(await sign(signingInput(header, payload)))
  return encodeBreakGlass({
    payload,
    signatures: [...signatures, { protected: header, signature }],
  })
}

function encodeJson(value: object): string {
  return toBase64Url(toUtf8(JSON.stringify(value)))
}
