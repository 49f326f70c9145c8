import * as client from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FIXTURE_ENTITIES, FIXTURE_POLICY } from '../../../src/cli/authzen/fixture-files.ts'
import { createTestService, readOk, startDevice, type TestService } from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'
import { addClient } from '../oauth/world.ts'

/** A case of the OpenID conformance suite for AuthZEN, as far as these tests read it. */
type Scenario = {
  readonly testName: string
  readonly api: string
  readonly mode: string
  readonly request: {
    readonly method: string
    readonly content_type: string
    readonly json?: Members
    readonly raw_body?: string
    readonly bad_credentials?: boolean
    readonly no_credentials?: boolean
    readonly x_request_id?: boolean
  }
  readonly expect: {
    readonly status_any_of: readonly number[]
    readonly json?: Members
    readonly www_authenticate?: string
  }
}

type Members = Readonly<Record<string, unknown>>

const REQUEST_ID = 'bfe9eb29-ab87-4ca3-be83-a1d5d8305716'

/** Cases whose requests carry wrong credentials or none. */
const OF_CREDENTIALS = ({ request }: Scenario) =>
  request.bad_credentials === true || request.no_credentials === true

type Headers = Readonly<Record<string, string>>

/** How the caller proves itself, rightly and wrongly, and the scheme in which it is told that it did not. */
const PROVING: Readonly<
  Record<
    string,
    {
      readonly scheme: RegExp
      readonly right: (service: TestService) => Promise<Headers>
      readonly wrong: (right: Headers) => Headers
    }
  >
> = {
  'by HTTP Basic': {
    scheme: /(?:^|, )Basic /,
    right: (service) => service.as('access.evaluate'),
    wrong: () => ({ authorization: `Basic ${Buffer.from('cli_a:css_b').toString('base64')}` }),
  },
  'by an access token': {
    scheme: /(?:^|, )Bearer /,
    right: getAccessToken,
    // The last six bits of the signature: no decoder takes them for the same bytes.
    wrong: ({ authorization = '' }) => ({
      authorization: authorization.replace(/.{8}$/, (end) => [...end].reverse().join('')),
    }),
  },
}

/** By openid-client, which discovers the token endpoint and makes the request for the token. */
async function getAccessToken(service: TestService): Promise<Headers> {
  const clientId = await addClient(service, { scopes: ['access.evaluate'] })
  const send: client.CustomFetch = (place, { method, headers, body }) => {
    const { pathname, search } = new URL(place)
    const text = body === undefined || body === null ? null : String(body)
    return service.request(pathname + search, { method, headers, body: text })
  }
  const by = client.ClientSecretBasic('right')
  const config = await client.discovery(new URL(service.url), clientId, 'right', by, {
    algorithm: 'oauth2',
    // The service of a test is on loopback.
    execute: [client.allowInsecureRequests],
    [client.customFetch]: send,
  })
  const { access_token: token } = await client.clientCredentialsGrant(config)
  return { authorization: `Bearer ${token}` }
}

/**
 * The cases as they stand, with what `authzen fixture` loads; and once more with the same rules where each
 * question has to name a device, and each user of the suite has a trusted one. Both by HTTP Basic and by access
 * tokens. Witnesses: the suite's cases, and openid-client, which gets the tokens.
 */
describeVectors('the OpenID conformance suite for AuthZEN', () => {
  const { tests } = vectorJson('authzen/oidf-scenarios.json') as { tests: readonly Scenario[] }

  test('has as many cases as these tests were written for', () => {
    expect(tests).toHaveLength(127)
    expect(tests.filter(OF_CREDENTIALS).map(({ testName }) => testName)).toHaveLength(2)
  })

  describe.each(
    ['without a device', 'of users on a device'].flatMap((how) =>
      Object.entries(PROVING).map(([name, proving]) => [how, name, proving] as const),
    ),
  )('%s, %s', (how, _proven, proving) => {
    const isOnDevice = how !== 'without a device'
    let database: TestDatabase
    let service: TestService
    let pep: Headers
    let deviceId: string
    beforeAll(async () => {
      database = await openTestDatabase()
      service = await createTestService({ database })
      pep = await proving.right(service)
      if (isOnDevice) deviceId = await trustDevice(service)
      await loadFixture(service, isOnDevice ? { device: 'always' } : {})
    })
    afterAll(() => database?.close())

    const send = ({ api, request }: Scenario, json = request.json) => {
      const { method, content_type, raw_body, bad_credentials, no_credentials } = request
      const headers = {
        'content-type': content_type,
        ...(no_credentials ? {} : bad_credentials ? proving.wrong(pep) : pep),
        ...(request.x_request_id && { 'x-request-id': REQUEST_ID }),
      }
      const body = isOnDevice ? withDevice(json ?? {}, deviceId) : (json ?? {})
      const text = raw_body ?? JSON.stringify(body)
      // The Fetch API lets no GET have a body: over a socket it would not be read either.
      return service.request(`/access/v1/${api}`, {
        method,
        headers,
        body: method === 'GET' ? null : text,
      })
    }

    test.each(tests.map((one) => [one.testName, one] as const))('%s', async (_name, scenario) => {
      const repeats = scenario.mode === 'idempotency_x3' ? 3 : 1
      for (let i = 0; i < repeats; i++) {
        const answer = await send(scenario)
        const body = (await answer.json()) as Members
        expect(scenario.expect.status_any_of, JSON.stringify(body)).toContain(answer.status)
        expect(answer.headers.get('content-type')).toBe('application/json')
        if (scenario.expect.www_authenticate !== undefined) {
          expect(answer.headers.get('www-authenticate')).toMatch(proving.scheme)
        }
        if (scenario.request.x_request_id) {
          expect(answer.headers.get('x-request-id')).toBe(REQUEST_ID)
        }
        const { json } = scenario.expect
        if (json === undefined) expect(typeof body).toBe('string')
        else if (scenario.api.startsWith('search/')) {
          const results = await readAllPages(scenario, body, (asked) => send(scenario, asked))
          expect(results).toEqual(expect.arrayContaining(json.results as unknown[]))
        } else expect(decisionsOf(body)).toEqual(expectedDecisions(scenario, json))
      }
    })

    test('refuses whoever has no credentials, or wrong ones, for every endpoint', async () => {
      for (const scenario of tests) {
        if (scenario.testName.endsWith('-idempotency')) {
          const { api, request } = scenario
          for (const which of ['no_credentials', 'bad_credentials']) {
            const answer = await send({ ...scenario, request: { ...request, [which]: true } })
            expect(answer.status, api).toBe(401)
          }
        }
      }
    })
  })
})

/** What the suite does with pages: it goes on with `page.token` until there is no next one. */
async function readAllPages(
  { request, mode }: Scenario,
  first: Members,
  send: (json: Members) => Promise<Response>,
): Promise<readonly unknown[]> {
  // "The page member SHOULD be the first" of the answer.
  expect(Object.keys(first)[0]).toBe('page')
  const results = [...(first.results as unknown[])]
  let token = membersOf(first.page).next_token
  if (mode === 'paginated') expect(results).toHaveLength(1)
  while (token !== '') {
    const answer = await send({ ...request.json, page: { token } })
    const body = (await answer.json()) as Members
    expect(answer.status, JSON.stringify(body)).toBe(200)
    results.push(...(body.results as unknown[]))
    token = membersOf(body.page).next_token
  }
  return results
}

async function loadFixture(service: TestService, changes: object): Promise<void> {
  const headers = await service.as('admin.write')
  const document = { ...FIXTURE_POLICY, ...changes }
  const body = { reason: 'conformance', document }
  await readOk(await service.post('/v1/policy', body, { method: 'PUT', headers }))
  await readOk(await service.post('/v1/entities', { entities: FIXTURE_ENTITIES }, { headers }))
}

async function trustDevice(service: TestService): Promise<string> {
  await rememberHealthy(service, await startDevice())
  const { deviceId, answer } = await attestMinted(service)
  await readOk(answer, 201)
  return deviceId
}

/** The body with the device in the properties of every subject that is an object. */
function withDevice(body: Members, deviceId: string): Members {
  const { subject, evaluations } = body
  return {
    ...body,
    ...(isMembers(subject) && {
      subject: {
        ...subject,
        properties: { ...membersOf(subject.properties), device_id: deviceId },
      },
    }),
    ...(Array.isArray(evaluations) && {
      evaluations: evaluations.map((one) => (isMembers(one) ? withDevice(one, deviceId) : one)),
    }),
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function membersOf(value: unknown): Members {
  return isMembers(value) ? value : {}
}

/** Of the short-circuiting semantics: cut after the first item that is as the last expected one. */
function expectedDecisions({ request }: Scenario, json: Members): unknown {
  const expected = decisionsOf(json)
  const semantic = membersOf(request.json?.options).evaluations_semantic
  if (!Array.isArray(expected) || semantic === undefined || semantic === 'execute_all') {
    return expected
  }
  return expected.slice(0, expected.indexOf(expected.at(-1)) + 1)
}

/** One decision, or those of a batch: `undefined` never equals either. */
function decisionsOf({ decision, evaluations }: Members): unknown {
  if (!Array.isArray(evaluations)) return decision
  return evaluations.map((one: Members) => one.decision)
}
