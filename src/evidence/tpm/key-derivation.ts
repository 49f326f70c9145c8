import { createHmac } from 'node:crypto'
import { DIGEST_BYTES, digest, type HashAlgorithm } from '../../base/digest.ts'
import { toUtf8 } from '../../base/encoding.ts'

type Derivation = {
  readonly hash: HashAlgorithm
  /** Without the zero octet that ends it. */
  readonly label: string
  /** A multiple of 8. */
  readonly bits: number
}

/**
 * KDFa: SP 800-108 in counter mode with HMAC, as TPM 2.0 Part 1 §11.4.10.2 writes it. The label ends
 * with a zero octet, which is also the separator.
 */
export function kdfa(
  input: Derivation & {
    readonly key: Uint8Array
    readonly contextU: Uint8Array
    readonly contextV: Uint8Array
  },
): Uint8Array {
  const { hash, key, label, contextU, contextV, bits } = input
  return derive(input, (counter) =>
    createHmac(hash, key)
      .update(counter)
      .update(labelOf(label))
      .update(contextU)
      .update(contextV)
      .update(uint32(bits))
      .digest(),
  )
}

/**
 * KDFe: SP 800-56A concatenation KDF over the x-coordinate of an ECDH point and those of the two
 * public points. TPM 2.0 Part 1 §11.4.10.3
 */
export function kdfe(
  input: Derivation & {
    readonly z: Uint8Array
    readonly partyU: Uint8Array
    readonly partyV: Uint8Array
  },
): Uint8Array {
  const { hash, z, label, partyU, partyV } = input
  return derive(input, (counter) => digest(hash, counter, z, labelOf(label), partyU, partyV))
}

function derive(
  { hash, bits }: Derivation,
  block: (counter: Uint8Array) => Uint8Array,
): Uint8Array {
  if (bits % 8 !== 0) throw new TypeError('only whole octets are derived')
  const blocks = Math.ceil(bits / 8 / DIGEST_BYTES[hash])
  const all = Array.from({ length: blocks }, (_, at) => block(uint32(at + 1)))
  return Buffer.concat(all).subarray(0, bits / 8)
}

function labelOf(label: string): Uint8Array {
  return toUtf8(`${label}\0`)
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
