import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SUBJECT_FORMS, subjectOf } from '../../src/signals/subject.ts'
import { readSubjectChange } from '../../src/signals/subject-request.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const issuer = 'https://countersign.example'
const deviceId = 'dev_dtzmknx3eusisouks4gjdgjy3kgpd23tqaxdbo7ktdyui7oymmkq'
const read = (subject: unknown) => readSubjectChange({ stream_id: 'str_a', subject }, issuer)
const email = { format: 'email', email: 'a@example.com' }
const device = { format: 'iss_sub', iss: issuer, sub: deviceId }

describe('a subject', () => {
  test.each([
    [email, { deviceId: null, owner: 'a@example.com' }],
    [device, { deviceId, owner: null }],
    [
      { format: 'opaque', id: deviceId },
      { deviceId, owner: null },
    ],
    [
      { format: 'complex', user: email, device },
      { deviceId, owner: 'a@example.com' },
    ],
    [
      { format: 'complex', device },
      { deviceId, owner: null },
    ],
    // SSF 1.0 §3.3: what our events leave undefined matches anything.
    [
      { format: 'complex', user: email, tenant: { format: 'opaque', id: 't' } },
      { deviceId: null, owner: 'a@example.com' },
    ],
  ])('%j is understood', (subject, named) => {
    expect(expectOk(read(subject))).toEqual({ streamId: 'str_a', subject: named })
  })

  test('is understood in every form in which events name one', () => {
    for (const form of SUBJECT_FORMS) {
      const { subId } = subjectOf({ deviceId, owner: 'a@example.com' }, { form, issuer })
      expect(read(subId).ok).toBe(true)
    }
  })

  test.each([
    { format: 'iss_sub', iss: 'https://other.example', sub: deviceId },
    { format: 'iss_sub', iss: issuer, sub: 'alice' },
    { format: 'opaque', id: 'dev_UPPER' },
    { format: 'phone_number', phone_number: '+1' },
    { format: 'complex' },
    { format: 'complex', tenant: { format: 'opaque', id: 't' } },
    // Half understood is not understood: it would leave out everybody.
    { format: 'complex', user: { format: 'iss_sub', iss: issuer, sub: 'alice' } },
    { format: 'complex', user: { format: 'iss_sub', iss: issuer, sub: 'alice' }, device },
    { format: 'email' },
  ])('%j is nobody of ours', (subject) => {
    expectRefusal(read(subject), 'subject_unknown')
  })

  test.each([undefined, null, 'a', [], { format: 7 }, {}])('%j is none', (subject) => {
    expectRefusal(read(subject), 'subject_malformed')
  })

  test('of any shape is read or refused, and never names everybody', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (subject) => {
        const answer = read(subject)
        if (answer.ok) {
          const { deviceId: id, owner } = answer.value.subject
          expect(id === null && owner === null).toBe(false)
        }
      }),
    )
  })
})
