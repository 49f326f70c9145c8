import { afterAll, expect, test } from 'vitest'
import { parseReferenceValues } from '../../../src/appraisal/reference-values.ts'
import { explainQuestion } from '../../../src/operations/decide/explain-question.ts'
import { completeQuestion } from '../../../src/operations/decide/hypothesis.ts'
import type { Json } from '../../../src/store/json.ts'
import { agent, TEXTS } from '../../policy/healthy-device.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { expectOk } from '../../support/refusal.ts'
import { bodyOf } from '../release/documents.ts'
import { openSmallFleet } from '../release/small-fleet.ts'

/*
 * An explanation under documents that are not in force, held against the decision once they are. Both sides are ours.
 */
const fleet = await openSmallFleet()
const { store, service } = fleet
afterAll(() => fleet.close())

const activate = ({ body, ...document }: ReturnType<typeof bodyOf>) => {
  const names = { author: 'test', reason: 'test', now: service.clock.now() }
  return putInForce(store, { ...document, body: body as Json, ...names })
}

test('time for repair begins when other reference values come, as in the decision then', async () => {
  const require = 'attestation.enclave.svn_current'
  const clause = { id: 'added', require, severity: 'enforce', grace_seconds: 600, texts: TEXTS }
  await activate(bodyOf('policy', { name: 'one clause', clauses: [clause] }))
  const [deviceId = ''] = await fleet.makeDevices(1)
  service.clock.advance(700)
  const values = bodyOf('reference-values', { enclaves: [agent({ minimum_svn: 99 })] })
  const request = expectOk(completeQuestion({}, deviceId))
  const documents = { referenceValues: expectOk(parseReferenceValues(values.body)) }
  const asked = { about: { deviceId }, request, documents }
  const explained = expectOk(await explainQuestion(service.services, asked))
  const until = new Date(service.clock.now().getTime() + 600_000).toISOString()
  const relief = [{ kind: 'grace', reason: 'added', until }]
  expect(explained.decision).toMatchObject({ decision: true, context: { relief } })
  await activate(values)
  expect(await fleet.ask(deviceId)).toMatchObject({ decision: true, context: { relief } })
})
