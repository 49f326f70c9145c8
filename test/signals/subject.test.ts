import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SUBJECT_FORMS, subjectOf } from '../../src/signals/subject.ts'
import type { Json } from '../support/json.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

const ISSUER = 'https://pdp.example.com'
const DEVICE = { deviceId: 'dev_01J', owner: 'jane@example.com' }

/** Witness: what Okta's own interface description asks for, as it was recorded. */
describeVectors("Okta's form", () => {
  test('is the subject of its SET, once more inside the event', () => {
    const { payload }: Json = vectorJson('idp/okta/set-device-compliance-change.json')
    const [event]: Json[] = Object.values(payload.events)
    const { subId, inside } = subjectOf(DEVICE, { form: 'okta', issuer: ISSUER })
    expect(subId).toEqual(payload.sub_id)
    expect(inside).toEqual(event.subject)
  })
})

describe('forms', () => {
  test('of the interoperability profile are simple: `email` and `iss_sub` (CAEP interop §2.5)', () => {
    for (const form of ['device', 'user'] as const) {
      fc.assert(
        fc.property(fc.option(fc.string()), (owner) => {
          const { subId } = subjectOf({ ...DEVICE, owner }, { form, issuer: ISSUER })
          expect(['email', 'iss_sub']).toContain(subId.format)
        }),
      )
    }
  })

  test('name the device in every event, and by the address of its owner alone in none', () => {
    for (const form of SUBJECT_FORMS) {
      for (const owner of [DEVICE.owner, 'Jane Doe', null]) {
        const told = subjectOf({ ...DEVICE, owner }, { form, issuer: ISSUER })
        expect(JSON.stringify(told)).toContain(DEVICE.deviceId)
      }
    }
  })

  test('take for an address what is one', () => {
    const formats = ['jane@example.com', 'jane', 'Jane <jane@example.com>', 'a@b@c', ''].map(
      (owner) => subjectOf({ ...DEVICE, owner }, { form: 'user', issuer: ISSUER }).subId.format,
    )
    expect(formats).toEqual(['email', 'iss_sub', 'iss_sub', 'iss_sub', 'iss_sub'])
  })
})
