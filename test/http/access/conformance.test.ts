import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TEXTS } from '../../policy/healthy-device.ts'
import { createTestService, readOk, startDevice, type TestService } from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { describeVectors, vectorJson } from '../../support/vectors.ts'

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

const PATHS: Readonly<Record<string, string>> = {
  evaluation: '/access/v1/evaluation',
  evaluations: '/access/v1/evaluations',
}
const REQUEST_ID = 'bfe9eb29-ab87-4ca3-be83-a1d5d8305716'

/** The suite's tenant as a policy: who may do what to the records. */
const TENANT = {
  name: 'Tenant of the conformance suite',
  clauses: [
    clause('known_actions', 'true', 'action.name in ["read", "write", "delete"]'),
    clause('readers', 'action.name == "read"', 'subject.id in ["alice", "bob"]'),
    clause(
      'writers',
      'action.name == "write"',
      'has(resource.properties.status) && resource.properties.status == "archived"' +
        ' ? has(subject.properties.role) && subject.properties.role == "admin"' +
        ' : subject.id == "alice"',
    ),
    clause(
      'soft_deletes',
      'action.name == "delete"',
      'subject.id == "alice" && action.properties.soft == true',
    ),
  ],
}

function clause(id: string, when: string, require: string) {
  return { id, when, require, severity: 'enforce', texts: TEXTS }
}

/**
 * This decision point decides about users on devices. So each user of the suite gets a device that
 * is trusted, named in the properties; nothing else of a case is changed, and every case applies.
 */
describeVectors('the OpenID conformance suite for AuthZEN', () => {
  const { tests } = vectorJson('authzen/oidf-scenarios.json') as { tests: readonly Scenario[] }
  const ours = tests.filter(({ api }) => PATHS[api] !== undefined)
  let database: TestDatabase
  let service: TestService
  let pep: Readonly<Record<string, string>>
  let deviceId: string
  beforeAll(async () => {
    database = await openTestDatabase()
    service = await createTestService({ database })
    pep = await service.as('access.evaluate')
    deviceId = await trustDevice(service)
  })
  afterAll(() => database?.close())

  test('has as many cases of the evaluation APIs as these tests were written for', () => {
    expect(tests).toHaveLength(127)
    expect(ours).toHaveLength(60)
  })

  const send = ({ api, request }: Scenario) => {
    const { method, content_type, json, raw_body, bad_credentials, no_credentials } = request
    const wrong = { authorization: `Basic ${Buffer.from('cli_a:css_b').toString('base64')}` }
    const headers = {
      'content-type': content_type,
      ...(no_credentials ? {} : bad_credentials ? wrong : pep),
      ...(request.x_request_id && { 'x-request-id': REQUEST_ID }),
    }
    const text = raw_body ?? JSON.stringify(withDevice(json ?? {}, deviceId))
    // The Fetch API lets no GET have a body: over a socket it would not be read either.
    return service.request(PATHS[api] ?? '', {
      method,
      headers,
      body: method === 'GET' ? null : text,
    })
  }

  test.each(ours.map((one) => [one.testName, one] as const))('%s', async (_name, scenario) => {
    const repeats = scenario.mode === 'idempotency_x3' ? 3 : 1
    for (let i = 0; i < repeats; i++) {
      const answer = await send(scenario)
      const body = (await answer.json()) as Members
      expect(scenario.expect.status_any_of, JSON.stringify(body)).toContain(answer.status)
      expect(answer.headers.get('content-type')).toBe('application/json')
      if (scenario.expect.www_authenticate !== undefined) {
        expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /)
      }
      if (scenario.request.x_request_id) {
        expect(answer.headers.get('x-request-id')).toBe(REQUEST_ID)
      }
      const { json } = scenario.expect
      if (json === undefined) expect(typeof body).toBe('string')
      else expect(decisionsOf(body)).toEqual(expectedDecisions(scenario, json))
    }
  })

  describe('the tenant', () => {
    test('is the policy that decides, and the device is', async () => {
      const untrusted = await attestMinted(service)
      await database.store.quarantineDevice({
        deviceId: untrusted.deviceId,
        by: 'test',
        reason: 'test',
        now: service.clock.now(),
      })
      const question = {
        subject: { type: 'user', id: 'alice' },
        resource: { type: 'record', id: 'record-1' },
        action: { name: 'read' },
      }
      for (const [device, decision] of [
        [deviceId, true],
        [untrusted.deviceId, false],
      ] as const) {
        const body = withDevice(question, device)
        const answer = await service.post('/access/v1/evaluation', body, { headers: pep })
        expect((await readOk(answer)).decision).toBe(decision)
      }
    })
  })
})

async function trustDevice(service: TestService): Promise<string> {
  await rememberHealthy(service, await startDevice())
  const { deviceId, answer } = await attestMinted(service)
  await readOk(answer, 201)
  const headers = await service.as('admin.write')
  const body = { reason: 'conformance', document: TENANT }
  await readOk(await service.post('/v1/policy', body, { method: 'PUT', headers }))
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
