import { toBase64Url } from '../base/encoding.ts'

/** Makes signatures of one key as JWS has them (RFC 7518 §3.3, §3.4): of ES256 r and s, 32 bytes each. */
export type JwsSigner = {
  readonly kid: string
  readonly sign: (message: Uint8Array) => Uint8Array | Promise<Uint8Array>
}

/** Signs what we say as a compact JWS (RFC 7515 §5.1). `typ` tells its kind from all others. */
export async function signCompactJws(
  payload: object,
  {
    typ,
    signer,
    alg = 'ES256',
  }: { readonly typ: string; readonly signer: JwsSigner; readonly alg?: 'ES256' | 'RS256' },
): Promise<string> {
  const header = { alg, kid: signer.kid, typ }
  const signed = `${encodeJson(header)}.${encodeJson(payload)}`
  const signature = await signer.sign(Buffer.from(signed, 'latin1'))
  return `${signed}.${toBase64Url(signature)}`
}

function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
