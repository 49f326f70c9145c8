import { sign, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { independentKeys, primeSharingKeys } from '../../src/simulator/key-source.ts'

const message = Buffer.from('a message')

test('keys that share primes are RSA-2048, distinct, and sign', async () => {
  const next = primeSharingKeys()
  const keys = await Promise.all(Array.from({ length: 15 }, () => next()))
  const moduli = keys.map((key) => key.export({ format: 'jwk' }).n)
  expect(new Set(moduli).size).toBe(15)
  for (const key of keys) {
    expect(key.asymmetricKeyDetails).toEqual({ modulusLength: 2048, publicExponent: 65537n })
    const publicKey = { key: key.export({ format: 'jwk' }), format: 'jwk' } as const
    expect(verify('sha256', message, publicKey, sign('sha256', message, key))).toBe(true)
  }
})

test('independent keys are RSA-2048 and distinct', async () => {
  const next = independentKeys()
  const [one, other] = await Promise.all([next(), next()])
  expect(one.asymmetricKeyDetails?.modulusLength).toBe(2048)
  expect(one.export({ format: 'jwk' }).n).not.toBe(other.export({ format: 'jwk' }).n)
})
