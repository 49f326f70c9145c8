import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseEvaluation } from '../../../src/access/evaluation-request.ts'
import { describeDevice, describeEvidence } from '../../../src/access/receipt/inputs.ts'
import { importReceiptKeys } from '../../../src/access/receipt/keys.ts'
import { recomputeReceipt } from '../../../src/access/receipt/recompute.ts'
import { verifyReceipt } from '../../../src/access/receipt/verify.ts'
import { collectInputs } from '../../../src/cli/receipt/collect-inputs.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { createTestService, readOk, startDevice, type TestService } from '../../support/service.ts'
import { attestMinted, rememberHealthy } from '../../support/submission.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/** Decisions that read the entity directory, over HTTP on the real store. */
let database: TestDatabase
let service: TestService
let pep: Readonly<Record<string, string>>
let write: Readonly<Record<string, string>>
let deviceId: string
beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database })
  pep = await service.as('access.evaluate')
  write = await service.as('admin.write')
  await rememberHealthy(service, await startDevice())
  ;({ deviceId } = await attestMinted(service))
})
beforeEach(() => {
  service.calls.length = 0
})
afterAll(() => database?.close())

const TEXTS = { en: { title: 'No', repair: 'None.' } }

async function activate(clauses: readonly object[], device?: string) {
  const document = { ...BASELINE_POLICY, clauses, ...(device !== undefined && { device }) }
  const body = { reason: 'test', document, accept_denials: 100 }
  const answer = await service.post('/v1/policy', body, { method: 'PUT', headers: write })
  if (answer.status !== 409) await readOk(answer)
}

const clause = (require: string) => [{ id: 'asked', require, severity: 'enforce', texts: TEXTS }]
const ADMINS = clause('subject.properties.role == "admin" && resource.properties.status == "open"')

async function put(properties: object, status = 'open') {
  const entities = [
    { kind: 'subject', type: 'user', id: 'alice', properties },
    { kind: 'resource', type: 'record', id: 'r', properties: { status } },
  ]
  return readOk(await service.post('/v1/entities', { entities }, { headers: write }))
}

function question(change: object = {}) {
  return {
    subject: { type: 'user', id: 'alice', properties: { device_id: deviceId } },
    resource: { type: 'record', id: 'r' },
    action: { name: 'open' },
    ...change,
  }
}

async function ask(change: object = {}): Promise<Json> {
  const body = question(change)
  return readOk(await service.post('/access/v1/evaluation', body, { headers: pep }))
}

describe('a policy that reads the directory', () => {
  beforeAll(async () => {
    await activate(ADMINS)
    await put({ role: 'admin' })
    await ask()
  })

  test('decides by it, in one statement with the device', async () => {
    expect((await ask()).decision).toBe(true)
    expect(service.calls).toEqual(['trustRecord'])
  })

  test('and a batch too', async () => {
    const evaluations = [{}, { resource: { type: 'record', id: 'elsewhere' } }]
    const body = { ...question(), evaluations }
    const answer = await service.post('/access/v1/evaluations', body, { headers: pep })
    const { evaluations: told } = await readOk(answer)
    expect(told.map(({ decision }: Json) => decision)).toEqual([true, false])
    expect(service.calls).toEqual(['trustRecords'])
  })

  test('asks for nothing where the caller says it all', async () => {
    const subject = { type: 'user', id: 'bob', properties: { role: 'admin', device_id: deviceId } }
    const resource = { type: 'record', id: 'x', properties: { status: 'open' } }
    expect((await ask({ subject, resource })).decision).toBe(true)
    const less = { ...subject, id: 'alice', properties: { device_id: deviceId, team: 'a' } }
    expect((await ask({ subject: less })).decision).toBe(false)
  })

  test('follows each change with the next question', async () => {
    await put({ role: 'user' })
    expect((await ask()).decision).toBe(false)
    await put({ role: 'admin' })
    expect((await ask()).decision).toBe(true)
  })

  test('that comes into force anew costs one statement more, once', async () => {
    await activate(clause('true'))
    await ask()
    await activate(ADMINS)
    service.calls.length = 0
    expect((await ask()).decision).toBe(true)
    expect(service.calls).toEqual(expect.arrayContaining(['trustRecord', 'directoryEntries']))
    service.calls.length = 0
    expect((await ask()).decision).toBe(true)
    expect(service.calls).toEqual(['trustRecord'])
  })
})

describe('properties that pretend to be a device', () => {
  test('cannot be kept', async () => {
    for (const properties of [{ device_id: deviceId }, { device_token: 'eyJ' }]) {
      const entities = [{ kind: 'subject', type: 'user', id: 'mallory', properties }]
      const answer = await service.post('/v1/entities', { entities }, { headers: write })
      expect(answer.status).toBe(400)
      expect((await answer.json()).detail).toMatch(/a question names its device itself/)
    }
    const device = [{ kind: 'subject', type: 'device', id: deviceId, properties: { a: 1 } }]
    const answer = await service.post('/v1/entities', { entities: device }, { headers: write })
    expect(answer.status).toBe(400)
  })

  test('and name none where somebody has written them past us', async () => {
    const properties = JSON.stringify({ device_id: deviceId, role: 'admin' })
    await database.query(`insert into entity (kind, type, id, properties, source, updated_at)
      values ('subject', 'user', 'mallory', '${properties}', 'attack', now())`)
    const { decision, context } = await ask({ subject: { type: 'user', id: 'mallory' } })
    expect(decision).toBe(false)
    expect(context.reasons).toMatchObject([{ code: 'device_not_named' }])
  })
})

describe('a receipt', () => {
  async function receiptOf(change: object = {}) {
    const asked = question({ context: { receipt: true }, ...change })
    const { context, decision } = await ask(asked)
    const json = await readOk(await service.request('/.well-known/jwks.json'))
    const keys = expectOk(await importReceiptKeys(json))
    const receipt = expectOk(await verifyReceipt(context.receipt, { keys }))
    return { asked, receipt, keys, decision }
  }

  /** From what is stored, as `receipt export` collects it. */
  async function inputsOf({ asked, receipt }: Awaited<ReturnType<typeof receiptOf>>) {
    return database.serve(() => collectInputs(database.store, receipt.claims, asked))
  }

  test('names what the directory said by its digest, and is recomputed from it', async () => {
    await activate(ADMINS)
    await put({ role: 'admin' })
    const given = await receiptOf()
    expect(given.receipt.claims.directory_digest).toMatch(/^[0-9a-f]{64}$/)
    expect(JSON.stringify(given.receipt.payload)).not.toContain('admin')
    const inputs = { ...expectOk(await inputsOf(given)), request: given.asked }
    expect(inputs.directory).toEqual({ subject: { role: 'admin' }, resource: { status: 'open' } })
    const decided = expectOk(await recomputeReceipt({ ...given, inputs }))
    expect(decided.decision).toBe(true)

    const forged = { ...inputs, directory: { ...inputs.directory, subject: { role: 'user' } } }
    expectRefusal(await recomputeReceipt({ ...given, inputs: forged }), 'receipt_inputs_differ')
    const { directory: _, ...without } = inputs
    expectRefusal(await recomputeReceipt({ ...given, inputs: without }), 'receipt_inputs_differ')
  })

  test('cannot be collected once the entity is another', async () => {
    await put({ role: 'admin' })
    const given = await receiptOf()
    await put({ role: 'user' })
    expectRefusal(await inputsOf(given), 'receipt_input_changed')
  })

  test('of a policy that reads no directory says nothing of it', async () => {
    await activate(clause('subject.id == "alice"'))
    const given = await receiptOf()
    expect(given.receipt.claims).not.toHaveProperty('directory_digest')
    const { record } = await database.serve(() => database.store.trustRecord(deviceId))
    const collected = expectOk(await inputsOf(given))
    expect(collected).toMatchObject({ device: record && describeDevice(record) })
    expect(collected.evidence).toEqual(record?.attestation && describeEvidence(record.attestation))
  })

  test('of a decision without a device is recomputed, too', async () => {
    await activate(clause('subject.properties.role == "admin"'), 'resource.id == "guarded"')
    await put({ role: 'admin' })
    const given = await receiptOf({ subject: { type: 'user', id: 'alice' } })
    expect(given.decision).toBe(true)
    expect(given.receipt.claims).toMatchObject({
      verdict: 'unknown',
      clauses: [{ id: 'asked', status: 'pass' }],
    })
    expect(given.receipt.claims).not.toHaveProperty('device_id')
    const inputs = { ...expectOk(await inputsOf(given)), request: given.asked }
    expectOk(await recomputeReceipt({ ...given, inputs }))
  })
})

describe('a kept question', () => {
  test('without a device is kept as one, and what it asks as it was sent', async () => {
    await activate(clause('subject.properties.role == "admin"'), 'resource.id == "guarded"')
    await put({ role: 'admin' })
    await ask({ subject: { type: 'user', id: 'alice' }, resource: { type: 'record', id: 'kept' } })
    const taken = service.services.questions.take(service.clock.now())
    const kept = taken
      .flatMap(({ questions }) => questions)
      .find(({ about }) => about.resource_id === 'kept')
    expect(kept?.deviceId).toBe('none')
    expect(kept?.request).toEqual(
      expectOk(
        parseEvaluation({
          subject: { type: 'user', id: 'alice' },
          resource: { type: 'record', id: 'kept' },
          action: { name: 'open' },
        }),
      ),
    )
  })
})
