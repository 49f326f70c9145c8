import { describe, expect, test } from 'vitest'
import { commandReleases } from '../../../src/compose/release.ts'
import { previewDocument } from '../../../src/operations/release/preview.ts'
import { countLosses, type PreviewSummary } from '../../../src/replay/preview/summary.ts'
import { type Document, lintErrors, lintedOf, policyWith } from './documents.ts'
import { type Fleet, START } from './fleet.ts'
import { askAndCount, describeScenarios, withFleet } from './scenarios.ts'

/** All devices ask to sign in to the application `payroll` from the network `corporate`. */
describeScenarios([
  {
    name: 'a clause about requests that mistypes a name',
    make: () => policyWith('context.netwrok == "corporate"'),
    warnsOf: 'askers',
  },
  {
    name: 'a clause that denies one application',
    make: () => policyWith('attestation.enclaveSvn > 1000', { when: 'resource.id == "payroll"' }),
    warnsOf: 'askers',
  },
  {
    name: 'a clause that wants what is said in other words',
    make: () => policyWith('context.network == "Corporate"'),
    warnsOf: 'askers',
  },
])

describe('a clause about requests that nobody asks is named as tested on nothing:', () => {
  const denies = 'attestation.enclaveSvn > 1000'

  test.each([
    [
      'an application of another name',
      { when: 'resource.id == "payrol"' },
      denies,
      'never_applies',
      '',
    ],
    [
      'an action of another name',
      { when: 'action.name == "sign-in"' },
      denies,
      'never_applies',
      '',
    ],
    [
      ...['a name that nobody says', {}, `!has(context.netwrok) || ${denies}`, 'never_said'],
      'context.netwrok',
    ],
    [
      ...['the same application without `when`', {}, `!(resource.id == "payrol") || ${denies}`],
      ...['never_met', 'resource.id == "payrol"'],
    ],
    [
      ...['an exception for nobody', {}, `action.name != "sign-in" || ${denies}`, 'never_met'],
      'action.name != "sign-in"',
    ],
  ] as const)('%s', async (_, changes, require, why, what) => {
    await withFleet(async (fleet) => {
      const document = policyWith(require, changes)
      expect(lintErrors(document, START)).toEqual([])
      await askAndCount(fleet)
      const summary = await preview(fleet, document)
      expect(countLosses(summary)).toBe(0)
      expect(summary.questions?.untested).toContainEqual({
        ...{ clause: 'added', why },
        what: what === '' ? [] : [what],
      })
    }, 500)
  })
})

function preview({ service }: Fleet, document: Document): Promise<PreviewSummary> {
  const { store, clock, random } = service.services
  const { previews } = commandReleases({ store, clock, random, requiresHardware: false })
  const { checked } = lintedOf(document, START)
  if (checked === undefined) throw new TypeError('what has no error compiles')
  return previewDocument(previews, { document: checked, by: 'test' })
}
