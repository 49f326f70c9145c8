import { readdirSync, readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, describe, expect, test } from 'vitest'
import { describeApi } from '../../../src/http/openapi/document.ts'
import { AttestationAgent } from '../../../src/simulator/agent.ts'
import {
  type ApiMessage,
  type Exchange,
  expectOfForm,
  messagesIn,
  validatorOf,
} from '../../support/api-messages.ts'
import type { Json } from '../../support/json.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, readOk, startDevice } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
/** With what is there only where a provider or a client of sign-ins is configured. */
const service = await createTestService({
  database,
  env: {
    ENTRA_TENANT_ID: '30000000-0000-0000-0000-000000000003',
    ENTRA_APP_ID: '50000000-0000-0000-0000-000000000005',
    OKTA_ORGANISATION: 'https://acme.okta.com',
    CLOUDFLARE_TEAM: 'acme',
    CLOUDFLARE_POSTURE_AUDIENCE: 'a'.repeat(64),
    SIGN_IN_CLIENTS: JSON.stringify([
      { provider: 'okta', client_id: 'acme', redirect_uris: ['https://acme.okta.com/callback'] },
    ]),
  },
})
afterAll(() => database.close())

/** Pages for people and their forms are no interface: nobody calls them but a browser that was shown them. */
const PAGES_OF_PEOPLE = /^\/console(?:\/|$)/

/** Everything that an agent of the simulator says and hears in one attestation. */
async function record(
  version: 1 | 2,
  binding: 'quote' | 'certify',
): Promise<readonly ApiMessage[]> {
  const exchanges: Exchange[] = []
  const agent = new AttestationAgent({
    device: await startDevice(),
    baseUrl: service.url,
    now: service.clock.now,
    maxAttempts: 1,
    ...{ requestVersion: version, binding },
    async fetch(request) {
      const body = await request.clone().text()
      const answered = await service.app.fetch(request)
      const { pathname: path } = new URL(request.url)
      const answer = await answered.clone().text()
      exchanges.push({ path, headers: request.headers, body, status: answered.status, answer })
      return answered
    },
  })
  expectOk(await agent.attest())
  return exchanges.flatMap(messagesIn)
}

const messages = [
  ...(await record(1, 'quote')),
  ...(await record(2, 'quote')),
  ...(await record(2, 'certify')),
]

/** Values in a message by their paths, as deep as its objects go. */
function pathsIn(value: Json, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path]
  return Object.entries(value).flatMap(([name, one]) => pathsIn(one, [...path, name]))
}

describe('the OpenAPI document', () => {
  test('is one to a validator that nobody here wrote', async () => {
    const { valid, errors } = await new Validator().validate(describeApi())
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
  })

  test('is refused by it where it is none', async () => {
    const { paths, ...rest } = describeApi()
    const spoilt = { ...rest, paths: { ...paths, '/certs': { get: { responses: 1 } } } }
    expect((await new Validator().validate(spoilt)).valid).toBe(false)
  })

  test('is what the service answers with, and stands in the docs', async () => {
    const text = `${JSON.stringify(describeApi(), null, 1)}\n`
    expect(readFileSync('docs/openapi.json', 'utf8'), 'npm run openapi').toBe(text)
    expect(await readOk(await service.request('/openapi.json'))).toEqual(JSON.parse(text))
  })

  test('has each route of the service, and no other', () => {
    const routes = service.app.routes.filter(({ path, method }) => {
      return method !== 'ALL' && !PAGES_OF_PEOPLE.test(path)
    })
    const served = routes.map(
      ({ path, method }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
    )
    const told = Object.entries(describeApi().paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(told.sort()).toEqual([...new Set(served)].sort())
  })

  test('names every operation once', () => {
    const ids = Object.values(describeApi().paths).flatMap((operations) =>
      Object.values(operations).map((one: Json) => one.operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('has a schema for whatever it refers to, and none that nothing refers to', () => {
    const text = JSON.stringify(describeApi())
    const { schemas, responses } = describeApi().components
    const names = [...Object.keys(schemas), ...Object.keys(responses)]
    const referred = new Set(
      [...text.matchAll(/"#\/components\/(?:schemas|responses)\/(\w+)"/g)].map(
        ([, name = '']) => name,
      ),
    )
    expect([...referred].filter((name) => !names.includes(name))).toEqual([])
    // What stands inside a text that is signed or encoded is told of by name alone.
    const inside =
      /^(?:Request|AttestationToken|Proof|DeviceToken|AttestationPublic|ReportM|ChallengeM|AgentM)/
    expect(names.filter((name) => !referred.has(name) && !inside.test(name))).toEqual([])
  })

  test.each(
    Object.entries(describeApi().paths).flatMap(([path, { get }]) => {
      const { responses, security, parameters }: Json = get ?? {}
      const schema = responses?.['200']?.content?.['application/json']?.schema?.$ref
      const isOpen = schema !== undefined && security.length === 0 && !path.includes('{')
      return isOpen && parameters === undefined ? [[path, schema.split('/').at(-1)]] : []
    }),
  )('tells of %s', async (path, name) => {
    expectOfForm([name, await readOk(await service.request(path))])
  })
})

test('the exchange in the docs has messages of the document, and members that they have', () => {
  const page = readFileSync('docs/agent-exchange.md', 'utf8')
  const shown = [...page.matchAll(/^`(\w+)`\n\n```json\n([\s\S]*?)\n```$/gm)]
  expect(shown.length).toBeGreaterThan(15)
  for (const [, name = '', text = ''] of shown) {
    const told = new Set(pathsIn(JSON.parse(text)).map((path) => path.join('.')))
    const real = messages.filter(([known]) => known === name)
    const known = new Set(real.flatMap(([, one]) => pathsIn(one).map((path) => path.join('.'))))
    const optional = [...told].filter((path) => !known.has(path))
    expect(
      optional.filter((path) => !/\.(?:aik_cert|logs|pcrs)$/.test(path)),
      name,
    ).toEqual([])
  }
})

/** The golden vectors, as the command writes them. */
const VECTORS = 'test/cli/vectors/exported'

function readVectors(folder: 'runs' | 'refused'): readonly (readonly [string, Json])[] {
  return readdirSync(`${VECTORS}/${folder}`).map((name) => {
    return [name, JSON.parse(readFileSync(`${VECTORS}/${folder}/${name}`, 'utf8'))]
  })
}

function exchangeOf({ request, answer }: Json): Exchange {
  const { pathname: path } = new URL(request.path, service.url)
  const headers = new Headers(request.headers)
  const { status, body } = answer
  return { path, headers, body: request.body, status, answer: JSON.stringify(body) }
}

describe('the golden vectors', () => {
  test.each(readVectors('runs'))('%s is as the document says', (_, { exchanges }) => {
    const found = exchanges.map(exchangeOf).flatMap(messagesIn)
    expect(found.length).toBeGreaterThan(3)
    for (const message of found) expectOfForm(message)
  })

  test.each(readVectors('refused'))('%s is refused as the document says', (_, { exchanges }) => {
    const { path, answer } = exchangeOf(exchanges.at(-1))
    expectOfForm([path === '/attest/Tpm' ? 'AzureError' : 'Problem', JSON.parse(answer)])
  })

  test('those with a member that is wrong are so by the document, too', () => {
    const wrong = readVectors('refused').filter(([, { refused }]) => {
      return /^(?:message_member|jwk|request_key)_/.test(refused.code)
    })
    expect(wrong.length).toBeGreaterThan(3)
    for (const [name, { exchanges }] of wrong) {
      const exchange = exchangeOf(exchanges.at(-1))
      if (!validatorOf('AgentEnvelope')(JSON.parse(exchange.body))) continue
      const sent = messagesIn(exchange).filter(([form]) => form !== 'AzureError')
      const refused = sent.filter(([form, message]) => !validatorOf(form)(message))
      expect(refused.length, name).toBeGreaterThan(0)
    }
  })
})

describe('messages of the simulator', () => {
  test('are as the document says', () => {
    for (const message of messages) expectOfForm(message)
    expect(new Set(messages.map(([name]) => name)).size).toBeGreaterThan(15)
  })

  test('with another type in the place of a value that is told of are not', () => {
    const names = new Map(messages)
    for (const [name, message] of names) {
      const refused = pathsIn(message).filter((path) => {
        const changed = structuredClone(message)
        const holder = path.slice(0, -1).reduce((at: Json, part) => at[part], changed)
        holder[path.at(-1) ?? ''] = { another: ['type'] }
        return !validatorOf(name)(changed)
      })
      expect(refused.length, name).toBeGreaterThan(0)
    }
  })

  test('without a member that is asked for are not', () => {
    const schemas: Readonly<Record<string, Json>> = describeApi().components.schemas
    let tried = 0
    for (const [name, message] of new Map(messages)) {
      for (const member of schemas[name].required ?? []) {
        const { [member]: _, ...rest } = message
        expect(validatorOf(name)(rest), `${name} without ${member}`).toBe(false)
        tried += 1
      }
    }
    expect(tried).toBeGreaterThan(40)
  })
})

/** The IETF's draft of the header (`Idempotency-Key` §2.7): 409 while the first is under way, 422 for another request. */
test('whatever takes a key of its change says what a key is refused for', () => {
  const operations = Object.entries(describeApi().paths).flatMap(([path, methods]) => {
    return Object.entries(methods).map(([method, one]: [string, Json]) => ({ path, method, one }))
  })
  const keyed = operations.filter(({ one }) => {
    return JSON.stringify(one.parameters ?? []).includes('Idempotency-Key')
  })
  expect(keyed.length).toBeGreaterThan(20)
  const silent = keyed.filter(({ one }) => !('422' in one.responses && '409' in one.responses))
  expect(silent.map(({ method, path }) => `${method} ${path}`)).toEqual([])
})
