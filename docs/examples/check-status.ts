/**
 * What a gateway does to let a device in without asking anybody: it has the key set, the list of statuses and
 * the device token, and no network.
 *
 *     node check-status.ts https://countersign.example.com jwks.json list.jwt device.jwt
 *
 * Its exit status is 0 for VALID, 1 for another status, and 2 where nothing can be said.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { inflateSync } from 'node:zlib'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'

const NAMES = ['VALID', 'INVALID', 'SUSPENDED', 'UNKNOWN'] as const
/** No list of a fleet is longer, whatever it says of itself. */
const MOST_BYTES = 64 * 1024 * 1024

/** Throws where nothing can be said: then the device stays out. */
export async function statusOfDevice(input: {
  readonly issuer: string
  readonly jwks: JSONWebKeySet
  readonly list: string
  readonly deviceToken: string
  readonly now?: Date
}): Promise<{ readonly device: string; readonly status: (typeof NAMES)[number] }> {
  const { issuer, now = new Date() } = input
  const keys = createLocalJWKSet(input.jwks)
  const common = { issuer, algorithms: ['ES256'], currentDate: now }
  const token = await jwtVerify(input.deviceToken, keys, {
    ...{ ...common, audience: issuer, typ: 'countersign-device+jwt' },
    requiredClaims: ['sub', 'exp', 'status'],
  })
  const { idx, uri } = Object(token.payload.status).status_list ?? {}
  if (!Number.isSafeInteger(idx) || idx < 0 || typeof uri !== 'string') {
    throw new Error('the device token names no place in a list')
  }
  const list = await jwtVerify(input.list, keys, {
    ...{ ...common, subject: uri, typ: 'statuslist+jwt' },
    requiredClaims: ['iat', 'exp', 'status_list'],
  })
  const { bits, lst } = Object(list.payload.status_list)
  if (bits !== 2 || typeof lst !== 'string') throw new Error('this is no list of two bits')
  const bytes = inflateSync(Buffer.from(lst, 'base64url'), { maxOutputLength: MOST_BYTES })
  const byte = bytes[Math.floor(idx / 4)]
  if (byte === undefined) throw new Error('the list does not reach as far as this device')
  const status = NAMES[(byte >> ((idx % 4) * 2)) & 3]
  return { device: String(token.payload.sub), status: status ?? 'UNKNOWN' }
}

async function main([issuer, jwks, list, token]: readonly string[]): Promise<number> {
  if (issuer === undefined || jwks === undefined || list === undefined || token === undefined) {
    console.error('usage: check-status.ts ISSUER JWKS_FILE LIST_FILE DEVICE_TOKEN_FILE')
    return 2
  }
  const read = (file: string) => readFileSync(file, 'utf8').trim()
  try {
    const files = { jwks: JSON.parse(read(jwks)), list: read(list), deviceToken: read(token) }
    const { device, status } = await statusOfDevice({ issuer, ...files })
    console.log(device, status)
    return status === 'VALID' ? 0 : 1
  } catch (error) {
    console.error('nothing can be said:', error instanceof Error ? error.message : error)
    return 2
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2))
}
