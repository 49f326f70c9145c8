import { constants, createCipheriv, createHmac, type KeyObject, privateDecrypt } from 'node:crypto'

const HASH = 'sha256'
const BLOCK = 16

/**
 * TPM2_ActivateCredential for an RSA-2048 endorsement key of the default template (TPM 2.0 Part 1
 * §24): the secret that was sealed for this key and an object of this name. Throws where it was
 * sealed for others, as a TPM answers with an error.
 */
export function activateCredential(input: {
  readonly endorsementKey: KeyObject
  /** Name of the loaded attestation key. */
  readonly name: Uint8Array
  /** TPM2B_ID_OBJECT */
  readonly credentialBlob: Uint8Array
  /** TPM2B_ENCRYPTED_SECRET */
  readonly encryptedSecret: Uint8Array
}): Uint8Array {
  const { endorsementKey: key, name } = input
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const oaep = { key, padding, oaepHash: HASH, oaepLabel: Buffer.from('IDENTITY\0') }
  const seed = privateDecrypt(oaep, readSized(input.encryptedSecret).content)
  const { content: hmac, rest: encrypted } = readSized(readSized(input.credentialBlob).content)
  const integrity = derive(seed, 'INTEGRITY', new Uint8Array(), 32)
  const expected = createHmac(HASH, integrity).update(encrypted).update(name).digest()
  if (!expected.equals(hmac)) throw new Error('TPM_RC_INTEGRITY')
  return readSized(decryptCfb(derive(seed, 'STORAGE', name, 16), encrypted)).content
}

/**
 * AES-128 in CFB mode with an IV of zeros, as the default template of an RSA-2048 endorsement key says.
 * workerd has no CFB: the first block of the key stream of counter mode is the encrypted block before.
 */
function decryptCfb(key: Uint8Array, encrypted: Uint8Array): Uint8Array {
  const plain = Buffer.alloc(encrypted.length)
  let feedback: Uint8Array = Buffer.alloc(BLOCK)
  for (let at = 0; at < encrypted.length; at += BLOCK) {
    const block = encrypted.subarray(at, at + BLOCK)
    plain.set(createCipheriv('aes-128-ctr', key, feedback).update(block), at)
    feedback = block
  }
  return plain
}

/** KDFa of one block. TPM 2.0 Part 1 §11.4.10.2 */
function derive(seed: Uint8Array, label: string, context: Uint8Array, bytes: number): Uint8Array {
  const bits = Buffer.alloc(4)
  bits.writeUInt32BE(bytes * 8)
  const mac = createHmac(HASH, seed)
    .update(Buffer.from([0, 0, 0, 1]))
    .update(`${label}\0`)
  return mac.update(context).update(bits).digest().subarray(0, bytes)
}

function readSized(bytes: Uint8Array): { readonly content: Uint8Array; readonly rest: Uint8Array } {
  const size = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
  if (size > bytes.length - 2) throw new Error('TPM_RC_SIZE')
  return { content: bytes.subarray(2, 2 + size), rest: bytes.subarray(2 + size) }
}
