import { createPublicKey, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { toUtf8 } from '../../src/base/encoding.ts'
import { fixedBytes, fixedChance } from '../../src/simulator/chance.ts'
import { ecKeyOf, fixedEcKey, fixedRsaKey, signEcdsa } from '../../src/simulator/fixed-keys.ts'
import { signPssWithSalt } from '../../src/simulator/rsa-pss.ts'

const message = toUtf8('a message')

/** Witness: RFC 6979 §A.2.5, ECDSA on P-256 with SHA-256; `r || s`. */
test.each([
  [
    'sample',
    'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716',
    'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
  ],
  [
    'test',
    'f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367',
    '019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083',
  ],
])('the ECDSA signature over %s is that of RFC 6979', (text, r, s) => {
  const key = ecKeyOf(0xc9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721n)
  expect(key.export({ format: 'jwk' })).toMatchObject({
    x: Buffer.from(
      '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6',
      'hex',
    ).toString('base64url'),
  })
  expect(Buffer.from(signEcdsa(key, toUtf8(text))).toString('hex')).toBe(r + s)
})

/** Witness: the `verify` of OpenSSL, or of BoringSSL inside workerd. */
test('a PSS signature with a salt of ours is one', async () => {
  const key = fixedRsaKey('test')
  const jwk = createPublicKey(key).export({ format: 'jwk' }) as JsonWebKey
  const algorithm = { name: 'RSA-PSS', hash: 'SHA-256' }
  const web = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify'])
  const isValid = (signature: Uint8Array<ArrayBuffer>, text = message) => {
    const scheme = { name: 'RSA-PSS', saltLength: 32 }
    return crypto.subtle.verify(scheme, web, signature, new Uint8Array(text))
  }
  const one = signPssWithSalt(key, message, new Uint8Array(32))
  const other = signPssWithSalt(key, message, new Uint8Array(32).fill(1))
  expect(one).not.toEqual(other)
  for (const signature of [one, other]) {
    expect(await isValid(signature)).toBe(true)
    expect(await isValid(signature, toUtf8('another'))).toBe(false)
  }
  expect(signPssWithSalt(key, message, new Uint8Array(32))).toEqual(one)
})

test('a label gives one key, on every runtime, and another label another', () => {
  const modulus = (label: string) => fixedRsaKey(label).export({ format: 'jwk' }).n
  expect(modulus('test')).not.toBe(modulus('another'))
  // What Node made of it once.
  expect(modulus('test')).toBe(MODULUS)
  const ec = fixedEcKey('test')
  const { d: _, ...jwk } = ec.export({ format: 'jwk' })
  const key = { key: jwk, format: 'jwk', dsaEncoding: 'ieee-p1363' } as const
  expect(verify('sha256', message, key, signEcdsa(ec, message))).toBe(true)
})

test('bytes of a label go on where they ended, and begin anew with it', () => {
  const bytes = fixedBytes('test')
  const parts = Buffer.concat([bytes(5), bytes(40), bytes(0), bytes(19)])
  expect(parts).toEqual(Buffer.from(fixedBytes('test')(64)))
  expect(fixedChance('test').bytes(64)).toEqual(fixedBytes('test')(64))
  expect(fixedBytes('another')(64)).not.toEqual(fixedBytes('test')(64))
})

const MODULUS = [
  '7dZgzEif1gG0zCfo84CK0AQFMwsGt5fLZA8ve5yWtb7IUuUnxnSabtpcXNBULzKOWR0NhuyFbaHe1DkrYOcAvg',
  'uTCwQsA8kCT0xeFPL2ifgxdZcSP50Zca8AUXjLiHJzDPt-T9bdMW5iCZhDnQz3U9cKBHuh4CL1KSeRToVdYtkA',
  'HwdgHZksni-y_zTbiDTLTBWxBdIJwsrze_iVMX0veKJEudcpLN4-kqww1y66iKuzr9iRRm-5f66ydmi_t_xSSC',
  '6sBCHhYSoyA33lJUZa515Hh2cnLB8xx7IjIZ1-hdr7ywGwod1mQyhVt75EapnPAsAHi4DwM438xZcdjFJeMw',
].join('')
