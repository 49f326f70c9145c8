import { primeSharingKeys } from '../../../src/simulator/key-source.ts'

const SIGNING = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const

const source = primeSharingKeys()
const keys = new Map<string, Promise<CryptoKeyPair>>()

/**
 * The RSA key of this name, extractable, one for the whole process: making them is slow, and those
 * who share a key here share it at Azure too.
 */
export function rsaKey(name: string): Promise<CryptoKeyPair> {
  const key = keys.get(name) ?? makeKey()
  keys.set(name, key)
  return key
}

async function makeKey(): Promise<CryptoKeyPair> {
  const key = await source()
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' })
  const { kty, n, e } = key.export({ format: 'jwk' })
  const privateKey = await crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), SIGNING, true, [
    'sign',
  ])
  const publicKey = await crypto.subtle.importKey(
    'jwk',
    { kty: kty ?? '', n: n ?? '', e: e ?? '' },
    SIGNING,
    true,
    ['verify'],
  )
  return { privateKey, publicKey }
}
