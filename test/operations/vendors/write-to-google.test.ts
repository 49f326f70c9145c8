import { exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import { beforeAll, expect, test } from 'vitest'
import { createGoogleCredential } from '../../../src/operations/vendors/google-credential.ts'
import { createDeviceStateWriter } from '../../../src/operations/vendors/write-device-state.ts'
import type { Json } from '../../support/json.ts'
import { testClock } from '../../support/service.ts'

/**
 * Google is a function here that answers as its reference says (`test/vendors/google/client-state.test.ts` has the
 * witness): its own cannot be had without a customer. Assertions are verified by jose.
 */
let keys: { readonly privateKey: CryptoKey; readonly publicKey: CryptoKey }
let pem: string
beforeAll(async () => {
  keys = await generateKeyPair('RS256', { extractable: true })
  pem = await exportPKCS8(keys.privateKey)
})

const DEVICE = {
  ...{ deviceId: 'dev_a', owner: 'ann@example.com', serial: '5CG1234ABC', entraDeviceId: null },
  compliance: 'compliant',
} as const
const TARGET = { kind: 'google', client: '01abc23d-countersign' } as const
const USER = 'devices/a/deviceUsers/b'

const always = async () => true

function open(answers: Readonly<Record<string, () => Response>> = {}, privateKey = pem) {
  const clock = testClock()
  const sent: { readonly method: string; readonly url: URL; readonly body: string }[] = []
  const usual: Readonly<Record<string, () => Response>> = {
    'POST /token': () => Response.json({ access_token: 'a token', expires_in: 3599 }),
    'GET /v1/devices': () =>
      Response.json({ devices: [{ name: 'devices/a', serialNumber: DEVICE.serial }] }),
    'GET /v1/devices/a/deviceUsers': () =>
      Response.json({ deviceUsers: [{ name: USER, userEmail: DEVICE.owner }] }),
    [`PATCH /v1/${USER}/clientStates/${TARGET.client}`]: () =>
      Response.json({ name: 'operations/x', done: true, response: {} }),
  }
  const asking = {
    ...{ clock: clock.now, timeoutMs: 5000 },
    fetch: (async (text: string, init: RequestInit) => {
      const url = new URL(text)
      const { method = 'GET', body } = init
      sent.push({ method, url, body: String(body ?? '') })
      const answer = { ...usual, ...answers }[`${method} ${url.pathname}`]
      return answer?.() ?? new Response(null, { status: 404 })
    }) as typeof fetch,
  }
  const account = { email: 'a@b.example', keyId: 'k', administrator: 'admin@example.com' }
  const credential = createGoogleCredential(asking, { ...account, privateKey })
  const entra = { credential, graphUrl: 'https://graph.microsoft.com' }
  const write = createDeviceStateWriter({ ...asking, entra, google: { credential } })
  return { clock, sent, write }
}

test('a device is found by its number and its owner, and its state is written', async () => {
  const { sent, write, clock } = open()
  expect(await write(TARGET, DEVICE, always)).toEqual({ kind: 'delivered' })
  expect(sent.map(({ method, url }) => `${method} ${url.host}`)).toEqual([
    ...['POST oauth2.googleapis.com', 'GET cloudidentity.googleapis.com'],
    ...['GET cloudidentity.googleapis.com', 'PATCH cloudidentity.googleapis.com'],
  ])
  expect(JSON.parse(sent[3]?.body ?? '')).toMatchObject({
    ...{ complianceState: 'COMPLIANT', customId: 'dev_a' },
  })
  const form = new URLSearchParams(sent[0]?.body)
  expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
  const { payload } = await jwtVerify(form.get('assertion') ?? '', keys.publicKey, {
    ...{ issuer: 'a@b.example', subject: 'admin@example.com', currentDate: clock.now() },
    ...{ audience: 'https://oauth2.googleapis.com/token', algorithms: ['RS256'] },
  })
  expect(payload.scope).toBe('https://www.googleapis.com/auth/cloud-identity.devices')
  // The token is kept.
  await write(TARGET, DEVICE, always)
  expect(sent.filter(({ method }) => method === 'POST')).toHaveLength(1)
})

test('a device that is not there is refused, and nothing is written', async () => {
  const { sent, write } = open({ 'GET /v1/devices': () => Response.json({}) })
  expect(await write(TARGET, DEVICE, always)).toMatchObject({ kind: 'refused', error: 'unmatched' })
  expect(sent.filter(({ method }) => method === 'PATCH')).toEqual([])
  expect((await write(TARGET, { ...DEVICE, serial: null }, always)).kind).toBe('refused')
})

test('throttled or away, it is later', async () => {
  const limited = () =>
    Response.json(
      { error: { status: 'RESOURCE_EXHAUSTED' } },
      { status: 429, headers: { 'retry-after': '30' } },
    )
  for (const place of ['GET /v1/devices', `PATCH /v1/${USER}/clientStates/${TARGET.client}`]) {
    const { write } = open({ [place]: limited })
    expect(await write(TARGET, DEVICE, always)).toEqual({
      ...{ kind: 'later', cause: '429 RESOURCE_EXHAUSTED', retryAfterMs: 30_000 },
    })
  }
  const gone = () => {
    throw new TypeError('fetch failed')
  }
  const { write } = open({ 'GET /v1/devices': gone })
  expect(await write(TARGET, DEVICE, always)).toMatchObject({ kind: 'later', cause: 'no answer' })
})

test('without a token nothing is asked, and no secret is told', async () => {
  const cases: readonly [Json, string][] = [
    [
      { 'POST /token': () => Response.json({ error: 'invalid_grant' }, { status: 400 }) },
      'provider_credential_refused',
    ],
    [{ 'POST /token': () => new Response(null, { status: 503 }) }, 'provider_unreachable'],
    [{ 'POST /token': () => new Response(null, { status: 429 }) }, 'provider_throttled'],
    [{ 'POST /token': () => Response.json({ access_token: 7 }) }, 'provider_credential_refused'],
  ]
  for (const [answers, cause] of cases) {
    const { write, sent } = open(answers)
    for (const device of [DEVICE, undefined]) {
      expect(await write(TARGET, device, always)).toMatchObject({ kind: 'later', cause })
    }
    expect(sent.every(({ method }) => method === 'POST')).toBe(true)
  }
  const { write } = open({}, '-----BEGIN PRIVATE KEY-----\nnone')
  const told = await write(TARGET, DEVICE, always)
  expect(told).toMatchObject({ kind: 'later', cause: 'provider_credential_refused' })
  expect(JSON.stringify(told)).not.toContain('BEGIN')
})

test('where no account is configured, it waits', async () => {
  const { write: _, clock } = open()
  const write = createDeviceStateWriter({
    ...{ clock: clock.now, timeoutMs: 5000, fetch: async () => expect.unreachable() },
    entra: { credential: { getToken: async () => null, forget: () => undefined }, graphUrl: '' },
    google: undefined,
  })
  expect((await write(TARGET, DEVICE, always)).kind).toBe('later')
})

/**
 * The last word that Google has of a device may be that it is compliant. What comes as a success and is none, as a
 * proxy answers, must not have it that the device is not there, or that all is written.
 */
test('ATTACK: an answer that is none of Google leaves a fallen device neither unmatched nor written', async () => {
  const fallen = { ...DEVICE, compliance: 'not-compliant' } as const
  const forms = [
    () => new Response('<html>sign in to the network</html>'),
    () => Response.json([]),
    () => Response.json({ devices: {}, deviceUsers: {} }),
    () => new Response(`{"name":"${'x'.repeat(70_000)}"}`),
    () => new Response('not found', { status: 404 }),
    () => Response.json({ error: 'bad' }, { status: 400 }),
  ]
  for (const place of [
    'GET /v1/devices',
    'GET /v1/devices/a/deviceUsers',
    `PATCH /v1/${USER}/clientStates/${TARGET.client}`,
  ]) {
    for (const form of forms) {
      const { write } = open({ [place]: form })
      expect((await write(TARGET, fallen, always)).kind).toBe('later')
    }
  }
})
