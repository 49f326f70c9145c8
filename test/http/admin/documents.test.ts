import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'
import { policyWith } from '../../operations/release/documents.ts'
import { documentOf, TEXTS } from '../../policy/healthy-device.ts'
import { enforceFleetDocuments, recordFleet } from '../../support/recorded-fleet.ts'
import { noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  startDevice,
  type TestService,
} from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
await rememberHealthy(service, await startDevice())
const read = await service.as('admin.read')
const write = await service.as('admin.write')
const pep = await service.as('access.evaluate')
const { answer, deviceId } = await attestMinted(service)
await readOk(answer, 201)
afterAll(() => database.close())

const get = (path: string) => service.request(path, { headers: read })
const put = (path: string, body: unknown, headers = write) =>
  service.post(path, body, { method: 'PUT', headers })

async function decide() {
  const question = {
    subject: { type: 'device', id: deviceId },
    resource: { type: 'application', id: 'payroll' },
    action: { name: 'signin' },
  }
  return readOk(await service.post('/access/v1/evaluation', question, { headers: pep }))
}

test('on a first start the baseline and the known enclaves are in force', async () => {
  expect(await readOk(await get('/v1/policy'))).toMatchObject({
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    author: 'service',
    document: BASELINE_POLICY,
  })
  const { document } = await readOk(await get('/v1/reference-values'))
  expect(document).toEqual(listSimulatorReferenceValues())
})

describe.each(['/v1/policy', '/v1/reference-values'])('%s', (path) => {
  test('is shown to those who read and set by those who write', async () => {
    const before = await everythingStored(service.query)
    const body = { reason: 'x', document: { enclaves: [] } }
    await expectProblem(await service.request(path, { headers: pep }), 403, 'forbidden')
    for (const headers of [read, pep]) {
      await expectProblem(await put(path, body, headers), 403, 'forbidden')
    }
    await expectProblem(await put(path, body, {}), 401, 'unauthenticated')
    expect(await everythingStored(service.query)).toEqual(before)
  })

  test('needs a reason and a document, and nothing else', async () => {
    for (const body of [
      {},
      { document: {} },
      { reason: 'x' },
      { reason: '', document: {} },
      { reason: 'x', document: [] },
      { reason: 'x', document: 'true' },
      { reason: 'x', document: {}, hash: 'mine' },
      null,
    ]) {
      await expectProblem(await put(path, body), 400, 'request_malformed')
    }
  })

  test('refuses a document that is nested without end before it is read', async () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000)
    const body = `{"reason":"x","document":{"name":"x","clauses":${deep},"enclaves":${deep}}}`
    const answer = await service.post(path, null, { method: 'PUT', body, headers: write })
    await expectProblem(answer, 400, 'body_too_deep')
  })

  test('refuses more than a megabyte', async () => {
    const body = JSON.stringify({ reason: 'x', document: { name: 'a'.repeat(1_048_576) } })
    const answer = await service.post(path, null, { method: 'PUT', body, headers: write })
    await expectProblem(answer, 413, 'body_too_large')
  })
})

describe('a policy that does not compile', () => {
  const cases: readonly [string, object, object][] = [
    [
      'names what there is not',
      documentOf('attestation.secureBootEnabled', 'attestation.secureBotEnabled'),
      {
        code: 'policy_name_unknown',
        clause: 'clause_1',
        member: 'require',
        line: 1,
        suggestion: 'secureBootEnabled',
      },
    ],
    [
      'is no expression',
      documentOf('true &&\n  ('),
      { code: 'policy_expression_syntax', line: 1, clause: 'clause_0' },
    ],
    ['is not true or false', documentOf('1 + 1'), { code: 'policy_expression_not_boolean' }],
    [
      'has a pattern that is none',
      documentOf('device.owner.matches("(")'),
      { code: 'policy_pattern_invalid', line: 1 },
    ],
    [
      'is no policy',
      { name: 'x', clauses: [] },
      { code: 'document_value_invalid', member: 'clauses' },
    ],
  ]
  test.each(cases)('is refused and told where it %s', async (_name, document, told) => {
    const before = await everythingStored(service.query)
    const { context } = await decide()
    const refused = await put('/v1/policy', { reason: 'try', document })
    const answer = await expectProblem(refused, 422, 'document_refused')
    expect(answer).toMatchObject({ findings: [told] })
    noteReason('document_refused')
    expect(await everythingStored(service.query)).toEqual(before)
    expect((await decide()).context.policy).toBe(context.policy)
  })
})

test('reference values that are wrong are refused, and the active ones stay', async () => {
  const before = await everythingStored(service.query)
  const document = { enclaves: [{ name: 'agent', author_id: 'short', minimum_svn: 1 }] }
  const refused = await put('/v1/reference-values', { reason: 'try', document })
  expect(await expectProblem(refused, 422, 'document_refused')).toMatchObject({
    findings: [{ member: 'enclaves.0.author_id', line: 1 }],
  })
  expect(await everythingStored(service.query)).toEqual(before)
})

describe('a document that is activated', () => {
  test('decides with the next question, and so does the one before when it comes back', async () => {
    const baseline = await readOk(await get('/v1/policy'))
    expect((await decide()).decision).toBe(true)
    const strict = documentOf('attestation.secureBootEnabled', 'attestation.enclaveSvn > 1000')
    const lock = { reason: 'lock', document: strict, accept_denials: 1 }
    const set = await readOk(await put('/v1/policy', lock))
    expect(set).toMatchObject({ reason: 'lock', document: strict })
    const denied = await decide()
    expect(denied).toMatchObject({ decision: false, context: { policy: set.hash } })
    expect(denied.context.reasons).toMatchObject([{ clause: 'clause_1' }])

    const { document } = baseline
    const back = await readOk(await put('/v1/policy', { reason: 'unlock', document }))
    expect(back.hash).toBe(baseline.hash)
    expect((await decide()).decision).toBe(true)
  })

  test('may be a set of reference values: an enclave that is not in it is not trusted', async () => {
    const { document } = await readOk(await get('/v1/reference-values'))
    const none = { name: 'none', enclaves: [] }
    const recall = { reason: 'recall', document: none, accept_denials: 1 }
    await readOk(await put('/v1/reference-values', recall))
    expect((await decide()).decision).toBe(false)
    await readOk(await put('/v1/reference-values', { reason: 'back', document }))
    expect((await decide()).decision).toBe(true)
  })

  test('leaves who did it and why in the audit log, once', async () => {
    const document = documentOf('true || attestation.secureBootEnabled')
    const audit = () =>
      service.query(
        `select * from audit where action = 'document.activated' and actor like 'cli_%'`,
      )
    const before = (await audit()).length
    await readOk(await put('/v1/policy', { reason: 'because', document }))
    await readOk(await put('/v1/policy', { reason: 'again', document }))
    const rows = (await audit()).slice(before)
    expect(rows).toHaveLength(1)
    expect(JSON.stringify(rows[0]?.detail)).toContain('because')
    expect(service.logs.join('')).toContain('document_activated')
  })

  test('is what was checked: a member that is there twice is refused', async () => {
    const text = JSON.stringify(documentOf('true')).replace('{', '{"name":"shadow",')
    const body = `{"reason":"x","document":${text}}`
    const answer = await service.post('/v1/policy', null, { method: 'PUT', body, headers: write })
    expect(await expectProblem(answer, 422, 'document_refused')).toMatchObject({
      findings: [{ code: 'json_member_repeated', line: 1, column: 18 }],
    })
  })
})

test('what was to follow another document than the one in force is not activated', async () => {
  const { hash: expected } = await readOk(await get('/v1/policy'))
  const body = { reason: 'x', document: documentOf('attestation.vbsEnabled') }
  const refused = await put('/v1/policy', { ...body, expected: 'f'.repeat(64) })
  await expectProblem(refused, 409, 'superseded')
  noteReason('superseded')
  expect(await readOk(await get('/v1/policy'))).toMatchObject({ hash: expected })
  await readOk(await put('/v1/policy', { ...body, expected }))
})

const DENIES = policyWith('attestation.enclaveSvn > 1000').body
const preview = async (document: object) => {
  const body = { kind: 'policy', document }
  return readOk(await service.post('/v1/previews', body, { headers: write }))
}

describe.each([
  ['few', 3],
  ['a hundred', 100],
])('where %s devices have attested', (_, devices) => {
  beforeEach(async () => {
    const now = service.clock.now()
    await recordFleet(service.services.store, { devices, now })
    await enforceFleetDocuments(service.services.store, now)
  })

  test('nobody loses access but as many as somebody has said', async () => {
    const { hash } = await readOk(await get('/v1/policy'))
    const { newly_denied } = await preview(DENIES)
    const { devices: lost } = newly_denied
    expect(lost).toBeGreaterThanOrEqual(Math.max(1, devices))
    const body = { reason: 'recall', document: DENIES, at_once: true }
    for (const accept_denials of [undefined, lost - 1]) {
      const refused = await put('/v1/policy', { ...body, accept_denials })
      const told = await expectProblem(refused, 409, 'denials_not_accepted')
      expect(told).toMatchObject({ newly_denied: lost })
    }
    noteReason('denials_not_accepted')
    expect(await readOk(await get('/v1/policy'))).toMatchObject({ hash })
    await readOk(await put('/v1/policy', { ...body, accept_denials: lost }))
    expect((await readOk(await get('/v1/policy'))).hash).not.toBe(hash)
  })

  test('what lint calls an error is refused, whatever is accepted', async () => {
    const body = { reason: 'x', document: documentOf('false'), accept_denials: 1000 }
    const refused = await expectProblem(await put('/v1/policy', body), 422, 'document_refused')
    expect(refused).toMatchObject({ findings: [{ code: 'policy_clause_denies_all' }] })
  })

  test('reference values go the same way', async () => {
    const body = { reason: 'recall', document: { name: 'none', enclaves: [] }, at_once: true }
    await expectProblem(await put('/v1/reference-values', body), 409, 'denials_not_accepted')
  })
})

describe('in a large fleet', () => {
  test('a document begins a rollout, unless it is to be in force at once', async () => {
    const before = await readOk(await get('/v1/policy'))
    const document = policyWith('attestation.enclaveSvn >= 4').body
    const begun = await readOk(await put('/v1/policy', { reason: 'by size', document }), 201)
    expect(begun).toMatchObject({ from: before.hash, state: 'running', pass: 'audit' })
    expect(await readOk(await get('/v1/policy'))).toEqual(before)
    const again = await put('/v1/policy', { reason: 'by size', document })
    await expectProblem(again, 409, 'rollout_open')
    // At once it takes the place of its own rollout.
    const body = { reason: 'now', document, at_once: true }
    expect(await readOk(await put('/v1/policy', body))).toMatchObject({ hash: begun.to })
    const ended = await readOk(await get(`/v1/rollouts/${begun.rollout_id}`))
    expect(ended.state).toBe('reverted')
  })
})

test('a document with very many moments takes a preview before, however few the devices are', async () => {
  const dates = Array.from({ length: 250 }, (_, day) => {
    return `now != timestamp("${new Date(service.clock.now().getTime() + (day + 1) * 86_400_000).toISOString()}")`
  })
  const require = (clause: number) => dates.slice(clause * 10, clause * 10 + 10).join(' || ')
  const datedPolicy = (clauses: number) => ({
    ...BASELINE_POLICY,
    clauses: [
      ...BASELINE_POLICY.clauses,
      ...Array.from({ length: clauses }, (_, clause) => {
        return {
          id: `dated_${clause}`,
          require: require(clause),
          severity: 'enforce',
          texts: TEXTS,
        }
      }),
    ],
  })
  const putDated = (clauses: number) => {
    const body = { at_once: true, reason: 'x', document: datedPolicy(clauses) }
    return put('/v1/policy', body)
  }
  // Of 500,000 evaluations: with 501 moments and 25 clauses 39 devices, with 21 moments and one clause 23,809.
  await expectProblem(await putDated(25), 409, 'preview_missing')
  await readOk(await putDated(1))
})

describe('where a request cannot wait for the replay of the fleet', () => {
  let large: TestService
  beforeAll(async () => {
    large = await createTestService({
      database,
      clock: service.clock,
      alterAdmin: (admin) => ({ ...admin, releases: { ...admin.releases, replaysAtMost: 10 } }),
    })
  })
  const putLarge = (body: object) =>
    large.post('/v1/policy', { at_once: true, ...body }, { method: 'PUT', headers: write })

  test('a document needs a preview that is young enough, and is told so', async () => {
    const before = await readOk(await get('/v1/policy'))
    const document = policyWith('attestation.enclaveSvn >= 3').body
    const body = { reason: 'gated', document }
    const refused = await expectProblem(await putLarge(body), 409, 'preview_missing')
    expect(refused.detail).toContain('POST /v1/previews')
    noteReason('preview_missing')
    expect(await readOk(await get('/v1/policy'))).toEqual(before)

    await preview(document)
    service.clock.advance(3601)
    await expectProblem(await putLarge(body), 409, 'preview_missing')
    await preview(document)
    const other = { ...body, expected: 'f'.repeat(64) }
    await expectProblem(await putLarge(other), 409, 'superseded')
    const set = await readOk(await putLarge({ ...body, expected: before.hash }))
    expect(set).toMatchObject({ reason: 'gated', document })
    // What is in force already needs no gate.
    await readOk(await putLarge(body))
  })
})
