import { createHmac, createPublicKey, type KeyObject } from 'node:crypto'
import { CompactSign, generateKeyPair } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { importTpmKey, type TpmKey } from '../../../src/evidence/tpm/key.ts'
import { independentKeys } from '../../../src/simulator/key-source.ts'
import { MAX_JWS_HEADER_BYTES, MAX_MESSAGE_BYTES } from '../../../src/verifier/limits.ts'
import {
  readRequestJws,
  verifyRequestSignature,
} from '../../../src/verifier/protocol/request-jws.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

const payload = toUtf8('{"att_type":"basic"}')
const encode = (value: unknown) => toBase64Url(toUtf8(JSON.stringify(value)))
const compact = (header: unknown, signature = 'AAAA') =>
  `${encode(header)}.${toBase64Url(payload)}.${signature}`
const V2 = { alg: 'PS256', typ: 'attReqV2' }

let privateKey: KeyObject
let key: TpmKey
let otherKey: TpmKey

beforeAll(async () => {
  const keys = independentKeys()
  const publicOf = async (one: KeyObject) =>
    expectOk(await importTpmKey(createPublicKey(one).export({ format: 'jwk' })))
  privateKey = await keys()
  key = await publicOf(privateKey)
  otherKey = await publicOf(await keys())
})

const sign = (header: { alg: string; typ: string }, by: KeyObject | CryptoKey = privateKey) =>
  new CompactSign(payload).setProtectedHeader(header).sign(by)

describe('reading', () => {
  test.each([
    ['attReq', 1],
    ['attReqV2', 2],
  ])('%s is version %d', (typ, version) => {
    const read = expectOk(readRequestJws(compact({ alg: 'PS256', typ })))
    expect(read.version).toBe(version)
    expect(Buffer.from(read.payload)).toEqual(Buffer.from(payload))
  })

  test.each([
    ...['', 'a', 'a.b', 'a.b.c.d', 'é.b.c'],
    `${compact(V2)}.x`,
    `${encode(V2)}.A.AAAA`,
    `${encode(V2)}.AAAA.A+/=`,
  ])('no compact JWS: %s', (text) => {
    expectRefusal(readRequestJws(text), 'request_jws_malformed')
  })

  test.each(['none', 'RS256', 'HS256', 'PS384', 'ES256', 'ps256', ''])('algorithm %j', (alg) => {
    expectRefusal(readRequestJws(compact({ ...V2, alg })), 'request_algorithm_unsupported')
  })

  test.each(['JWT', 'attreq', 'attReqV3', ''])('type %j', (typ) => {
    expectRefusal(readRequestJws(compact({ ...V2, typ })), 'request_type_unknown')
  })

  test('a header that names extensions that must be understood', () => {
    const header = { ...V2, b64: false, crit: ['b64'] }
    expectRefusal(readRequestJws(compact(header)), 'request_header_critical')
  })

  test('a header with two algorithms', () => {
    const header = toBase64Url(toUtf8('{"alg":"PS256","typ":"attReq","alg":"none"}'))
    expectRefusal(readRequestJws(`${header}.e30.AAAA`), 'json_duplicate_member')
  })

  test('a header without algorithm, or with one that is no text', () => {
    expectRefusal(readRequestJws(compact({ typ: 'attReq' })), 'message_member_missing')
    expectRefusal(readRequestJws(compact({ ...V2, alg: 1 })), 'message_member_invalid')
  })

  test('header and payload over their limits', () => {
    const wide = { ...V2, kid: 'k'.repeat(MAX_JWS_HEADER_BYTES) }
    expectRefusal(readRequestJws(compact(wide)), 'message_too_large')
    const long = `${encode(V2)}.${'A'.repeat(MAX_MESSAGE_BYTES * 2)}.AAAA`
    expectRefusal(readRequestJws(long), 'message_too_large')
  })
})

test.each([
  ['header', 0],
  ['payload', 1],
])('a %s that is base64url of something else than UTF-8', (_, part) => {
  const parts = [toBase64Url(toUtf8('{"alg":"PS256","typ":"attReqV2"}')), 'e30', 'AA']
  parts[part] = toBase64Url(Uint8Array.of(0x22, 0xc3, 0x28, 0x22))
  expectRefusal(readRequestJws(parts.join('.')), 'message_encoding_invalid')
})

describe('proof of possession', () => {
  const verify = (text: string, by = key) =>
    verifyRequestSignature(expectOk(readRequestJws(text)), by)

  test('a signature by the key', async () => {
    expectOk(await verify(await sign(V2)))
  })

  test('a signature by another key', async () => {
    expectRefusal(await verify(await sign(V2), otherKey), 'request_signature_invalid')
  })

  test('a key in the header does not replace the one in the payload', async () => {
    const { privateKey: forger, publicKey } = await generateKeyPair('PS256')
    const jwk = await crypto.subtle.exportKey('jwk', publicKey)
    const header = { ...V2, kid: 'x', jwk, x5c: ['AAAA'], jku: 'https://forger.example/keys' }
    const forged = await sign(header, forger)
    expectRefusal(await verify(forged), 'request_signature_invalid')
  })

  test('no signature, or a truncated one', async () => {
    const signed = await sign(V2)
    const unsigned = `${signed.slice(0, signed.lastIndexOf('.'))}.`
    expectRefusal(await verify(unsigned), 'request_signature_invalid')
    expectRefusal(await verify(signed.slice(0, -4)), 'request_signature_invalid')
  })

  test('an RS256 signature under a PS256 header', async () => {
    const rs256 = await sign({ alg: 'RS256', typ: 'attReqV2' })
    const signature = rs256.split('.')[2] ?? ''
    expectRefusal(await verify(compact(V2, signature)), 'request_signature_invalid')
  })

  test('an HMAC keyed with the public key under a PS256 header', async () => {
    const input = compact(V2, '').slice(0, -1)
    const secret = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' })
    const mac = createHmac('sha256', secret).update(input).digest('base64url')
    expectRefusal(await verify(`${input}.${mac}`), 'request_signature_invalid')
  })

  test('the payload of one request under the signature of another', async () => {
    const [header, , signature] = (await sign(V2)).split('.')
    const swapped = `${header}.${encode({ att_type: 'vbs' })}.${signature}`
    expectRefusal(await verify(swapped), 'request_signature_invalid')
  })
})
