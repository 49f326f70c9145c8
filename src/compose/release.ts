import { requiresHardware } from '../config/trust-anchors.ts'
import type { AdminServices } from '../http/admin/services.ts'
import type { CheckedDocument } from '../operations/release/check-document.ts'
import {
  countEvaluations,
  onePreviewAtATime,
  type PreviewDependencies,
  previewDocument,
  REPLAYED_IN_REQUEST,
} from '../operations/release/preview.ts'
import { createRulesReader, type RulesReader } from '../operations/release/rules-in-force.ts'
import type { SteerDependencies } from '../operations/release/steer.ts'
import type { Store } from '../store/store.ts'
import { alarmServices } from './alerts.ts'
import type { Services } from './services.ts'

/** What releases and rollouts work with, whoever asks for them, and previews for themselves. */
export type ReleaseServices = {
  readonly previews: PreviewDependencies
  readonly releases: SteerDependencies
}

/** What the routes of administrators work with. */
export function adminServices(services: Services): AdminServices {
  const { config, store, clock } = services
  return {
    ...services,
    ...alarmServices(services),
    ...prepareReleases({
      ...services,
      requiresHardware: requiresHardware(config),
      replaysAtMost: REPLAYED_IN_REQUEST,
    }),
    second: { store, clock, isDemanded: config.secondAdministrator === 'required' },
    previewMaxAgeMs: config.previewMaxAgeSeconds * 1000,
    deviceKey: config.deviceKey,
  }
}

/** The same for a command: it shows how far it is, so that a fleet of any size can be replayed. */
export function commandReleases(input: {
  readonly store: Store
  readonly requiresHardware: boolean
  readonly clock: () => Date
  readonly random: (length: number) => Uint8Array
}): ReleaseServices {
  const { store, ...options } = input
  const rules = createRulesReader(store, options)
  return prepareReleases({ ...input, rules, replaysAtMost: Number.POSITIVE_INFINITY })
}

function prepareReleases(input: {
  readonly store: Store
  readonly requiresHardware: boolean
  readonly rules: RulesReader
  readonly clock: () => Date
  readonly random: (length: number) => Uint8Array
  readonly replaysAtMost: number
}): ReleaseServices {
  const { store, rules, clock, random, replaysAtMost } = input
  // They go through the whole fleet: no list keeps them waiting, and they keep no administrator.
  const previews = {
    store: store.forUse('jobs'),
    ...{ rules, clock, requiresHardware: input.requiresHardware },
  }
  const preview = onePreviewAtATime(store, (asked) => previewDocument(previews, asked))
  const count = (document: CheckedDocument) => countEvaluations(previews, document)
  const asked = { replaysAtMost, countEvaluations: count, preview }
  return { previews, releases: { store, rules, clock, random, ...asked } }
}
