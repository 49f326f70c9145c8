import { expect, test } from 'vitest'
import { z } from 'zod'
import { describeIssue } from '../../src/base/fields.ts'
import { describeLosses, percentage, plural } from '../../src/base/words.ts'

test('what is counted stands in the singular where it is one', () => {
  expect([0, 1, 2, 1204].map((many) => plural(many, 'device'))).toEqual([
    '0 devices',
    '1 device',
    '2 devices',
    '1,204 devices',
  ])
  expect(plural(2, 'entry', 'entries')).toBe('2 entries')
  expect(describeLosses(1)).toBe('1 device would be denied that is allowed now')
  expect(describeLosses(18)).toBe('18 devices would be denied that are allowed now')
})

test('a share is told as it was set', () => {
  expect([0, 0.01, 0.0025, 0.07, 1].map(percentage)).toEqual([
    '0 %',
    '1 %',
    '0.25 %',
    '7 %',
    '100 %',
  ])
})

test('what is wrong with a form is said in words', () => {
  const form = z.strictObject({ name: z.string(), many: z.int().min(1) })
  const issuesOf = (json: unknown) =>
    form.safeParse(json).error?.issues.map((issue) => describeIssue(issue))
  expect(issuesOf({ many: 1 })).toEqual(['is missing'])
  expect(issuesOf({ name: 'a', many: 1, reason: 'x' })).toEqual([
    'there is no member "reason" here: leave it out',
  ])
  expect(issuesOf({ name: 'a', many: 1, one: 1, two: 2 })).toEqual([
    'there are no members "one", "two" here: leave them out',
  ])
  expect(issuesOf({ name: 7, many: 1 })).toEqual([
    'Invalid input: expected string, received number',
  ])
})
