import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { AttestationClient } from '@azure/attestation'
import { ClientAssertionCredential, ClientCertificateCredential } from '@azure/identity'
import { decodeJwt, SignJWT } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { INIT, SCOPE, useSdk } from '../support/azure/sdk-client.ts'
import { type StandInProvider, startAzure, trustStandIn } from '../support/azure/stand-in.ts'

/** The SDKs go by the clock of the machine, so the stand-in does too. */
const trusted = getCACertificates('default')
const azure = await startAzure()
trustStandIn(azure)
afterAll(async () => {
  await azure.close()
  setDefaultCACertificates(trusted)
})

const { tenantId, clientId, clientSecret, authorityHost, clientCertificatePem } = azure
const { authority, withSecret, tokenFor, ask } = useSdk(azure)

describe('Entra', () => {
  test('gives tokens for a secret, a certificate and a federated token', async () => {
    const credentials = [
      withSecret(),
      new ClientCertificateCredential(
        tenantId,
        clientId,
        { certificate: clientCertificatePem },
        authority,
      ),
      new ClientAssertionCredential(tenantId, clientId, azure.issueFederatedToken, authority),
    ]
    for (const credential of credentials) {
      const { token } = await credential.getToken(SCOPE)
      expect(decodeJwt(token)).toMatchObject({ aud: 'https://attest.azure.net', appid: clientId })
    }
    const [last] = azure.tokenRequests.slice(-1)
    expect(last?.form).toMatchObject({ client_id: clientId, scope: expect.stringContaining(SCOPE) })
  })

  test.each([
    ['a wrong secret', { client_secret: 'wrong' }, 401, 'invalid_client', 7000215],
    ['no credential', { client_secret: undefined }, 401, 'invalid_client', 7000216],
    ['an unknown application', { client_id: 'other' }, 400, 'unauthorized_client', 700016],
    ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type', 70003],
    ['no default scope', { scope: 'openid' }, 400, 'invalid_scope', 1002012],
    ['an unknown resource', { scope: 'https://x.test/.default' }, 400, 'invalid_resource', 500011],
  ])('refuses %s in its own words', async (_, change, status, error, code) => {
    const grant = { grant_type: 'client_credentials', scope: SCOPE }
    const form = { ...grant, client_id: clientId, client_secret: clientSecret, ...change }
    const given = Object.entries(form).filter(([, value]) => value !== undefined)
    const body = new URLSearchParams(given as [string, string][])
    const url = `${authorityHost}/${tenantId}/oauth2/v2.0/token`
    const answer = await fetch(url, { method: 'POST', body })
    expect(answer.status).toBe(status)
    const description = expect.stringMatching(new RegExp(`^AADSTS${code}: .*Trace ID: `))
    expect(await answer.json()).toMatchObject({
      error,
      error_description: description,
      error_codes: [code],
    })
  })

  test('refuses what somebody else signed', async () => {
    const { privateKey } = await crypto.subtle.generateKey(
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['sign'],
    )
    const sign = (issuer: string) => () =>
      new SignJWT()
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuer(issuer)
        .setExpirationTime('1h')
        .sign(privateKey)
    for (const issuer of [clientId, 'https://cluster.example/oidc', 'https://other.example']) {
      const forged = new ClientAssertionCredential(tenantId, clientId, sign(issuer), authority)
      await expect(forged.getToken(SCOPE)).rejects.toThrow(/AADSTS7002?\d+/)
    }
    await expect(withSecret('wrong').getToken(SCOPE)).rejects.toThrow('AADSTS7000215')
  })
})

describe('a provider turns away', () => {
  const statusWith = async (provider: StandInProvider, authorization: string | undefined) => {
    const headers = authorization === undefined ? {} : { authorization }
    return await ask(provider, '/policies/Tpm?api-version=2020-10-01', { headers })
  }

  test('whoever has no token, another one, or one for another resource', async () => {
    const provider = await azure.createProvider()
    const other = await tokenFor('https://management.azure.com/.default')
    for (const authorization of [undefined, 'Bearer x.y.z', `Bearer ${other}`]) {
      const { status, headers, body } = await statusWith(provider, authorization)
      expect(status).toBe(401)
      expect(headers.get('www-authenticate')).toMatch(/^Bearer .*"https:\/\/attest\.azure\.net"/)
      expect(body).toMatchObject({ error: { code: 'Unauthorized', innererror: {} } })
    }
    const client = new AttestationClient(provider.url)
    await expect(client.attestTpm(INIT)).rejects.toMatchObject({ statusCode: 401 })
  })

  test('a token that has expired by the clock of the stand-in', async () => {
    let now = Date.now()
    const aging = await startAzure({ clock: () => new Date(now) })
    setDefaultCACertificates([...trusted, azure.caPem, aging.caPem])
    const provider = await aging.createProvider()
    const authorization = `Bearer ${await useSdk(aging).tokenFor(SCOPE)}`
    expect((await statusWith(provider, authorization)).status).toBe(200)
    now += 3_600_000
    expect((await statusWith(provider, authorization)).status).toBe(401)
    await aging.close()
  })
})

describe('outages', () => {
  const certs = (provider: StandInProvider, ms = 5000) =>
    fetch(`${provider.url}/certs`, { signal: AbortSignal.timeout(ms) })
  const codeOf = async (sent: Promise<unknown>) => {
    const error: unknown = await sent.then(
      () => expect.fail('answered'),
      (thrown: unknown) => thrown,
    )
    return (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name
  }

  test('a closed port refuses connections, old ones too, until it is opened again', async () => {
    const provider = await azure.createProvider()
    expect((await certs(provider)).status).toBe(200)
    provider.fail({ kind: 'refuse_connections' })
    const refused = await codeOf(certs(provider))
    expect(['ECONNREFUSED', 'UND_ERR_SOCKET', 'ECONNRESET']).toContain(refused)
    expect(await codeOf(certs(provider))).toBe('ECONNREFUSED')
    provider.recover()
    expect((await certs(provider)).status).toBe(200)
    expect(() => provider.fail({ kind: 'refuse_connections' }, { times: 1 })).toThrow(TypeError)
  })

  test('a request hangs, is cut off, or is slow', async () => {
    const provider = await azure.createProvider()
    provider.fail({ kind: 'hang' }, { times: 1 })
    expect(await codeOf(certs(provider, 100))).toBe('TimeoutError')
    provider.fail({ kind: 'cut' }, { times: 1 })
    const cut = await certs(provider)
    expect(cut.status).toBe(200)
    expect(await codeOf(cut.text())).toBe('UND_ERR_SOCKET')
    provider.fail({ kind: 'slow', ms: 2_000 }, { times: 1 })
    expect(await codeOf(certs(provider, 100))).toBe('TimeoutError')
    provider.fail({ kind: 'slow', ms: 1 }, { times: 1 })
    expect((await certs(provider)).status).toBe(200)
    expect(provider.requests.map(({ path }) => path)).toEqual(Array(4).fill('/certs'))
  })

  test('a status comes as often as said, at the path that was said', async () => {
    const provider = await azure.createProvider()
    const headers = { 'retry-after': '7' }
    const how = { kind: 'status', status: 429, body: '{}', headers } as const
    provider.fail(how, { times: 2, path: /^\/certs$/ })
    const open = await fetch(`${provider.url}/.well-known/openid-configuration`)
    expect(open.status).toBe(200)
    const [first, second, third] = [
      await certs(provider),
      await certs(provider),
      await certs(provider),
    ]
    expect([first.status, second.status, third.status]).toEqual([429, 429, 200])
    expect(first.headers.get('retry-after')).toBe('7')
    provider.fail({ kind: 'status', status: 503 })
    expect((await certs(provider)).status).toBe(503)
    provider.recover()
    expect((await certs(provider)).status).toBe(200)
  })

  test('Entra fails by itself', async () => {
    azure.failEntra({ kind: 'status', status: 503 }, { path: /token$/ })
    const url = `${authorityHost}/${tenantId}/oauth2/v2.0/token`
    expect((await fetch(url, { method: 'POST' })).status).toBe(503)
    azure.recoverEntra()
    expect((await fetch(url, { method: 'POST' })).status).toBe(400)
  })
})

test('as a process it says where it is, and obeys', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-azure-'))
  const caFile = join(folder, 'ca.pem')
  const child = spawn(process.execPath, ['test/support/azure/stand-in-process.ts', caFile, '2'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const read = async () => JSON.parse(String((await lines.next()).value))
  const told = await read()
  expect(told).toMatchObject({ caFile, providers: [expect.any(String), expect.any(String)] })
  setDefaultCACertificates([...trusted, azure.caPem, readFileSync(caFile, 'utf8')])
  const url = `${told.providers[1]}/certs`
  expect((await fetch(url)).status).toBe(200)
  const how = { kind: 'status', status: 503 }
  const options = { path: '^/certs$', times: 1 }
  const command = { id: 'a', provider: 1, do: 'fail', args: [how, options] }
  child.stdin.write(`${JSON.stringify(command)}\n`)
  expect(await read()).toEqual({ id: 'a', result: null })
  expect([(await fetch(url)).status, (await fetch(url)).status]).toEqual([503, 200])
  child.stdin.write('{"id":"b","do":"dance"}\n')
  expect(await read()).toEqual({ id: 'b', error: 'cannot dance' })
  child.stdin.end()
  expect((await exited)[0]).toBe(0)
  rmSync(folder, { recursive: true })
})
