import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { fromBase64Url, toBase64Url, toHex } from '../../src/base/encoding.ts'
import { type Failure, ok } from '../../src/base/result.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice, type VirtualDevice } from '../../src/simulator/virtual-device.ts'
import {
  makeRequest,
  makeVerifier,
  type Payload,
  payloadOf,
  signRequest,
  signVbsRequest,
  type TestVerifier,
  type Version,
} from './harness.ts'

/** Breaks one member of a valid request, signs it again as an agent with that fault would, and asks who is blamed. */
const KINDS = [
  ['v1 vbs', { version: 1 }],
  ['v2 basic, its key quoted', { version: 2, withoutEnclave: true }],
  ['v2 basic, its key certified', { version: 2, withoutEnclave: true, binding: 'certify' }],
  ['v2 vbs', { version: 2 }],
] as const

type Path = readonly (string | number)[]

/** Faults that agents really have: `undefined` where one does not apply. */
const FAULTS: Readonly<Record<string, (value: unknown) => unknown>> = {
  'left out': () => undefined,
  'of another type': (value) => (typeof value === 'number' ? 'text' : 7),
  'no base64url': (value) => (isBytes(value) ? `${value}=` : NOT_APPLICABLE),
  'in hexadecimal': (value) => (isBytes(value) ? toHex(bytesOf(value)) : NOT_APPLICABLE),
  'cut short': (value) =>
    isBytes(value) ? toBase64Url(bytesOf(value).subarray(0, -1)) : NOT_APPLICABLE,
  'a byte too long': (value) =>
    isBytes(value) ? toBase64Url(Buffer.concat([bytesOf(value), Buffer.alloc(1)])) : NOT_APPLICABLE,
  'with a bit turned': (value) => (isBytes(value) ? toBase64Url(turnBit(value)) : NOT_APPLICABLE),
}
const NOT_APPLICABLE = Symbol('not applicable')

/**
 * What two members state together, of which nobody can say which is wrong. The blamed one first; `.`
 * stands for the folder of either.
 */
const TOGETHER: readonly (readonly [blamed: RegExp, broken: RegExp])[] = [
  // A signature, what it is over, and the key that should have made it.
  [/\.(signature|current_claim)$/, /\.(quote|certification|aik_pub\.(n|e))$/],
  [/^request$/, /\.(request_key\.jwk|attest_key)\.(n|e)$/],
  // The quote binds the text of the key with a hash that the request names.
  [/\.quote$/, /\.request_key(\.|$)/],
  // The values are hashed into the quote; a bank that is named otherwise has other lengths.
  [/\.values\[0\]\.digest$/, /\.algorithm$/],
  // TPM2_Certify speaks of the key in `public`, which has to be that of the JWK.
  [/\.tpm_certify\.public$/, /\.request_key\.jwk\.(n|e)$/],
]

let verifier: TestVerifier
let device: VirtualDevice
beforeAll(async () => {
  verifier = await makeVerifier()
  device = await startVirtualDevice({ name: 'one', keys: independentKeys() })
})

describe.each(KINDS)('a request, %s, of which one member is broken', (_name, options) => {
  test('is refused for that member, or accepted where nothing depends on it', async () => {
    const challenge = await verifier.challenge()
    const honest = payloadOf(await makeRequest(device, challenge, options))
    const paths = [...pathsOf(honest)]
    const blamed = new Set<string>()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...paths),
        fc.constantFrom(...Object.keys(FAULTS)),
        async (path, fault) => {
          const broken = breakMember(honest, path, fault)
          if (broken === undefined) return
          const member = await blame(await sign(broken, path, options.version))
          if (member === undefined) return
          blamed.add(member)
          if (!isFair(member, textOf(path))) expect(member, fault).toBe(textOf(path))
        },
      ),
      { numRuns: 250 },
    )
    // So that the test does not pass for want of refusals.
    expect(blamed.size).toBeGreaterThan(15)
  })
})

async function blame(request: string): Promise<string | undefined> {
  const { config, keys } = verifier
  const sent = await verifier.send(
    { request },
    { config, keys, spendContext: async () => ok(true) },
  )
  if (sent.ok) return undefined
  const { reason, member = `nobody, for ${reason}` }: Failure = sent.failure
  return member
}

/** The member itself, one inside it, or the list or object that holds it; or its counterpart. */
function isFair(member: string, broken: string): boolean {
  const isWithin = (inner: string, outer: string) =>
    inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`)
  const isHolder = isWithin(broken, member) && /\.(pcrs|logs|info)$/.test(member)
  const isCounterpart = TOGETHER.some(([one, other]) => one.test(member) && other.test(broken))
  return isWithin(member, broken) || isHolder || isCounterpart
}

function* pathsOf(value: unknown, path: Path = []): Generator<Path> {
  if (path.length > 0) yield path
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    yield* pathsOf(inner, [...path, Array.isArray(value) ? Number(name) : name])
  }
}

function textOf(path: Path): string {
  return path.reduce<string>(
    (text, name) => (typeof name === 'number' ? `${text}[${name}]` : `${text}.${name}`),
    'request',
  )
}

function breakMember(honest: Payload, path: Path, fault: string): Payload | undefined {
  const payload = structuredClone(honest)
  const last = path.at(-1) ?? ''
  const holder = path.slice(0, -1).reduce((value, name) => value[name], payload)
  const changed = FAULTS[fault]?.(holder[last])
  if (changed === NOT_APPLICABLE) return undefined
  if (changed !== undefined) holder[last] = changed
  else if (Array.isArray(holder)) holder.splice(Number(last), 1)
  else delete holder[last]
  return payload
}

/** What is broken inside `report_signed` the enclave has reported on as it is. */
function sign(payload: Payload, path: Path, version: Version): Promise<string> {
  const isReported = path[1] === 'report_signed' && path.length > 2
  return isReported
    ? signVbsRequest(device, version, payload.att_data.report_signed)
    : signRequest(device.requestKey, version, payload)
}

function isBytes(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 4 && fromBase64Url(value) !== undefined
}

function bytesOf(text: string): Uint8Array {
  return fromBase64Url(text) ?? new Uint8Array()
}

function turnBit(text: string): Uint8Array {
  const bytes = Buffer.from(bytesOf(text))
  const middle = bytes.length >> 1
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle)
  return bytes
}
