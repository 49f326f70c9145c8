import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type AzureCredentialSettings, createAzureCredential } from '../../src/azure/credential.ts'
import { FAILURES_TO_OPEN, MAX_ANSWER_BYTES } from '../../src/azure/limits.ts'
import { type AzureRelay, type AzureRelayInput, createAzureRelay } from '../../src/azure/relay.ts'
import { fromBase64Url, toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { makeAttestationRequest } from '../../src/simulator/attestation-request.ts'
import type { StandInProvider } from '../support/azure/provider.ts'
import { type AzureStandIn, startAzure } from '../support/azure/stand-in.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { startDevice, testClock } from '../support/service.ts'

/** The real SDKs and the real network of Node, against a server that behaves as Azure does. */
const SCOPE = 'https://attest.azure.net/.default'
const INIT = { kind: 'init' } as const
const REQUEST = { kind: 'request', request: 'a.b.c' } as const
const RP_DATA = 'AQIDBA'

let azure: AzureStandIn
let provider: StandInProvider
const trusted = getCACertificates('default')

beforeAll(async () => {
  azure = await startAzure()
  setDefaultCACertificates([...trusted, azure.caPem])
  provider = await azure.createProvider({
    policy: 'version=1.2; authorizationrules{ => permit(); }; issuancerules{};',
  })
})

afterEach(() => {
  provider.recover()
  azure.recoverEntra()
})

afterAll(async () => {
  await azure.close()
  setDefaultCACertificates(trusted)
})

function secret(overrides: { clientSecret?: string; authorityHost?: string } = {}) {
  const { authorityHost, tenantId, clientId, clientSecret } = azure
  const client = { tenantId, clientId, clientSecret, authorityHost, ...overrides }
  return { kind: 'client-secret', ...client, disableInstanceDiscovery: true } as const
}

type RelayOptions = Partial<AzureRelayInput> & { readonly settings?: AzureCredentialSettings }

function openRelay({ settings = secret(), ...input }: RelayOptions = {}): AzureRelay {
  return createAzureRelay({
    url: provider.url,
    credential: createAzureCredential(settings),
    scope: SCOPE,
    timeoutMs: 5000,
    clock: () => new Date(),
    random: () => 0.5,
    wait: async () => {},
    ...input,
  })
}

/** Both messages of a healthy device; gives what the relay made of the second. */
async function attest(relay: AzureRelay) {
  const device = await startDevice()
  const init = JSON.parse(expectOk(await relay.attestTpm(INIT)))
  const request = await makeAttestationRequest({
    device,
    version: 2,
    binding: 'quote',
    challenge: fromBase64Url(init.payload.challenge) ?? new Uint8Array(),
    serviceContext: init.payload.service_context,
    rpId: 'https://relying-party.example',
    rpData: RP_DATA,
  })
  return await relay.attestTpm({ kind: 'request', request })
}

/** How many messages the provider has got. */
const messages = () => provider.requests.filter(({ path }) => path.startsWith('/attest/Tpm')).length

describe('both messages of a device', () => {
  test('are answered, with one token for both', async () => {
    const before = azure.tokenRequests.length
    const report = JSON.parse(expectOk(await attest(openRelay())))
    expect(decodeJwt(report.payload.report)).toMatchObject({
      iss: provider.url,
      nonce: RP_DATA,
      'x-ms-policy-hash': provider.attestationPolicyHash(),
    })
    expect(azure.tokenRequests.length - before).toBe(1)
    expect(azure.tokenRequests.at(-1)?.form).toMatchObject({ scope: SCOPE })
  })

  test('are answered to a client that has a certificate', async () => {
    const { authorityHost, tenantId, clientId, clientCertificatePem: pem } = azure
    const client = { tenantId, clientId, pem, authorityHost, disableInstanceDiscovery: true }
    expectOk(await attest(openRelay({ settings: { kind: 'client-certificate', ...client } })))
  })

  test('are answered by a slow provider', async () => {
    provider.fail({ kind: 'slow', ms: 50 })
    expectOk(await attest(openRelay()))
  })

  test('are refused by the policy of the provider', async () => {
    const own = await azure.createProvider({
      policy: 'version=1.0; authorizationrules{ => deny(); }; issuancerules{};',
    })
    const failure = expectRefusal(await attest(openRelay({ url: own.url })), 'provider_refused')
    expect(failure.code).toBe('PolicyEvaluationError')
    expect(Object.keys(failure)).not.toContain('message')
    await own.close()
  })
})

test('a request that is nonsense is refused', async () => {
  expectRefusal(await openRelay().attestTpm(REQUEST), 'provider_refused')
})

describe('a provider', () => {
  test('that hangs is given up, and a request not sent again', async () => {
    const relay = openRelay({ timeoutMs: 200 })
    expectOk(await relay.attestTpm(INIT))
    provider.fail({ kind: 'hang' })
    const before = messages()
    expectRefusal(await relay.attestTpm(REQUEST), 'provider_timed_out')
    expect(messages() - before).toBeLessThanOrEqual(1)
  })

  test('that refuses connections is unreachable until it is back', async () => {
    const relay = openRelay()
    provider.fail({ kind: 'refuse_connections' })
    expectRefusal(await relay.attestTpm(INIT), 'provider_unreachable')
    expectRefusal(await relay.attestTpm(REQUEST), 'provider_unreachable')
    provider.recover()
    expectOk(await relay.attestTpm(INIT))
  })

  test('at which nothing listens is asked again, even with a request', async () => {
    const pauses: number[] = []
    const closed = await azure.createProvider()
    await closed.close()
    const wait = async (ms: number) => {
      pauses.push(ms)
    }
    const relay = openRelay({ url: closed.url, credential: undefined, wait })
    expectRefusal(await relay.attestTpm(REQUEST), 'provider_unreachable')
    expect(pauses).toHaveLength(2)
  })

  test('that cuts an answer once is asked again for a challenge', async () => {
    provider.fail({ kind: 'cut' }, { times: 1 })
    expectOk(await openRelay().attestTpm(INIT))
  })

  test('that cuts an answer is not sent a request twice', async () => {
    const relay = openRelay()
    expectOk(await relay.attestTpm(INIT))
    provider.fail({ kind: 'cut' })
    const before = messages()
    expectRefusal(await relay.attestTpm(REQUEST), 'provider_unreachable')
    expect(messages() - before).toBe(1)
  })

  test('that throttles says for how long', async () => {
    provider.fail({ kind: 'status', status: 429, headers: { 'retry-after': '7' } })
    const relay = openRelay({ timeoutMs: 1000 })
    const failure = expectRefusal(await relay.attestTpm(INIT), 'provider_throttled')
    expect(failure.retryAfterSeconds).toBe(7)
  })

  test('that fails inside has failed', async () => {
    provider.fail({ kind: 'status', status: 500, body: '{"error":{"code":"InternalError"}}' })
    expectRefusal(await openRelay().attestTpm(INIT), 'provider_failed')
  })

  test('that wants a token for another audience refuses our credential', async () => {
    const relay = openRelay({ scope: 'https://vault.azure.net/.default' })
    expectRefusal(await relay.attestTpm(INIT), 'provider_credential_refused')
  })

  test('that wants a token at all refuses us without one', async () => {
    const relay = openRelay({ credential: undefined })
    expectRefusal(await relay.attestTpm(INIT), 'provider_credential_refused')
  })

  test.each([
    ['too long', `{"data":"${'A'.repeat(MAX_ANSWER_BYTES)}"}`],
    ['no JSON', 'AAAA'],
    ['of another form', '{"token":"a.b.c"}'],
    ['empty', ''],
  ])('whose answer is %s has answered nothing', async (_, body) => {
    provider.fail({ kind: 'status', status: 200, body })
    expectRefusal(await openRelay().attestTpm(INIT), 'provider_answer_malformed')
  })

  test('may write other alphabets beside what is passed on', async () => {
    const payload = { challenge: 'AAAA', service_context: 'BBBB' }
    const data = toBase64Url(toUtf8(JSON.stringify({ payload, note: 'grün €' })))
    const headers = { 'content-type': 'application/json; charset=utf-8' }
    provider.fail({ kind: 'status', status: 200, body: JSON.stringify({ data }), headers })
    expect(expectOk(await openRelay().attestTpm(INIT))).toBe(JSON.stringify({ payload }))
  })

  test('that redirects is not followed', async () => {
    const other = await azure.createProvider()
    const headers = { location: `${other.url}/attest/Tpm?api-version=2020-10-01` }
    provider.fail({ kind: 'status', status: 307, headers })
    expectRefusal(await openRelay().attestTpm(INIT), 'provider_answer_malformed')
    expect(other.requests).toEqual([])
    await other.close()
  })

  test('whose certificate nobody trusts is unreachable', async () => {
    setDefaultCACertificates(trusted)
    const other = await azure.createProvider()
    const relay = openRelay({ url: other.url, credential: undefined })
    expectRefusal(await relay.attestTpm(INIT), 'provider_unreachable')
    expect(other.requests).toEqual([])
    setDefaultCACertificates([...trusted, azure.caPem])
    await other.close()
  })

  test('that was away for long is left alone, then tried once, then used again', async () => {
    const clock = testClock(new Date())
    const relay = openRelay({ clock: clock.now })
    provider.fail({ kind: 'status', status: 503 })
    for (let failure = 0; failure < FAILURES_TO_OPEN; failure += 1) {
      expectRefusal(await relay.attestTpm(INIT), 'provider_failed')
    }
    const before = messages()
    expectRefusal(await relay.attestTpm(INIT), 'provider_circuit_open')
    expect(messages()).toBe(before)
    provider.recover()
    clock.advance(5)
    expectOk(await relay.attestTpm(INIT))
    expect(relay.state().available).toBe(true)
  })
})

describe('Entra', () => {
  test.each([
    ['that cannot be reached', { kind: 'refuse_connections' }],
    ['that cuts its answers', { kind: 'cut' }],
    ['that fails inside', { kind: 'status', status: 500 }],
  ] as const)('%s makes the provider unreachable, and nothing is sent there', async (_, how) => {
    const before = messages()
    azure.failEntra(how)
    expectRefusal(await openRelay().attestTpm(REQUEST), 'provider_unreachable')
    expect(messages()).toBe(before)
  })

  test('that hangs is given up', async () => {
    const before = messages()
    azure.failEntra({ kind: 'hang' })
    expectRefusal(await openRelay({ timeoutMs: 100 }).attestTpm(REQUEST), 'provider_timed_out')
    expect(messages()).toBe(before)
  })

  test('that was away for a moment is asked again, even for a request', async () => {
    azure.failEntra({ kind: 'cut' }, { path: /token/, times: 1 })
    expectRefusal(await openRelay().attestTpm(REQUEST), 'provider_refused')
  })

  test('that does not know our secret refuses our credential, and nothing is sent', async () => {
    const before = messages()
    const relay = openRelay({ settings: secret({ clientSecret: 'guessed' }) })
    expectRefusal(await relay.attestTpm(INIT), 'provider_credential_refused')
    expect(messages()).toBe(before)
  })
})
