import { expect, test } from 'vitest'
import { type SteeringConfig, whoSteers } from '../../../src/operations/jobs/who-steers.ts'

const PROVIDER = 'https://contoso.eus.attest.azure.net'
const NONE = { anchors: new Map() }
const LISTED = { anchors: new Map([['fingerprint', []]]) }

/** Whether a vouched device, then one that is not, counts in holds and budgets; then outages. */
function steering(
  changes: Partial<SteeringConfig>,
  values: Parameters<typeof whoSteers>[1],
): readonly boolean[] {
  const config: SteeringConfig = {
    akTrustAnchors: undefined,
    ekTrustAnchors: undefined,
    unvouchedSteering: 'refuse',
    verifiers: ['built-in'],
    ...changes,
  }
  const { holds, budgets, outages } = whoSteers(config, values)
  const both = [{ vouched: true }, { vouched: false }]
  return [...both.map(holds), ...both.map(budgets), outages]
}

const accept = { unvouchedSteering: 'accept' } as const
const configured = { akTrustAnchors: 'PEM' }
const elsewhere = { verifiers: [PROVIDER] }

test.each([
  ['anchors that are configured', configured, NONE, [true, false, true, false, true]],
  ['anchors of TPM makers', { ekTrustAnchors: 'PEM' }, NONE, [true, false, true, false, true]],
  ['anchors in reference values', {}, LISTED, [true, false, true, false, true]],
  [
    'anchors, whatever is accepted',
    { ...accept, ...configured },
    NONE,
    [true, false, true, false, true],
  ],
  ['no anchors', {}, NONE, [true, false, true, true, false]],
  ['no anchors, and that accepted by name', accept, NONE, [true, true, true, true, true]],
  ['a provider alone', elsewhere, NONE, [true, false, true, true, true]],
  [
    'a provider beside our own',
    { verifiers: [PROVIDER, 'built-in'] },
    NONE,
    [true, false, true, true, false],
  ],
])('with %s', (_, changes, values, expected) => {
  expect(steering(changes, values)).toEqual(expected)
})
