import { ok, type Result } from '../../base/result.ts'
import {
  describeTokenHook,
  type OktaHook,
  type OktaHookFailure,
  readTokenHook,
} from '../../vendors/okta/token-hook.ts'
import { tellDecision } from '../../vendors/told-decision.ts'
import { answerForUser, type FoundDevicesDependencies } from '../decide/answer-for-user.ts'

export type OktaDependencies = FoundDevicesDependencies & { readonly okta: OktaHook }

/** Answers a token inline hook of Okta: whether a device of the user may, as claims or as an error. */
export async function answerTokenHook(
  dependencies: OktaDependencies,
  body: unknown,
  asked: { readonly clientId: string; readonly requestId: string },
): Promise<Result<ReturnType<typeof describeTokenHook>, OktaHookFailure>> {
  const { okta } = dependencies
  const question = readTokenHook(body, okta)
  if (!question.ok) return question
  const { tokens, ...about } = question.value
  const decision = await answerForUser(dependencies, about, { ...asked, language: undefined })
  return ok(describeTokenHook(tellDecision(decision), { tokens, denial: okta.denial }))
}
