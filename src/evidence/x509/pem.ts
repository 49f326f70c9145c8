import { fromBase64 } from '../../base/encoding.ts'

export type PemBlock = { readonly label: string; readonly bytes: Uint8Array }

const BEGIN = '-----BEGIN '
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*)-----END \1-----/g

/**
 * The blocks of a PEM text in their order (RFC 7468 §3, text outside of blocks allowed).
 * `undefined` when a block has no end or is not base64: half a bundle is not a bundle.
 */
export function readPemBlocks(text: string): PemBlock[] | undefined {
  const blocks: PemBlock[] = []
  for (const [, label = '', body = ''] of text.matchAll(BLOCK)) {
    const bytes = fromBase64(body.replaceAll(/[ \t\r\n]/g, ''))
    if (bytes === undefined || bytes.length === 0) return undefined
    blocks.push({ label, bytes })
  }
  return text.split(BEGIN).length - 1 === blocks.length ? blocks : undefined
}
