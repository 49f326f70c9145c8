import { expect, test } from 'vitest'
import {
  hashClientSecret,
  newClientSecret,
  verifyClientSecret,
} from '../../src/keys/client-secret.ts'

const secret = newClientSecret(new Uint8Array(32).fill(3))

test('a client secret carries all its randomness and a mark by which leaks are found', () => {
  expect(secret).toMatch(/^css_[A-Za-z0-9_-]{43}$/)
  expect(newClientSecret(new Uint8Array(32).fill(4))).not.toBe(secret)
  expect(() => newClientSecret(new Uint8Array(16))).toThrow(TypeError)
})

test('only the secret itself matches its hash', () => {
  const hash = hashClientSecret(secret)
  expect(hash).not.toContain(secret.slice(4))
  expect(verifyClientSecret(secret, hash)).toBe(true)
  for (const other of [
    '',
    hash,
    secret.slice(0, -1),
    `${secret} `,
    secret.toUpperCase(),
    '\ud800',
  ]) {
    expect(verifyClientSecret(other, hash), other).toBe(false)
  }
  expect(verifyClientSecret(secret, '')).toBe(false)
  expect(verifyClientSecret(secret, 'not a hash')).toBe(false)
})
