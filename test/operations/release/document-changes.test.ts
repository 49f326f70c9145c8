import { expect, test } from 'vitest'
import { describeChange, findChanges } from '../../../src/operations/release/document-changes.ts'
import { makeAnchor } from '../../support/trust-anchors.ts'

const [one, two] = [await makeAnchor('One'), await makeAnchor('Two')]
const changesOf = (before: readonly object[], after: readonly object[]) =>
  findChanges('reference-values', document(before), document(after)).map(describeChange)

function document(trust_anchors: readonly object[]) {
  return { enclaves: [], trust_anchors }
}

test('trust anchors are told by their names, and never by a whole certificate', () => {
  expect(changesOf([], [one.entry()])).toEqual(['+ anchor One'])
  expect(changesOf([one.entry(), two.entry()], [two.entry()])).toEqual(['- anchor One'])
  const until = { valid_until: '2026-09-01T00:00:00Z' }
  expect(changesOf([one.entry()], [one.entry(until)])).toEqual(['~ anchor One: valid_until'])
  const replaced = two.entry({ name: 'One' })
  expect(changesOf([one.entry()], [replaced])).toEqual(['~ anchor One: certificate'])
})
