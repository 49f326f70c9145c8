import { err, ok, type Result } from '../../base/result.ts'
import type { JwksFetchFailure } from '../../keysets/key-sets.ts'
import type { Store } from '../../store/store.ts'
import {
  type CloudflareEvaluationFailure,
  describeEvaluation,
  readEvaluation,
  readEvaluationBody,
} from '../../vendors/cloudflare/evaluation.ts'
import {
  type CloudflareAssertionFailure,
  checkServiceToken,
  describePosture,
  readPostureRequest,
} from '../../vendors/cloudflare/posture.ts'
import { type CloudflareTeam, teamKeysUrl, teamUrl } from '../../vendors/cloudflare/team.ts'
import type { VendorRequestFailure } from '../../vendors/vendor-request.ts'
import type { VendorTokenFailure } from '../../vendors/vendor-token.ts'
import { answerForSerials } from '../decide/answer-for-serials.ts'
import { answerForUser, type FoundDevicesDependencies } from '../decide/answer-for-user.ts'
import { spendOnce } from '../oauth/spend-once.ts'
import { type VendorTokenDependencies, verifyToken } from './verify-token.ts'

export type CloudflareDependencies = VendorTokenDependencies &
  FoundDevicesDependencies & {
    readonly store: Pick<Store, 'spendProof'>
    readonly cloudflare: CloudflareTeam & {
      /** Audience tag of the Access application before this service; absent where devices are not asked for. */
      readonly postureAudience: string | undefined
    }
    /** Signs an answer as a JWT (RS256). */
    readonly signEvaluation: (claims: object) => Promise<string>
  }

export type CloudflareRefusal =
  | VendorTokenFailure
  | CloudflareEvaluationFailure
  | CloudflareAssertionFailure
  | VendorRequestFailure
  | JwksFetchFailure

const CLIENT = 'vendor:cloudflare'

/**
 * Answers an external evaluation of Access: whether the user has a device that may. Each nonce is answered
 * once, so that a token that somebody else got hold of asks nothing more.
 */
export async function answerExternalEvaluation(
  dependencies: CloudflareDependencies,
  body: unknown,
  { requestId }: { readonly requestId: string },
): Promise<Result<{ readonly token: string }, CloudflareRefusal>> {
  const { store, cloudflare, clock, clockSkewSeconds, signEvaluation } = dependencies
  const verified = await verifyToken(dependencies, readEvaluationBody(body), {
    keysUrl: teamKeysUrl(cloudflare),
    // It names neither: that the team's keys signed it, with these claims, makes it what it is.
    ...{ issuers: undefined, audiences: undefined, requiredClaims: ['iat'] },
  })
  if (!verified.ok) return verified
  const evaluation = readEvaluation(verified.value, cloudflare)
  if (!evaluation.ok) return evaluation
  const { nonce, expiresAt } = evaluation.value
  const names = ['cloudflare evaluation', cloudflare.team, nonce]
  const until = new Date(expiresAt.getTime() + clockSkewSeconds * 1000)
  const isFirst = await spendOnce({ store }, { names, expiresAt: until })
  if (!isFirst) return err({ reason: 'cloudflare_nonce_replayed' })
  const asked = { clientId: CLIENT, requestId, language: undefined }
  const { decision } = await answerForUser(dependencies, evaluation.value, asked)
  const claims = describeEvaluation(evaluation.value, { success: decision, now: clock() })
  return ok({ token: await signEvaluation(claims) })
}

/** Whether Access let Cloudflare's own client through to the application that stands before this service. */
export async function verifyPostureCaller(
  dependencies: CloudflareDependencies,
  { assertion, audience }: { readonly assertion: string | undefined; readonly audience: string },
): Promise<Result<void, CloudflareRefusal>> {
  const { cloudflare } = dependencies
  const verified = await verifyToken(dependencies, assertion, {
    keysUrl: teamKeysUrl(cloudflare),
    ...{ issuers: [teamUrl(cloudflare)], audiences: [audience], requiredClaims: ['iat'] },
  })
  return verified.ok ? checkServiceToken(verified.value) : verified
}

/** Scores devices, up to a thousand at once. */
export async function answerPosture(
  dependencies: CloudflareDependencies,
  body: unknown,
  { requestId }: { readonly requestId: string },
): Promise<Result<ReturnType<typeof describePosture>, VendorRequestFailure>> {
  const devices = readPostureRequest(body, dependencies.cloudflare)
  if (!devices.ok) return devices
  const asked = { clientId: CLIENT, requestId, language: undefined }
  const decisions = await answerForSerials(dependencies, devices.value, asked)
  return ok(describePosture(devices.value, decisions))
}
