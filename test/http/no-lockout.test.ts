import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { BREAK_GLASS_HEADER } from '../../src/http/access/evaluations.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import {
  AUDIENCE,
  createHolder,
  keySetOf,
  tokenOf,
} from '../access/break-glass/break-glass-fixture.ts'
import { TEXTS } from '../policy/healthy-device.ts'
import type { Json } from '../support/json.ts'
import { enforce } from '../support/recorded-fleet.ts'
import { expectOk } from '../support/refusal.ts'
import { createTestService, readOk, startDevice } from '../support/service.ts'
import { openTestDatabase } from '../support/test-database.ts'

/**
 * No lockout by construction: whatever policy is in force, a device can ask for a challenge, prove
 * itself, be told what to repair, and get past a broken policy with a break-glass token.
 */
const database = await openTestDatabase()
const holders = [await createHolder('alice'), await createHolder('bob')]
const service = await createTestService({
  database,
  env: {
    PUBLIC_URL: AUDIENCE,
    BREAK_GLASS_KEYS: keySetOf(...holders),
    DEVICE_ATTESTATIONS_PER_MINUTE: '6000',
  },
})
const device = await startDevice()
const { device_id: deviceId } = expectOk(await service.agentOf(device).attest())
await service.services.store.setDeviceAttributes({
  deviceId,
  changes: { labels: ['field'] },
  by: 'test',
  now: service.clock.now(),
})
const pep = await service.as('access.evaluate')
const glass = await tokenOf(holders, { sub: deviceId })
afterAll(() => database.close())

const QUESTION = {
  subject: { type: 'device', id: deviceId },
  resource: { type: 'application', id: 'payroll' },
  action: { name: 'signin' },
}
const OPEN_PATHS = [
  '/healthz',
  '/readyz',
  '/certs',
  '/.well-known/jwks.json',
  '/.well-known/openid-configuration',
  '/.well-known/authzen-configuration',
]

type Answered = { readonly route: string; readonly status: number; readonly shape: Json }

/** All that a device and its person need, and what is refused of it, in order. */
async function useEverything(): Promise<{
  readonly answers: readonly Answered[]
  readonly submission: Json
  readonly decision: Json
}> {
  const answers: Answered[] = []
  const note = async (route: string, answer: Response) => {
    const body = await answer.clone().text()
    const isJson = answer.headers.get('content-type')?.includes('json')
    answers.push({
      route,
      status: answer.status,
      shape: isJson ? shapeOf(JSON.parse(body)) : typeof body,
    })
    return answer
  }
  for (const path of OPEN_PATHS) await note(path, await service.request(path))
  let submission: Json
  const agent = service.agentOf(device, {
    fetch: async (request) => {
      const { pathname } = new URL(request.url)
      const answer = await note(pathname, await service.app.fetch(request))
      if (pathname === '/v1/attestations') submission = await answer.clone().json()
      return answer
    },
  })
  const { nonce } = expectOk(await agent.requestChallenge())
  const token = expectOk(await agent.obtainToken(nonce))
  expectOk(await agent.submitToken({ token, nonce }))
  await note('a replay', await service.post('/v1/attestations', { token }))
  await note('no device key', await service.post('/v1/challenge', {}))
  await note('no message', await service.post('/attest/Tpm', { data: 'e30' }))
  const headers = { [BREAK_GLASS_HEADER]: glass }
  await note('break-glass', await service.post('/access/v1/evaluation', QUESTION, { headers }))
  const asked = await service.post('/access/v1/evaluation', QUESTION, { headers: pep })
  return { answers, submission, decision: await readOk(asked) }
}

/** What follows from a verdict is what policies are for; who is told it is not. */
const DECIDED = ['code', 'restart', 'reasons', 'coming', 'verdict']

/** Members and types of an answer; whatever decides nothing else is compared as it is. */
function shapeOf(value: Json, name = ''): Json {
  if (DECIDED.includes(name)) return 'decided'
  if (Array.isArray(value)) return value.map((item: Json) => shapeOf(item))
  if (typeof value === 'boolean') return value
  if (typeof value !== 'object' || value === null) return typeof value
  const members = Object.entries(value).map(([key, member]) => [key, shapeOf(member, key)])
  return Object.fromEntries(members)
}

const REQUIRE = fc.oneof(
  fc.constantFrom(
    'false',
    'device.ring > 100',
    '!("field" in device.labels)',
    'attestation.secureBootEnabled',
    'attestation.bootRevListInfo != ""',
    'attestation.enclaveSvn > 60000',
    'context.netwrok == "corporate"',
    'resource.id == "nothing"',
    'action.name == "nothing" || subject.type == "user"',
    'subject.properties.level > 3',
    'device.owner == "nobody"',
    'now < timestamp("2020-01-01T00:00:00Z")',
  ),
  fc.nat(100).map((ring) => `device.ring < ${ring}`),
  fc.nat(70_000).map((svn) => `attestation.enclaveSvn >= ${svn}`),
)

const CLAUSE = fc.record(
  {
    require: REQUIRE,
    severity: fc.constantFrom('enforce', 'report'),
    when: fc.constantFrom('"field" in device.labels', 'resource.id == "payroll"', 'true'),
    grace_seconds: fc.integer({ min: 60, max: 86_400 }),
  },
  { requiredKeys: ['require', 'severity'] },
)

const POLICY = fc.array(CLAUSE, { minLength: 1, maxLength: 6 }).map((clauses) => ({
  name: 'Generated',
  clauses: clauses.map((clause, at) => ({ id: `clause_${at}`, texts: TEXTS, ...clause })),
}))

test('no policy stands between a device and what it needs to be trusted again', async () => {
  const now = service.clock.now()
  await enforce(service.services.store, 'policy', { body: BASELINE_POLICY, now })
  const { answers: before, decision } = await useEverything()
  expect(decision.decision).toBe(true)
  expect(before.map(({ route, status }) => `${status} ${route}`)).toEqual([
    ...OPEN_PATHS.map((path) => `200 ${path}`),
    ...['200 /v1/challenge', '200 /attest/Tpm', '200 /attest/Tpm', '201 /v1/attestations'],
    ...['401 a replay', '400 no device key', '400 no message', '200 break-glass'],
  ])
  const verdicts = new Set<string>()
  const hold = fc.asyncProperty(POLICY, async (body) => {
    await enforce(service.services.store, 'policy', { body, now })
    const { answers, submission, decision: decided } = await useEverything()
    expect(answers).toEqual(before)
    verdicts.add(`${submission.verdict} ${decided.decision}`)
    for (const { title, repair } of submission.reasons) expect(title && repair).toBeTruthy()
    if (submission.verdict !== 'trusted') expect(submission.reasons).not.toEqual([])
  })
  await fc.assert(hold, { numRuns: 40 })
  // The policies were of every kind: the decisions did differ.
  expect([...verdicts]).toEqual(expect.arrayContaining(['trusted true', 'untrusted false']))
  expect([...verdicts].join()).toContain('trusted false')
}, 120_000)
