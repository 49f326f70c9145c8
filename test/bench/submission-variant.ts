import { readFileSync } from 'node:fs'
import { getRequestListener } from '@hono/node-server'
import { decodeProtectedHeader } from 'jose'
import pg from 'pg'
import { httpServices } from '../../src/compose/http.ts'
import type { Services } from '../../src/compose/services.ts'
import { decodeAttestationToken } from '../../src/evidence/token/attestation-token-kind.ts'
import { createApp } from '../../src/http/app.ts'
import type { AttestationToRecord } from '../../src/store/devices/recording.ts'
import { type Fleet, openServices, PUBLIC_URL } from './fleet.ts'
import type { Run, Variant } from './rounds.ts'
import { unwrap } from './unwrap.ts'
import { countUp, readInput, runConcurrently, say } from './variant.ts'

export type SubmissionInput = {
  readonly variant: Variant
  readonly environment: Fleet['environment']
  readonly file: string
}

/** `recording` is what the floor writes: what the path writes of the same submission. */
export type SubmissionItem = {
  readonly token: string
  readonly proof: string
  readonly recording: AttestationToRecord
}

const CONCURRENCY = 32
/** Header and claims of one: what its signature is over. */
const DEVICE_TOKEN_BYTES = 560

const { variant, environment, file } = readInput<SubmissionInput>()
const items: readonly SubmissionItem[] = JSON.parse(readFileSync(file, 'utf8'), reviveTime)
const services = await openServices(environment)
const prepare = variant === 'path' ? preparePath(services) : await prepareFloor(services)
const latencies: number[] = []
/** A service remembers for a while what was handed in, so a pass has submissions of its own. */
const handIn = async (from: number, to: number) => {
  latencies.length = 0
  const submit = prepare()
  await forgetSubmissions(environment.DATABASE_URL ?? '')
  const begun = performance.now()
  await runConcurrently(CONCURRENCY, {
    next: countUp(from, to),
    async run(index) {
      const begun = performance.now()
      await submit(index)
      latencies.push(performance.now() - begun)
    },
  })
  return (performance.now() - begun) / 1000
}
const middle = Math.floor(items.length / 2)
await handIn(0, middle)
const cpu = process.cpuUsage()
const seconds = await handIn(middle, items.length)
const { user, system } = process.cpuUsage(cpu)
latencies.sort((a, b) => a - b)
say({
  opsPerSecond: latencies.length / seconds,
  details: {
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
    process_cpu_us: Math.round((user + system) / latencies.length),
  },
} satisfies Run)
await services.store.close()

/** Makes ready what every pass over the items starts with. */
type Prepare = () => (index: number) => Promise<void>

function preparePath(services: Services): Prepare {
  const app = createApp(httpServices(services))
  // Makes Response what it is in the running service: an object that costs nothing until it is sent.
  getRequestListener(app.fetch)
  return () => {
    const requests = items.map(requestOf)
    return async (index) => {
      const answer = await app.fetch(requests[index] ?? new Request(PUBLIC_URL))
      if (answer.status !== 201) throw new Error(await answer.text())
    }
  }
}

function requestOf({ token, proof }: SubmissionItem): Request {
  const body = JSON.stringify({ token })
  const headers = {
    'content-type': 'application/json',
    'content-length': String(body.length),
    dpop: proof,
  }
  return new Request(`${PUBLIC_URL}/v1/attestations`, { method: 'POST', headers, body })
}

type SignedParts = {
  readonly message: Uint8Array<ArrayBuffer>
  readonly signature: Uint8Array<ArrayBuffer>
}

/**
 * The three signatures by WebCrypto and between them the one statement; everything decoded and
 * written beforehand, and the keys of issuer and service imported. The device's key is not: it comes
 * with the submission and is another for each device.
 */
async function prepareFloor(services: Services): Promise<Prepare> {
  const issuers = await services.issuers.of(unwrap(decodeAttestationToken(items[0]?.token ?? '')))
  const [issuer] = issuers.ok ? issuers.value : []
  const [issuerKey] = issuer?.keys.keys.values() ?? []
  if (issuerKey === undefined) throw new TypeError('no issuer')
  const rs256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const tokenKey = await crypto.subtle.importKey('jwk', issuerKey.jwk, rs256, false, ['verify'])
  const signed = items.map(({ token, proof }) => ({
    token: takeApart(token),
    proof: takeApart(proof),
    jwk: decodeProtectedHeader(proof).jwk as JsonWebKey,
  }))
  const pss = { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 }
  const es256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const { privateKey } = await crypto.subtle.generateKey(es256, false, ['sign', 'verify'])
  // As long as a device token of these submissions.
  const deviceToken = new Uint8Array(DEVICE_TOKEN_BYTES).fill(0x61)
  return () => async (index) => {
    const { token, proof, jwk } = signed[index] ?? fail('no such submission')
    const { recording } = items[index] ?? fail('no such submission')
    const { attestation } = recording
    const attestedAt = new Date()
    const { subtle } = crypto
    const tokenIsGood = await subtle.verify(
      'RSASSA-PKCS1-v1_5',
      tokenKey,
      token.signature,
      token.message,
    )
    const key = await subtle.importKey('jwk', jwk, pss, false, ['verify'])
    const proofIsGood = await subtle.verify(pss, key, proof.signature, proof.message)
    if (!tokenIsGood || !proofIsGood) fail('a signature is not valid')
    // Of now, as the path records it: one that is older than the last is not written everywhere.
    const { outcome } = await services.store.recordAttestation({
      ...recording,
      attestation: { ...attestation, attestedAt },
    })
    if (outcome !== 'recorded') fail(outcome)
    await subtle.sign(es256, privateKey, deviceToken)
  }
}

/** Takes the database back to where the fleet is known and nothing was handed in. */
async function forgetSubmissions(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('truncate spent_nonce, attestation, audit, outbox')
  await client.query('vacuum analyze device')
  await client.query('checkpoint')
  await client.end()
}

function takeApart(jws: string): SignedParts {
  const end = jws.lastIndexOf('.')
  return {
    message: Uint8Array.from(Buffer.from(jws.slice(0, end))),
    signature: Uint8Array.from(Buffer.from(jws.slice(end + 1), 'base64url')),
  }
}

function fail(why: string): never {
  throw new Error(why)
}

function quantile(share: number): number {
  const value = latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN
  return Math.round(value * 100) / 100
}

function reviveTime(name: string, value: unknown): unknown {
  const isTime = ['attestedAt', 'validUntil', 'expiresAt'].includes(name)
  return isTime && typeof value === 'string' ? new Date(value) : value
}
