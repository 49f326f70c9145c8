import { AttestationClient } from '@azure/attestation'
import type { AccessToken, GetTokenOptions } from '@azure/identity'
import { describe, expect, test } from 'vitest'
import { readAnswer } from '../../src/azure/answer.ts'
import { CredentialError } from '../../src/azure/credential-error.ts'
import { createHttpClient } from '../../src/azure/http-client.ts'
import { MAX_ANSWER_BYTES } from '../../src/azure/limits.ts'
import { sendTpmMessage, type TpmMessageInput } from '../../src/azure/tpm-client.ts'
import { fromBase64Url, toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { expectOk } from '../support/refusal.ts'

/** The client of the SDK is the real one; only what is below HTTP is in this process. */
const PROVIDER = 'https://contoso.eus.attest.azure.net'
const SCOPE = 'https://attest.azure.net/.default'
const INIT = '{"payload":{"type":"aikcert"}}'
const CHALLENGE = '{"payload":{"challenge":"AAAA","service_context":"BBBB"}}'

const envelope = (inner: string) => JSON.stringify({ data: toBase64Url(toUtf8(inner)) })
const json = { 'content-type': 'application/json; charset=utf-8' }
const answer = (body: string, init: ResponseInit = {}) =>
  new Response(body, { headers: json, ...init })

type Sent = { readonly url: string; readonly init: RequestInit; readonly headers: Headers }

/** A network on which every request gets the next of the answers, and the last one again. */
function network(...answers: (() => Response | Promise<Response>)[]) {
  const sent: Sent[] = []
  const send: typeof fetch = async (url, init = {}) => {
    const give = answers[Math.min(sent.length, answers.length - 1)]
    sent.push({ url: String(url), init, headers: new Headers(init.headers) })
    return give === undefined ? answer(envelope(CHALLENGE)) : await give()
  }
  return { sent, send }
}

const token: AccessToken = { token: 'secret-token', expiresOnTimestamp: 4e12 }
const credential = { getToken: async () => token }

function abortable() {
  const controller = new AbortController()
  const abort = <T>(value: T): T => {
    controller.abort()
    return value
  }
  return { signal: controller.signal, abort }
}

function send(input: Partial<TpmMessageInput> & Pick<TpmMessageInput, 'fetch'>) {
  return sendTpmMessage({
    url: PROVIDER,
    message: INIT,
    credential,
    scope: SCOPE,
    timeoutMs: 5000,
    ...input,
  })
}

test('a message goes out in its envelope, once, with a bearer token and nothing about us', async () => {
  const { sent, send: fetch } = network()
  const message = '{"payload":{"type":"aikcert"},"metadata":{"os_ver":"grün"}}'
  const outcome = await send({ fetch, message })
  expect(outcome).toMatchObject({ kind: 'answered', status: 200, body: envelope(CHALLENGE) })
  expect(sent).toHaveLength(1)
  const [{ url, init, headers }] = sent as [Sent]
  expect(url).toBe(`${PROVIDER}/attest/Tpm?api-version=2020-10-01`)
  expect(init.method).toBe('POST')
  const { data } = JSON.parse(String(init.body))
  expect(fromBase64Url(data)).toEqual(toUtf8(message))
  expect(Object.fromEntries(headers)).toEqual({
    accept: 'application/json',
    authorization: 'Bearer secret-token',
    'content-type': 'application/json',
    'user-agent': 'countersign',
    'x-ms-client-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
  })
})

describe('faults of the SDK that are worked around', () => {
  test('it drops its options beside a credential: ours has them and asks for our scope', async () => {
    const { sent, send: fetch } = network()
    const httpClient = await createHttpClient({ fetch, record: () => {} })
    const { signal, abort } = abortable()
    // Aborting here keeps the client from the true network, but not from one that it was given.
    const aborting = { getToken: async () => abort(token) }
    const dropping = new AttestationClient(PROVIDER, aborting, { httpClient })
    await expect(dropping.attestTpm(INIT, { abortSignal: signal })).rejects.toThrow('abort')
    expect(sent).toHaveLength(0)

    const scopes: unknown[] = []
    const asked = {
      getToken: async (scope: string | string[]) => {
        scopes.push(scope)
        return token
      },
    }
    await send({ fetch, credential: asked, scope: 'https://attest.azure.us/.default' })
    expect(sent).toHaveLength(1)
    expect(scopes).toEqual([['https://attest.azure.us/.default']])
  })

  test('it mangles what is not ASCII: ours is read from the wire', async () => {
    const inner = CHALLENGE.replace('"}}', '"},"note":"grün €"}')
    const { send: fetch } = network(() => answer(envelope(inner)))
    const httpClient = await createHttpClient({ fetch, record: () => {} })
    const mangled = await new AttestationClient(PROVIDER, { httpClient }).attestTpm(INIT)
    expect(mangled).not.toContain('grün')

    const outcome = await send({ fetch })
    expect(outcome).toMatchObject({ kind: 'answered', body: envelope(inner) })
    const body = outcome.kind === 'answered' ? (outcome.body ?? '') : ''
    expect(expectOk(readAnswer(body, 'challenge'))).toBe(CHALLENGE)
  })

  test('a body that is not UTF-8 is no body', async () => {
    const { send: fetch } = network(() => new Response(new Uint8Array([0x7b, 0xff, 0x7d])))
    const outcome = await send({ fetch })
    expect(outcome).toMatchObject({ kind: 'answered', body: undefined })
  })

  test.each([429, 500, 503])('it repeats after %i: ours does not', async (status) => {
    const { sent, send: fetch } = network(() =>
      answer('{"error":{"code":"x","message":"y"}}', { status, headers: { 'retry-after': '0' } }),
    )
    const outcome = await send({ fetch })
    expect(outcome).toMatchObject({ kind: 'answered', status })
    expect(sent).toHaveLength(1)
  })

  test('it repeats when a connection breaks: ours does not', async () => {
    const { sent, send: fetch } = network(() => Promise.reject(new TypeError('fetch failed')))
    expect(await send({ fetch })).toEqual({ kind: 'lost', sent: true })
    expect(sent).toHaveLength(1)
  })

  test.each([301, 302, 303, 307, 308])(
    'it follows a %i with the bearer token: ours does not',
    async (status) => {
      const headers = { location: 'https://attacker.example/' }
      const { sent, send: fetch } = network(() => new Response(null, { status, headers }))
      expect(await send({ fetch })).toMatchObject({ kind: 'answered', status })
      expect(sent.map(({ url }) => new URL(url).origin)).toEqual([PROVIDER])
      expect(sent[0]?.init.redirect).toBe('manual')
    },
  )

  test('it reads answers of any size: ours stops at the limit', async () => {
    let pulled = 0
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          pulled += 1
          controller.enqueue(new Uint8Array(16_384).fill(0x20))
        },
      })
    const { send: fetch } = network(() => new Response(endless(), { headers: json }))
    expect(await send({ fetch })).toMatchObject({ kind: 'oversized' })
    expect(pulled).toBeLessThanOrEqual(MAX_ANSWER_BYTES / 16_384 + 3)
  })

  test('an answer of exactly the limit is read', async () => {
    const body = ' '.repeat(MAX_ANSWER_BYTES)
    const { send: fetch } = network(() => answer(body))
    expect(await send({ fetch })).toMatchObject({ kind: 'answered', body })
  })

  test('it asks for keys and validates wrongly: ours asks for nothing', async () => {
    const forged = `${toBase64Url(toUtf8('{"alg":"none"}'))}.e30.`
    const inner = JSON.stringify({ payload: { report: forged } })
    const { sent, send: fetch } = network(() => answer(envelope(inner)))
    await send({ fetch })
    expect(sent).toHaveLength(1)
    expect(new URL(sent[0]?.url ?? '').pathname).toBe('/attest/Tpm')
  })

  test.each(['', 'no JSON', '[1]', 'null', '{"data":5}', '{"data":""}'])(
    'its error quotes the answer %j: ours passes on what was answered',
    async (body) => {
      const { send: fetch } = network(() => answer(body))
      expect(await send({ fetch })).toMatchObject({ kind: 'answered', status: 200, body })
    },
  )
})

describe('tokens', () => {
  test('a provider that asks for more claims gets a token with them', async () => {
    const claims = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    const challenge = `Bearer error="insufficient_claims", claims="${btoa(claims)}"`
    const refused = () =>
      new Response('', { status: 401, headers: { 'www-authenticate': challenge } })
    const { sent, send: fetch } = network(refused, () => answer(envelope(CHALLENGE)))
    const asked: (string | undefined)[] = []
    const getToken = async (_: unknown, options?: GetTokenOptions) => {
      asked.push(options?.claims)
      return { ...token, token: `token-${asked.length}` }
    }
    expect(await send({ fetch, credential: { getToken } })).toMatchObject({ status: 200 })
    expect(asked).toEqual([undefined, claims])
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual([
      'Bearer token-1',
      'Bearer token-2',
    ])
  })

  test('a token that is answered with 401 is forgotten', async () => {
    const { send: fetch } = network(() => answer('', { status: 401 }))
    const forgotten: string[] = []
    await send({ fetch, credential: { ...credential, forget: (used) => forgotten.push(used) } })
    expect(forgotten).toEqual(['secret-token'])
  })

  test('without a credential none is sent', async () => {
    const { sent, send: fetch } = network()
    await send({ fetch, credential: undefined })
    expect(sent[0]?.headers.has('authorization')).toBe(false)
  })

  test.each([
    ['of ours', new CredentialError({ reason: 'provider_unreachable' }), 'provider_unreachable'],
    ['of others', new Error('client_secret=hunter2'), 'provider_credential_refused'],
  ])('a failure %s is told and nothing is sent', async (_, error, reason) => {
    const { sent, send: fetch } = network()
    const getToken = () => Promise.reject(error)
    const outcome = await send({ fetch, credential: { getToken } })
    expect(outcome).toEqual({ kind: 'no_token', failure: { reason } })
    expect(sent).toHaveLength(0)
  })

  test('a credential that gives nothing is a failure, too', async () => {
    const { send: fetch } = network()
    const outcome = await send({ fetch, credential: { getToken: async () => null } })
    expect(outcome).toEqual({
      kind: 'no_token',
      failure: { reason: 'provider_credential_refused' },
    })
  })
})

describe('time', () => {
  test('ends a request that hangs', async () => {
    const fetch: typeof globalThis.fetch = (_, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
      })
    expect(await send({ fetch, timeoutMs: 20 })).toEqual({ kind: 'timed_out', sent: true })
  })

  test('ends an answer that never ends', async () => {
    const fetch: typeof globalThis.fetch = async (_, init) =>
      new Response(
        new ReadableStream({
          start: (controller) =>
            init?.signal?.addEventListener('abort', () => controller.error(new Error('aborted'))),
        }),
      )
    expect(await send({ fetch, timeoutMs: 20 })).toEqual({ kind: 'timed_out', sent: true })
  })

  test('ends the wait for a credential that takes no notice of it', async () => {
    const { sent, send: fetch } = network()
    const getToken = () => new Promise<AccessToken>(() => {})
    const outcome = await send({ fetch, timeoutMs: 20, credential: { getToken } })
    expect(outcome).toEqual({ kind: 'timed_out', sent: false })
    expect(sent).toHaveLength(0)
  })
})

test('an address without TLS is refused by the SDK, and its error is not passed on', async () => {
  const { sent, send: fetch } = network()
  const url = 'http://contoso.eus.attest.azure.net'
  await expect(send({ fetch, url })).rejects.toThrow(
    /^the client of Azure Attestation sent nothing/,
  )
  await expect(send({ fetch, url, credential: undefined })).rejects.toThrow('(TypeError)')
  expect(sent).toHaveLength(0)
})
