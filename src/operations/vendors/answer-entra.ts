import { ok, type Result } from '../../base/result.ts'
import type { JwksFetchFailure } from '../../keysets/key-sets.ts'
import {
  checkEntraCaller,
  type EntraCaller,
  type EntraCallerFailure,
  entraAudiences,
  entraIssuers,
  entraKeysUrl,
} from '../../vendors/entra/caller.ts'
import { describeClaims, readTokenIssuance } from '../../vendors/entra/token-issuance.ts'
import { tellDecision } from '../../vendors/told-decision.ts'
import type { VendorRequestFailure } from '../../vendors/vendor-request.ts'
import type { VendorTokenFailure } from '../../vendors/vendor-token.ts'
import { answerForUser, type FoundDevicesDependencies } from '../decide/answer-for-user.ts'
import { type VendorTokenDependencies, verifyToken } from './verify-token.ts'

export type EntraDependencies = VendorTokenDependencies &
  FoundDevicesDependencies & {
    readonly entra: EntraCaller
    /** Our URL: its host is in identifiers that Entra knows us by. */
    readonly publicUrl: string
  }

export type EntraRefusal = VendorTokenFailure | EntraCallerFailure | JwksFetchFailure

/** Whether Entra calls, for the tenant that may. */
export async function verifyEntraCaller(
  dependencies: EntraDependencies,
  token: string | undefined,
): Promise<Result<void, EntraRefusal>> {
  const { entra, publicUrl } = dependencies
  const verified = await verifyToken(dependencies, token, {
    keysUrl: entraKeysUrl(entra),
    issuers: entraIssuers(entra),
    audiences: entraAudiences(entra, publicUrl),
    requiredClaims: ['iat'],
  })
  return verified.ok ? checkEntraCaller(verified.value, entra) : verified
}

/** Claims for a token that Entra is about to issue: whether a device of the user may. */
export async function answerTokenIssuance(
  dependencies: EntraDependencies,
  body: unknown,
  { requestId }: { readonly requestId: string },
): Promise<Result<ReturnType<typeof describeClaims>, VendorRequestFailure>> {
  const question = readTokenIssuance(body, dependencies.entra)
  if (!question.ok) return question
  const asked = { clientId: 'vendor:entra', requestId, language: undefined }
  const decision = await answerForUser(dependencies, question.value, asked)
  return ok(describeClaims(tellDecision(decision)))
}
