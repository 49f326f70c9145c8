import type { SignInServices } from '../http/sign-in/routes.ts'
import { createPolicyAnswers } from '../operations/decide/answer-by-policy.ts'
import { reportShadowDecisions } from '../operations/jobs/report-shadow.ts'
import { providerIssuer } from '../vendors/oidc/discovery.ts'
import type { Services } from './services.ts'

/** What the routes of sign-ins work with: a decision is made as for every other question. */
export function signInServices(services: Services): SignInServices {
  const { config, callerKeySets, sealing } = services
  const store = services.store.forUse('decisions')
  return {
    ...services,
    store,
    signInClients: config.signIn.clients,
    agentPort: config.signIn.agentPort,
    keySets: callerKeySets,
    ticketKeys: sealing.signInTicket,
    codeKeys: sealing.signInCode,
    // Assertions of clients at this provider's endpoint are for this provider.
    issuer: providerIssuer(config.publicUrl),
    noteUse: services.clientUses.note,
    publicUrl: config.publicUrl,
    providerIssuer: providerIssuer(config.publicUrl),
    clockSkewSeconds: config.clockSkewSeconds,
    answersByPolicy: createPolicyAnswers({
      ...services,
      store,
      reportShadowDecisions: () => reportShadowDecisions(services),
    }),
  }
}
