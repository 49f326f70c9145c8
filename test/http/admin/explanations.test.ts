import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { policyWith } from '../../operations/release/documents.ts'
import { HEALTHY } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { enforce, enforceFleetDocuments, recordFleet } from '../../support/recorded-fleet.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
} from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
const read = await service.as('admin.read')
const pep = await service.as('access.evaluate')
const { store } = service.services
const [id = ''] = await recordFleet(store, { devices: 3, now: service.clock.now() })
afterAll(() => database.close())
beforeAll(async () => {
  const now = service.clock.now()
  await enforceFleetDocuments(store, now)
  const { body } = policyWith('attestation.enclaveSvn >= int(context.least)', {
    when: 'resource.id == "payroll"',
  })
  await enforce(store, 'policy', { body: body as Json, now })
})

const explain = (body: object, headers = read) =>
  service.post('/v1/explanations', body, { headers })
const question = (least?: number) => ({
  resource: { type: 'application', id: 'payroll' },
  action: { name: 'signin' },
  context: least === undefined ? {} : { least },
})
const clauseOf = ({ clauses }: Json, clause: string): Json =>
  clauses.find((one: Json) => one.clause === clause)

describe('POST /v1/explanations', () => {
  test('asks without a device, with what the directory says', async () => {
    const { body } = policyWith('subject.properties.role == "admin"')
    const { clauses } = body as Json
    const open = { ...(body as Json), device: 'false', clauses: clauses.slice(-1) }
    const now = service.clock.now()
    const before = await store.activeDocument('policy')
    await enforce(store, 'policy', { body: open, now })
    const entity = { kind: 'subject', type: 'user', id: 'ada' } as const
    const properties = { role: 'admin' }
    const changes = [{ ...entity, properties, source: 'test' }]
    await store.changeEntities({ changes, by: 'test', now })
    const ada = { subject: { type: 'user', id: 'ada' } }
    const explained = await readOk(await explain({ without_device: true, question: ada }))
    expect(explained).toMatchObject({ decision: true, context: { device_demanded: false } })
    expect(explained.clauses[0].reads).toEqual({ 'subject.properties.role': 'admin' })
    const both = { without_device: true, device_id: id, question: ada }
    await expectProblem(await explain(both), 400, 'request_malformed')
    await enforce(store, 'policy', { body: before?.body as Json, now })
  })

  test('answers about a device as a decision does, with every clause and what it read', async () => {
    for (const least of [1, 1000]) {
      const asked = { subject: { type: 'device', id }, ...question(least) }
      const decided = await readOk(
        await service.post('/access/v1/evaluation', asked, { headers: pep }),
      )
      const explained = await readOk(await explain({ device_id: id, question: question(least) }))
      expect(explained).toMatchObject(decided)
      expect(explained.clauses.length).toBeGreaterThan(10)
      expect(clauseOf(explained, 'added')).toEqual({
        clause: 'added',
        scope: 'request',
        severity: 'enforce',
        status: least === 1 ? 'pass' : 'fail',
        when: 'resource.id == "payroll"',
        require: 'attestation.enclaveSvn >= int(context.least)',
        reads: {
          'resource.id': 'payroll',
          'attestation.enclaveSvn': expect.any(Number),
          'context.least': least,
        },
      })
      expect(clauseOf(explained, 'enclave_current').reads).toEqual({
        'attestation.enclave.svn_current': true,
      })
    }
  })

  test('says what is not there, and why that leaves a clause undecided', async () => {
    const explained = await readOk(await explain({ device_id: id, question: question() }))
    expect(explained.decision).toBe(false)
    expect(clauseOf(explained, 'added')).toMatchObject({
      status: 'undecidable',
      cause: 'No such key: least',
      reads: { 'context.least': null },
    })
  })

  test('answers about claims that no device has, at another time', async () => {
    const at = '2030-01-01T00:00:00Z'
    const claims = { ...HEALTHY, secureBootEnabled: false }
    const explained = await readOk(await explain({ claims, at }))
    expect(explained).toMatchObject({
      ...{ decision: false, at: '2030-01-01T00:00:00.000Z' },
      context: { verdict: 'untrusted', reasons: [{ clause: 'secure_boot_on' }] },
    })
    expect(await readOk(await explain({ claims: HEALTHY, at }))).toMatchObject({ decision: true })
  })

  test('writes nothing, and counts for nothing', async () => {
    const stored = await everythingStored(service.query)
    const decisions = async () =>
      (await (await service.request('/metrics')).text())
        .split('\n')
        .filter((line) => line.startsWith('countersign_decisions'))
    const counted = await decisions()
    await readOk(await explain({ device_id: id, question: question(1) }))
    await readOk(await explain({ claims: HEALTHY }))
    expect(await everythingStored(service.query)).toEqual(stored)
    expect(await decisions()).toEqual(counted)
  })

  test.each<[string, Json]>([
    ['neither device nor claims', {}],
    ['both', { device_id: id, claims: {} }],
    ['a claim that there is not', { claims: { secureBoot: true } }],
    ['a claim of another type', { claims: { secureBootEnabled: 'yes' } }],
    [
      'a question that is too large',
      { claims: {}, question: { context: { a: 'a'.repeat(90_000) } } },
    ],
    ['a member that there is not', { claims: {}, policy: 'x' }],
    ['a time without a zone', { claims: {}, at: '2030-01-01T00:00:00' }],
  ])('refuses %s', async (_, body) => {
    await expectProblem(await explain(body), 400, 'request_malformed')
  })

  test('is for administrators who read, about devices that there are', async () => {
    await expectProblem(await explain({ claims: {} }, pep), 403, 'forbidden')
    const unknown = `dev_${'a'.repeat(52)}`
    await expectProblem(await explain({ device_id: unknown }), 404, 'device_not_found')
  })
})
