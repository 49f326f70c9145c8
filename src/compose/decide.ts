import type { AccessServices } from '../http/access/evaluations.ts'
import { createBreakGlassAnswers } from '../operations/decide/answer-by-break-glass.ts'
import { createPolicyAnswers } from '../operations/decide/answer-by-policy.ts'
import { search } from '../operations/decide/search.ts'
import { reportShadowDecisions } from '../operations/jobs/report-shadow.ts'
import type { Services } from './services.ts'
import { traceAnswers } from './tracing.ts'

/** What the routes of relying parties work with: both sources of answers. */
export function accessServices(services: Services): AccessServices {
  const { sealing, verifyDeviceToken, rules, clock } = services
  const store = services.store.forUse('decisions')
  const searching = { store, rules, clock, verifyDeviceToken, searchPageKeys: sealing.searchPage }
  return {
    ...services,
    search: (request, asked) => search(searching, request, asked),
    publicUrl: services.config.publicUrl,
    answersByPolicy: traceAnswers(
      createPolicyAnswers({
        ...services,
        store,
        reportShadowDecisions: () => reportShadowDecisions(services),
      }),
      services.tracing,
    ),
    // It has to answer without a store, where a name is one by the keys that are at hand.
    openBreakGlass: createBreakGlassAnswers({
      ...services,
      verifyDeviceToken: services.verifyDeviceTokenOffline,
    }),
  }
}
