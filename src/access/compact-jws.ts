import { toBase64Url } from '../base/encoding.ts'

/** Makes ES256 signatures: r and s, 32 bytes each (RFC 7518 §3.4). */
export type Es256Signer = {
  readonly kid: string
  readonly sign: (message: Uint8Array) => Uint8Array | Promise<Uint8Array>
}

/** Signs what we say as a compact JWS (RFC 7515 §5.1). `typ` tells its kind from all others. */
export async function signCompactJws(
  payload: object,
  { typ, signer }: { readonly typ: string; readonly signer: Es256Signer },
): Promise<string> {
  const header = { alg: 'ES256', kid: signer.kid, typ }
  const signed = `${encodeJson(header)}.${encodeJson(payload)}`
  const signature = await signer.sign(Buffer.from(signed, 'latin1'))
  return `${signed}.${toBase64Url(signature)}`
}

function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
