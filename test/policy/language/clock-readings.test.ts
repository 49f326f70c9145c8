import { expect, test } from 'vitest'
import { compileExpression } from '../../../src/policy/language/expression.ts'
import { expectOk } from '../../support/refusal.ts'

const T = 'timestamp("2026-12-01T00:00:00Z")'
const D = 'duration("72h")'

const namesAllDates = (source: string) => expectOk(compileExpression(source)).namesAllDates

/** Nobody else asks this of CEL: what each comes to over time is held in policies-over-time.test.ts. */
test.each([
  'attestation.enclaveSvn >= 1',
  `now < ${T}`,
  `${T} <= now || attestation.vbsEnabled`,
  `now - ${T} > ${D}`,
  `now + ${D} < ${T}`,
  `attestation.attested_at < ${T}`,
  'now - attestation.attested_at < duration("4h")',
  'now.getHours() >= 8 && now.getHours("Europe/Berlin") < 18',
  'now.getDayOfWeek() != 0',
])('changes at moments that it names, or within a week: %s', (source) => {
  expect(namesAllDates(source)).toBe(true)
})

test.each([
  'now.getMonth() != 0',
  'now.getFullYear() < 2027',
  'now.getDayOfMonth() != 1',
  'int(now) < 1798761600',
  'string(now) < "2027"',
  'now - device.created_at < duration("720h")',
  `now - ${D} - ${D} < ${T}`,
  `(attestation.vbsEnabled ? now : ${T}) < ${T}`,
  `now in [${T}]`,
  '[now].exists(t, t > timestamp("2026-12-01T00:00:00Z"))',
  'int(attestation["attested_at"]) < 1798761600',
  `now - ${D} < ${T} || now - duration("1h") < ${T} || now - duration("2h") < ${T} || now - duration("3h") < ${T} || now - duration("4h") < ${T}`,
])('may change at any moment: %s', (source) => {
  expect(namesAllDates(source)).toBe(false)
})
