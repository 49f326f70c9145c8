import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compactVerify, decodeProtectedHeader } from 'jose'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type AzureCredentialSettings, createAzureCredential } from '../../src/azure/credential.ts'
import { CredentialError } from '../../src/azure/credential-error.ts'
import { err } from '../../src/base/result.ts'
import { issueCertificate, toPem } from '../support/certificates.ts'
import { expectRefusal } from '../support/refusal.ts'
import { START, testClock } from '../support/service.ts'

/** The credentials are the SDK's; Entra and the metadata service of the machine answer in memory. */
const AUTHORITY = 'https://login.example'
const TENANT = '11111111-2222-3333-4444-555555555555'
const CLIENT = '66666666-7777-8888-9999-000000000000'
const SCOPE = 'https://attest.azure.net/.default'
const SECRET = 'hunter2-hunter2'
const TOKEN_PATH = `/${TENANT}/oauth2/v2.0/token`

const authority = { authorityHost: AUTHORITY, disableInstanceDiscovery: true }
const named = { tenantId: TENANT, clientId: CLIENT, ...authority }
const withSecret = { kind: 'client-secret', ...named, clientSecret: SECRET } as const

type Entra = {
  readonly fetch: typeof fetch
  readonly forms: URLSearchParams[]
  readonly urls: string[]
}

const METADATA = {
  issuer: `${AUTHORITY}/${TENANT}/v2.0`,
  authorization_endpoint: `${AUTHORITY}/${TENANT}/oauth2/v2.0/authorize`,
  token_endpoint: `${AUTHORITY}${TOKEN_PATH}`,
  jwks_uri: `${AUTHORITY}/${TENANT}/discovery/v2.0/keys`,
}

/** Entra, which answers a request for a token as it is told to. */
function entra(answer: (count: number) => Response | Promise<Response> = granted): Entra {
  const forms: URLSearchParams[] = []
  const urls: string[] = []
  const send: typeof fetch = async (input, init) => {
    const url = new URL(String(input))
    urls.push(url.href)
    if (url.pathname.endsWith('/openid-configuration')) return Response.json(METADATA)
    if (url.pathname !== TOKEN_PATH && url.hostname !== '169.254.169.254') {
      throw new TypeError('fetch failed')
    }
    forms.push(new URLSearchParams(typeof init?.body === 'string' ? init.body : url.search))
    return await answer(forms.length)
  }
  return { fetch: send, forms, urls }
}

function granted(count: number): Response {
  const token = { token_type: 'Bearer', expires_in: 3600, access_token: `token-${count}` }
  return Response.json(token)
}

const refused = () =>
  Response.json(
    {
      error: 'invalid_client',
      error_description: `AADSTS7000215: Invalid client secret ${SECRET}`,
    },
    { status: 401 },
  )

async function tokenOf(settings: AzureCredentialSettings, { fetch }: Entra) {
  const token = await createAzureCredential(settings, { fetch }).getToken(SCOPE)
  return token?.token
}

/** The failure of a credential as a result, so that its reason is counted as seen. */
async function failureOf(
  settings: AzureCredentialSettings,
  { fetch }: Entra,
  signal?: AbortSignal,
) {
  const credential = createAzureCredential(settings, { fetch, clock: () => START })
  const options = signal === undefined ? {} : { abortSignal: signal }
  const error: unknown = await credential.getToken(SCOPE, options).catch((thrown) => thrown)
  if (!(error instanceof CredentialError)) expect.fail(`no CredentialError: ${error}`)
  const told = [error.stack, error.message, JSON.stringify(error), String(error.cause)].join()
  expect(told).not.toContain(SECRET)
  expect(told).not.toContain('AADSTS')
  return err(error.failure)
}

afterEach(() => {
  vi.unstubAllEnvs()
})

test('a client secret is shown to the authority and the token kept', async () => {
  const { fetch, forms } = entra()
  const credential = createAzureCredential(withSecret, { fetch })
  expect(forms).toHaveLength(0)
  expect((await credential.getToken(SCOPE))?.token).toBe('token-1')
  expect((await credential.getToken(SCOPE))?.token).toBe('token-1')
  expect(forms.map((form) => Object.fromEntries(form))).toEqual([
    expect.objectContaining({
      grant_type: 'client_credentials',
      client_id: CLIENT,
      client_secret: SECRET,
      scope: SCOPE,
    }),
  ])
})

test('a token is asked for anew before it ends, whatever the SDK would keep', async () => {
  const clock = testClock(new Date())
  const credential = createAzureCredential(withSecret, { fetch: entra().fetch, clock: clock.now })
  await credential.getToken(SCOPE)
  clock.advance(3400)
  expect((await credential.getToken(SCOPE))?.token).toBe('token-2')
})

describe('a client certificate', () => {
  let pem = ''
  let certificate: Awaited<ReturnType<typeof issueCertificate>>

  beforeAll(async () => {
    certificate = await issueCertificate({ subject: 'relay', key: { kind: 'rsa' } })
    const key = await crypto.subtle.exportKey('pkcs8', certificate.keys.privateKey)
    pem = certificate.pem + toPem(new Uint8Array(key), 'PRIVATE KEY')
  })

  test('signs an assertion for the token endpoint', async () => {
    const { fetch, forms } = entra()
    const settings = { kind: 'client-certificate', ...named, pem } as const
    const credential = createAzureCredential(settings, { fetch, clock: () => START })
    expect((await credential.getToken(SCOPE))?.token).toBe('token-1')
    const [form] = forms
    expect(form?.get('client_assertion_type')).toBe(
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    )
    const assertion = form?.get('client_assertion') ?? ''
    const key = new X509Certificate(certificate.der).publicKey
    const { payload } = await compactVerify(assertion, key, { algorithms: ['PS256'] })
    const at = START.getTime() / 1000
    expect(JSON.parse(new TextDecoder().decode(payload))).toEqual({
      iss: CLIENT,
      sub: CLIENT,
      aud: `${AUTHORITY}${TOKEN_PATH}`,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      iat: at,
      nbf: at,
      exp: at + 300,
    })
    expect(decodeProtectedHeader(assertion)).toEqual({
      alg: 'PS256',
      typ: 'JWT',
      'x5t#S256': createHash('sha256').update(certificate.der).digest('base64url'),
    })
  })

  test('signs with a key that stands before its certificate, and for a host with a slash', async () => {
    const { fetch, forms } = entra()
    const [first = '', second = ''] = pem.split(/(?=-----BEGIN PRIVATE)/)
    await tokenOf(
      {
        kind: 'client-certificate',
        ...named,
        authorityHost: `${AUTHORITY}/`,
        pem: second + first,
      },
      { fetch, forms, urls: [] },
    )
    expect(forms).toHaveLength(1)
  })

  test.each([
    ['no key', (text: string) => text.replaceAll('PRIVATE', 'OTHER')],
    ['no certificate', (text: string) => text.replaceAll('CERTIFICATE', 'OTHER')],
    ['half a block', (text: string) => text.slice(0, -20)],
    [
      'a key of another kind',
      (text: string) => text.replace(/MII[^-]*(?=-----END PRIV)/, 'AAAA\n'),
    ],
  ])('with %s is refused before anything is sent', async (_, spoil) => {
    const world = entra()
    const settings = { kind: 'client-certificate', ...named, pem: spoil(pem) } as const
    expectRefusal(await failureOf(settings, world), 'provider_credential_refused')
    expect(world.forms).toHaveLength(0)
  })
})

describe('workload identity', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'))
  const tokenFile = join(folder, 'token')
  const settings = { kind: 'workload-identity', ...named, tokenFile } as const

  test('shows the token of the file', async () => {
    writeFileSync(tokenFile, 'projected-token')
    const world = entra()
    expect(await tokenOf(settings, world)).toBe('token-1')
    expect(world.forms[0]?.get('client_assertion')).toBe('projected-token')
    rmSync(folder, { recursive: true })
  })

  test('without its file is refused before anything is sent', async () => {
    const world = entra()
    const missing = { ...settings, tokenFile: join(folder, 'none') }
    expectRefusal(await failureOf(missing, world), 'provider_credential_refused')
    expect(world.forms).toHaveLength(0)
  })
})

describe('a managed identity', () => {
  const settings = { kind: 'managed-identity', clientId: CLIENT } as const
  // MSAL keeps the first HTTP client of this kind, so all of these tests share one machine.
  let answerOfMachine: () => Response | Promise<Response>
  const machine = entra(() => answerOfMachine())

  test('of a machine that does not answer cannot be reached', async () => {
    answerOfMachine = () => Promise.reject(new TypeError('fetch failed'))
    const given = AbortSignal.abort()
    expectRefusal(await failureOf(settings, machine, given), 'provider_timed_out')
    expectRefusal(await failureOf(settings, machine), 'provider_unreachable')
  })

  test('that the machine does not have is refused', async () => {
    const body = { error: 'invalid_request', error_description: 'Identity not found' }
    answerOfMachine = () => Response.json(body, { status: 400 })
    expectRefusal(await failureOf(settings, machine), 'provider_credential_refused')
  })

  test('is asked although the first who asked has given up', async () => {
    answerOfMachine = () => {
      const expires_on = String(Math.floor(Date.now() / 1000) + 3600)
      const resource = 'https://attest.azure.net'
      const token = { token_type: 'Bearer', access_token: 'machine-token', resource }
      return Response.json({ ...token, expires_on, expires_in: '3600' })
    }
    expect(await tokenOf(settings, machine)).toBe('machine-token')
    expect(machine.urls.at(-1)).toMatch(/^http:\/\/169\.254\.169\.254\//)
    expect(machine.forms.at(-1)?.get('client_id')).toBe(CLIENT)
  })
})

test('the default chain takes what the environment gives', async () => {
  vi.stubEnv('AZURE_TENANT_ID', TENANT)
  vi.stubEnv('AZURE_CLIENT_ID', CLIENT)
  vi.stubEnv('AZURE_CLIENT_SECRET', SECRET)
  const world = entra()
  expect(await tokenOf({ kind: 'default', ...authority }, world)).toBe('token-1')
  expect(world.forms[0]?.get('client_secret')).toBe(SECRET)
})

test('the default chain that finds nothing on this machine is refused', async () => {
  vi.stubEnv('AZURE_TOKEN_CREDENTIALS', 'prod')
  const world = entra(() => Promise.reject(new TypeError('fetch failed')))
  const failure = await failureOf({ kind: 'default', ...authority }, world)
  expectRefusal(failure, 'provider_credential_refused')
})

describe('a client that gets no token', () => {
  test('was refused by Entra', async () => {
    expectRefusal(await failureOf(withSecret, entra(refused)), 'provider_credential_refused')
  })

  test.each([500, 503])('meets an Entra that answers %i', async (status) => {
    const world = entra(() => new Response('down', { status }))
    expectRefusal(await failureOf(withSecret, world), 'provider_unreachable')
    expect(world.forms.length, 'the relay repeats, nobody else').toBeLessThanOrEqual(2)
  })

  test('cannot reach Entra', async () => {
    const world = entra(() => Promise.reject(new TypeError('fetch failed')))
    expectRefusal(await failureOf(withSecret, world), 'provider_unreachable')
  })

  test('cannot even learn where the tokens are', async () => {
    const send: typeof fetch = () => Promise.reject(new TypeError('fetch failed'))
    const world = { ...entra(), fetch: send }
    expectRefusal(await failureOf(withSecret, world), 'provider_unreachable')
  })

  test('is told to come later', async () => {
    const throttled = () => new Response('{}', { status: 429, headers: { 'retry-after': '12' } })
    const failure = await failureOf(withSecret, entra(throttled))
    expect(expectRefusal(failure, 'provider_throttled').retryAfterSeconds).toBe(12)
  })

  test('is redirected, and does not show its secret there', async () => {
    const headers = { location: 'https://attacker.example/' }
    const world = entra(() => new Response(null, { status: 307, headers }))
    expectRefusal(await failureOf(withSecret, world), 'provider_credential_refused')
    expect(world.urls.filter((url) => !url.startsWith(AUTHORITY))).toEqual([])
  })

  test('waits no longer than its caller', async () => {
    const send: typeof fetch = (_, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
      })
    const world = { ...entra(), fetch: send }
    const failure = await failureOf(withSecret, world, AbortSignal.timeout(20))
    expectRefusal(failure, 'provider_timed_out')
  })

  test('gets one with the next try', async () => {
    const world = entra((count) => (count === 1 ? refused() : granted(count)))
    const credential = createAzureCredential(withSecret, { fetch: world.fetch })
    await expect(credential.getToken(SCOPE)).rejects.toThrow(CredentialError)
    expect((await credential.getToken(SCOPE))?.token).toBe('token-2')
  })
})
