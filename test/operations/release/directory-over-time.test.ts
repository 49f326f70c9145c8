import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { commandReleases } from '../../../src/compose/release.ts'
import { recordQuestions } from '../../../src/operations/jobs/record-questions.ts'
import { previewDocument } from '../../../src/operations/release/preview.ts'
import { readOk } from '../../support/service.ts'
import { type Document, lintedOf, policyWith } from './documents.ts'
import { openSmallFleet, type SmallFleet } from './small-fleet.ts'

/**
 * What the entity directory says in previews and rollouts. The witness of a preview's figures is what the
 * service then answers to the same question; of a rollout, what it notes of the losses.
 */
let fleet: SmallFleet
let device: string
beforeAll(async () => {
  fleet = await openSmallFleet()
  ;[device = ''] = await fleet.makeDevices(1)
  const entity = { kind: 'subject', type: 'user', source: 'test' } as const
  const changes = [
    { ...entity, id: 'ada', properties: { role: 'admin' } },
    { ...entity, id: 'eve', properties: { role: 'user' } },
  ]
  await fleet.store.changeEntities({ changes, by: 'test', now: fleet.service.clock.now() })
})
beforeEach(() => {
  // What was asked before is of no test but its own.
  for (const portion of fleet.service.services.questions.take(fleet.service.clock.now())) {
    fleet.service.services.questions.confirm(portion)
  }
})
afterAll(() => fleet?.close())

const ADMINS = policyWith('subject.properties.role == "admin"', { when: 'subject.type == "user"' })

async function ask(subject: string, properties: object = { device_id: device }) {
  const headers = await fleet.service.as('access.evaluate')
  const body = {
    subject: { type: 'user', id: subject, properties },
    action: { name: 'signin' },
    resource: { type: 'application', id: 'payroll' },
  }
  const answer = await fleet.service.post('/access/v1/evaluation', body, { headers })
  return (await readOk(answer)).decision
}

async function preview(document: Document) {
  await recordQuestions(fleet.service.services)
  const { store, clock, random } = fleet.service.services
  const { checked } = lintedOf(document, clock())
  if (checked === undefined) throw new TypeError('the document compiles')
  const { previews } = commandReleases({ store, clock, random, requiresHardware: false })
  return (await previewDocument(previews, { document: checked, by: 'test' })).questions
}

test('a preview answers kept questions by what the directory says now', async () => {
  for (const subject of ['ada', 'eve', 'eve']) expect(await ask(subject)).toBe(true)
  // Properties that are not kept, as they may be secrets: the directory had no say, and has none now.
  expect(await ask('ada', { device_id: device, password: 'x' })).toBe(true)
  expect(await preview(ADMINS)).toMatchObject({
    asked: 4,
    newly_denied: { questions: 2, devices: 1 },
    without_device: { questions: 0 },
  })
})

test('a rollout that is tried notes what the directory would have it deny', async () => {
  const { rolloutId, revision } = await fleet.start(ADMINS, { pass: 'audit' })
  expect(await ask('ada')).toBe(true)
  expect(await ask('eve')).toBe(true)
  const { services } = fleet.service
  fleet.service.clock.advance(60)
  await services.shadow.report(fleet.service.clock.now())
  const [seen] = await fleet.store.rolloutObservations(rolloutId, revision)
  expect(seen).toMatchObject({ newlyDenied: 1, causes: { added: 1 } })
})
