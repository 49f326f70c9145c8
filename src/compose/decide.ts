import type { AccessServices } from '../http/access/evaluations.ts'
import { createBreakGlassAnswers } from '../operations/decide/answer-by-break-glass.ts'
import { createPolicyAnswers } from '../operations/decide/answer-by-policy.ts'
import { reportShadowDecisions } from '../operations/jobs/report-shadow.ts'
import type { Services } from './services.ts'

/** What the routes of relying parties work with: both sources of answers. */
export function accessServices(services: Services): AccessServices {
  return {
    ...services,
    publicUrl: services.config.publicUrl,
    answersByPolicy: createPolicyAnswers({
      ...services,
      store: services.store.forUse('decisions'),
      reportShadowDecisions: () => reportShadowDecisions(services),
    }),
    // It has to answer without a store, where a name is one by the keys that are at hand.
    openBreakGlass: createBreakGlassAnswers({
      ...services,
      verifyDeviceToken: services.verifyDeviceTokenOffline,
    }),
  }
}
