import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RelayFailure } from '../../../src/azure/failure.ts'
import { createPolicyToken } from '../../../src/azure/provider-policy/policy-token.ts'
import {
  RECOMMENDED_POLICY,
  RECOMMENDED_POLICY_HASH,
} from '../../../src/azure/provider-policy/recommended.ts'
import { policyHashOf } from '../../../src/evidence/token/attestation-token.ts'
import { NOTHING_PERMITTED, SCOPE } from '../../support/azure/sdk-client.ts'
import {
  type AzureStandIn,
  type Outage,
  type OutageOptions,
  type StandInProvider,
  startAzure,
} from '../../support/azure/stand-in.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { bundleWorker } from '../../support/worker-bundle.ts'
import { type RunningWorker, runWorker } from '../../support/workerd.ts'
import type {
  PolicyOrder,
  PolicyOutcome,
  ProviderAccess,
} from '../policy/provider-policy-worker.ts'

/**
 * Azure's own administration client in workerd, over TLS, against a server that behaves as Azure.
 * The client makes a token with jsrsasign before it sends a policy, though ours goes out instead.
 * So what is deployed, which has none, can read policies; a Worker that has it publishes them here.
 */
const ENTRY = 'test/azure/policy/provider-policy-worker.ts'
const folder = mkdtempSync(join(tmpdir(), 'countersign-policy-'))
let azure: AzureStandIn
let deployed: RunningWorker
let publisher: RunningWorker
let provider: StandInProvider

beforeAll(async () => {
  const scripts = [bundleWorker(ENTRY), bundleWorker(ENTRY, { hasJsrsasign: true })] as const
  azure = await startAzure()
  const caFile = join(folder, 'ca.pem')
  writeFileSync(caFile, azure.caPem)
  // The runtime wants the address of a database, which this script never asks.
  const settings = { bindings: {}, databaseUrl: 'postgres://nobody@localhost/none', caFile }
  deployed = await runWorker({ ...settings, script: await scripts[0] })
  publisher = await runWorker({ ...settings, script: await scripts[1] })
})

/** A new one has a new credential in a Worker, so that no test has another's token of Entra. */
beforeEach(async () => {
  provider = await azure.createProvider()
})

afterEach(() => azure.recoverEntra())

afterAll(async () => {
  await Promise.all([deployed?.close(), publisher?.close()])
  await azure?.close()
  rmSync(folder, { recursive: true, force: true })
})

type Change = Partial<ProviderAccess> & { readonly clientSecret?: string }

function ask(worker: RunningWorker, change: Change, publish?: PolicyOrder['publish']) {
  const { clientSecret = azure.clientSecret, ...access } = change
  const { tenantId, clientId, authorityHost } = azure
  const client = { tenantId, clientId, clientSecret, authorityHost }
  const ours = { url: provider.url, client, scope: SCOPE, timeoutMs: 10_000, ...access }
  const order: PolicyOrder = { access: ours, ...(publish !== undefined && { publish }) }
  return worker.fetch(new Request(worker.url, { method: 'POST', body: JSON.stringify(order) }))
}

async function outcomeOf(asked: Promise<Response>): Promise<PolicyOutcome> {
  const answer = await asked
  if (answer.status !== 200) expect.fail(await answer.text())
  return (await answer.json()) as PolicyOutcome
}

const readPolicy = (change: Change = {}) => outcomeOf(ask(deployed, change))
const publishAs = (change: Change, text: string) => outcomeOf(ask(publisher, change, { text }))
const publish = (text: string, signer?: { keyPem: string; certificatePem: string }) =>
  outcomeOf(ask(publisher, {}, { text, ...(signer !== undefined && { signer }) }))
const sentOf = (method: string) => provider.requests.filter((sent) => sent.method === method)

describe('reading the policy in force, in a Worker', () => {
  test('gives none where none was ever set', async () => {
    const none = expectOk(await readPolicy())
    expect(none).toEqual({ text: undefined, hash: undefined, isSigned: false })
  })

  test('gives text and hash, with a token of Entra for the audience of Azure', async () => {
    provider.setPolicy(RECOMMENDED_POLICY)
    expect(expectOk(await readPolicy())).toEqual({
      text: RECOMMENDED_POLICY,
      hash: RECOMMENDED_POLICY_HASH,
      isSigned: false,
    })
    const [asked, keys, ...more] = provider.requests
    expect(asked?.path).toBe('/policies/Tpm?api-version=2020-10-01')
    const bearer = asked?.authorization?.replace(/^Bearer /, '') ?? ''
    expect(decodeJwt(bearer).aud).toBe('https://attest.azure.net')
    // The SDK's own request for keys, which would be another one, is not let out.
    expect([keys?.path, keys?.authorization, more]).toEqual(['/certs', undefined, []])
  })

  test('follows a change, with the token and the keys of the request before', async () => {
    const before = azure.tokenRequests.length
    expectOk(await readPolicy())
    provider.setPolicy(RECOMMENDED_POLICY)
    expect(expectOk(await readPolicy()).hash).toBe(RECOMMENDED_POLICY_HASH)
    expect(azure.tokenRequests).toHaveLength(before + 1)
    expect(provider.requests.filter(({ path }) => path === '/certs')).toHaveLength(1)
  })

  test('serves requests beside one another', async () => {
    provider.setPolicy(RECOMMENDED_POLICY)
    const read = await Promise.all(Array.from({ length: 12 }, () => readPolicy()))
    const hashes = read.map((outcome) => expectOk(outcome).hash)
    expect(new Set(hashes)).toEqual(new Set([RECOMMENDED_POLICY_HASH]))
  })
})

describe('publishing a policy, in a Worker', () => {
  test('puts our JWS in force as it is, and reads it again', async () => {
    const inForce = { text: RECOMMENDED_POLICY, hash: RECOMMENDED_POLICY_HASH, isSigned: false }
    expect(expectOk(await publish(RECOMMENDED_POLICY))).toEqual(inForce)
    expect(provider.attestationPolicyHash()).toBe(RECOMMENDED_POLICY_HASH)
    const token = await createPolicyToken(RECOMMENDED_POLICY, undefined)
    expect(sentOf('PUT').map(({ body }) => body)).toEqual([token])
    expect(expectOk(await readPolicy())).toEqual(inForce)
  })

  test('takes the place of the policy before, and keeps every character', async () => {
    provider.setPolicy(RECOMMENDED_POLICY)
    const text = `// žluťoučký 🦊\tĸůň\r\n${NOTHING_PERMITTED}`
    expect(expectOk(await publish(text))).toMatchObject({ text, hash: policyHashOf(text) })
    expect(provider.attestationPolicyHash()).toBe(policyHashOf(text))
  })

  test('is refused where the provider cannot parse it, and the policy before stays', async () => {
    provider.setPolicy(RECOMMENDED_POLICY)
    const refused = expectRefusal(
      await publish('version=1.0; authorizationrules'),
      'provider_refused',
    )
    expect(refused).toMatchObject({ code: 'PolicyParsingError' })
    expect(expectOk(await readPolicy()).hash).toBe(RECOMMENDED_POLICY_HASH)
  })

  test('is sent once where the provider fails', async () => {
    provider.fail({ kind: 'status', status: 500 })
    expectRefusal(await publish(RECOMMENDED_POLICY), 'provider_failed')
    expect(sentOf('PUT')).toHaveLength(1)
  })

  test('whose answer is lost is no success, and reading tells what is in force', async () => {
    provider.fail({ kind: 'cut' }, { times: 1 })
    expectRefusal(await publish(RECOMMENDED_POLICY), 'provider_unreachable')
    expect(sentOf('PUT')).toHaveLength(1)
    expect(expectOk(await readPolicy()).hash).toBe(RECOMMENDED_POLICY_HASH)
  })
})

test('publishing from a Worker as it is deployed fails before anything is sent', async () => {
  const answer = await ask(deployed, {}, { text: RECOMMENDED_POLICY })
  expect(answer.status).toBe(500)
  expect(provider.requests).toEqual([])
  expect(expectOk(await readPolicy()).text).toBeUndefined()
})

describe('an isolated provider, asked from a Worker', () => {
  beforeEach(async () => {
    provider = await azure.createProvider({ isolated: true })
  })

  test('takes a policy that its signer signed: same text, same hash', async () => {
    const { privateKeyPem: keyPem, certificatePem } = provider.policySigner
    const inForce = { text: RECOMMENDED_POLICY, hash: RECOMMENDED_POLICY_HASH, isSigned: true }
    expect(expectOk(await publish(RECOMMENDED_POLICY, { keyPem, certificatePem }))).toEqual(inForce)
    expect(provider.attestationPolicyHash()).toBe(RECOMMENDED_POLICY_HASH)
    expect(expectOk(await readPolicy())).toEqual(inForce)
  })

  test('refuses an unsigned policy, and one that another signed', async () => {
    const unsigned = expectRefusal(await publish(RECOMMENDED_POLICY), 'provider_refused')
    expect(unsigned).toMatchObject({ code: 'InvalidOperation' })
    const [certificatePem = '', keyPem = ''] =
      azure.clientCertificatePem.split(/(?=-----BEGIN PRIVATE)/)
    const foreign = await publish(RECOMMENDED_POLICY, { keyPem, certificatePem })
    expect(expectRefusal(foreign, 'provider_refused')).toMatchObject({ code: 'InvalidParameter' })
    expect(expectOk(await readPolicy()).text).toBeUndefined()
  })

  test('is not asked with a key that is not the one of the certificate', async () => {
    const { certificatePem } = provider.policySigner
    const [, keyPem = ''] = azure.clientCertificatePem.split(/(?=-----BEGIN PRIVATE)/)
    const outcome = await publish(RECOMMENDED_POLICY, { keyPem, certificatePem })
    expectRefusal(outcome, 'policy_signer_unusable')
    expect(provider.requests).toEqual([])
  })
})

describe('a provider that is out of order, asked from a Worker', () => {
  const OUTAGES: readonly [string, RelayFailure['reason'], Outage][] = [
    ['cannot be reached', 'provider_unreachable', { kind: 'refuse_connections' }],
    ['breaks off', 'provider_unreachable', { kind: 'cut' }],
    ['fails', 'provider_failed', { kind: 'status', status: 503 }],
    ['answers without a token', 'provider_answer_malformed', { kind: 'status', status: 200 }],
    [
      'redirects',
      'provider_answer_malformed',
      { kind: 'status', status: 307, headers: { location: '/certs' } },
    ],
  ]

  test.each(OUTAGES)('and %s is %s, until it recovers', async (_name, reason, outage) => {
    provider.fail(outage)
    expectRefusal(await readPolicy(), reason)
    expectRefusal(await publish(RECOMMENDED_POLICY), reason)
    provider.recover()
    expectOk(await publish(RECOMMENDED_POLICY))
  })

  test('and never answers has timed out', async () => {
    provider.fail({ kind: 'hang' })
    expectRefusal(await readPolicy({ timeoutMs: 500 }), 'provider_timed_out')
  })

  test('and lists no keys is not believed', async () => {
    provider.fail({ kind: 'status', status: 503 }, { path: /^\/certs/ })
    expectRefusal(await readPolicy(), 'key_set_unavailable')
  })

  test('and throttles says how long to wait, and is asked once', async () => {
    const headers = { 'retry-after': '7' }
    provider.fail({ kind: 'status', status: 429, headers })
    const reading = expectRefusal(await readPolicy(), 'provider_throttled')
    const publishing = expectRefusal(await publish(RECOMMENDED_POLICY), 'provider_throttled')
    expect([reading, publishing]).toEqual(
      Array(2).fill({ reason: 'provider_throttled', retryAfterSeconds: 7 }),
    )
    expect(provider.requests.map(({ method }) => method)).toEqual(['GET', 'PUT'])
  })

  test('and shows a certificate of an unknown authority gets no request', async () => {
    const stranger = await startAzure()
    try {
      const { url, requests } = await stranger.createProvider()
      expectRefusal(await readPolicy({ url }), 'provider_unreachable')
      expect(requests).toEqual([])
    } finally {
      await stranger.close()
    }
  })
})

describe('who may ask, from a Worker', () => {
  test.each([
    ['a token for another audience', { scope: 'https://management.azure.com/.default' }],
    ['a bearer that is no token', { bearer: 'not-a-token' }],
  ])('not with %s, which the provider refuses', async (_name, change) => {
    expectRefusal(await readPolicy(change), 'provider_credential_refused')
    expect(sentOf('GET')).toHaveLength(1)
    expectRefusal(await publishAs(change, RECOMMENDED_POLICY), 'provider_credential_refused')
    expect(sentOf('PUT')).toHaveLength(1)
    expect(expectOk(await readPolicy()).text).toBeUndefined()
  })

  test('not with a secret that Entra refuses, and the provider is not asked', async () => {
    expectRefusal(await readPolicy({ clientSecret: 'wrong' }), 'provider_credential_refused')
    expect(provider.requests).toEqual([])
  })

  const OUTAGES: readonly [string, RelayFailure['reason'], Outage][] = [
    ['cannot be reached', 'provider_unreachable', { kind: 'refuse_connections' }],
    [
      'throttles',
      'provider_throttled',
      { kind: 'status', status: 429, headers: { 'retry-after': '7' } },
    ],
  ]

  test.each(OUTAGES)('and not while Entra %s: %s', async (_name, reason, outage) => {
    // Asked for its token only: what it says of itself has another path.
    const options: OutageOptions = outage.kind === 'status' ? { path: /token/ } : {}
    azure.failEntra(outage, options)
    expectRefusal(await readPolicy(), reason)
    expect(provider.requests).toEqual([])
    azure.recoverEntra()
    expectOk(await readPolicy())
  })
})
