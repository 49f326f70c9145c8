import { afterEach, describe, expect, test } from 'vitest'
import { compileExpression } from '../../../src/policy/language/expression.ts'
import { bindVariables } from '../../../src/policy/language/input.ts'
import { expectOk } from '../../support/refusal.ts'

/** JavaScript's local dates, which nothing in a decision may go by, as the last row shows. */
const zone = process.env.TZ

afterEach(() => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
})

describe('the hour of a policy does not depend on the zone of this process', () => {
  test.each([
    ['UTC', 2],
    ['Europe/Berlin', 4],
    ['America/New_York', 22],
    ['Pacific/Apia', 15],
  ])('%s', (name, local) => {
    process.env.TZ = name
    const now = new Date('2026-03-29T02:30:00Z')
    const source = 'now.getHours() == 2 && now.getHours("Europe/Berlin") == 4'
    expect(expectOk(compileExpression(source)).evaluate(bindVariables({ now }))).toBe(true)
    expect(now.getHours()).toBe(local)
  })
})
