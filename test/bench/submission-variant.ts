import { readFileSync } from 'node:fs'
import { getRequestListener } from '@hono/node-server'
import { decodeProtectedHeader } from 'jose'
import { createApp } from '../../src/http/app.ts'
import type { Services } from '../../src/services.ts'
import type { AttestationToRecord } from '../../src/store/recording.ts'
import { type Fleet, openServices, PUBLIC_URL } from './fleet.ts'
import type { Run, Variant } from './rounds.ts'
import { countUp, readInput, runConcurrently, say } from './variant.ts'

export type SubmissionInput = {
  readonly variant: Variant
  readonly environment: Fleet['environment']
  readonly file: string
  readonly warmUp: number
}

/** `recording` is what the floor writes: what the path writes of the same submission. */
export type SubmissionItem = {
  readonly token: string
  readonly proof: string
  readonly recording: AttestationToRecord
}

const CONCURRENCY = 32

const { variant, environment, file, warmUp } = readInput<SubmissionInput>()
const items: readonly SubmissionItem[] = JSON.parse(readFileSync(file, 'utf8'), reviveTime)
const services = await openServices(environment)
const submit = variant === 'path' ? preparePath(services) : await prepareFloor(services)
const latencies: number[] = []
const run = async (index: number) => {
  const begun = performance.now()
  await submit(index)
  latencies.push(performance.now() - begun)
}
await runConcurrently(CONCURRENCY, { next: countUp(0, warmUp), run })
latencies.length = 0
const begun = performance.now()
const cpu = process.cpuUsage()
await runConcurrently(CONCURRENCY, { next: countUp(warmUp, items.length), run })
const seconds = (performance.now() - begun) / 1000
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

function preparePath(services: Services): (index: number) => Promise<void> {
  const app = createApp(services)
  // Makes Response what it is in the running service: an object that costs nothing until it is sent.
  getRequestListener(app.fetch)
  const requests = items.map(({ token, proof }) => {
    const body = JSON.stringify({ token })
    const headers = {
      'content-type': 'application/json',
      'content-length': String(body.length),
      dpop: proof,
    }
    return new Request(`${PUBLIC_URL}/v1/attestations`, { method: 'POST', headers, body })
  })
  return async (index) => {
    const answer = await app.fetch(requests[index] ?? new Request(PUBLIC_URL))
    if (answer.status !== 201) throw new Error(await answer.text())
  }
}

type SignedParts = {
  readonly message: Uint8Array<ArrayBuffer>
  readonly signature: Uint8Array<ArrayBuffer>
}

/**
 * Both signatures, then the one statement; everything decoded beforehand and the issuer's key
 * imported. The device's key is not: it comes with the submission and is another for each device.
 */
async function prepareFloor(services: Services): Promise<(index: number) => Promise<void>> {
  const [issuer] = services.issuers
  const [issuerKey] = issuer?.keys.keys.values() ?? []
  if (issuerKey === undefined) throw new TypeError('no issuer')
  const signed = items.map(({ token, proof }) => ({
    token: takeApart(token),
    proof: takeApart(proof),
    jwk: decodeProtectedHeader(proof).jwk as JsonWebKey,
  }))
  const pss = { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 }
  return async (index) => {
    const { token, proof, jwk } = signed[index] ?? fail('no such submission')
    const { recording } = items[index] ?? fail('no such submission')
    const { subtle } = crypto
    const tokenIsGood = await subtle.verify(
      'RSASSA-PKCS1-v1_5',
      issuerKey.key,
      token.signature,
      token.message,
    )
    const key = await subtle.importKey('jwk', jwk, pss, false, ['verify'])
    const proofIsGood = await subtle.verify(pss, key, proof.signature, proof.message)
    if (!tokenIsGood || !proofIsGood) fail('a signature is not valid')
    const { outcome } = await services.store.recordAttestation(recording)
    if (outcome !== 'recorded') fail(outcome)
  }
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
