import type { Decision } from '../../access/decide.ts'
import type { EvaluationRequest } from '../../access/evaluation-request.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { PurposeKeys } from '../../keys/sealing.ts'
import type { Store } from '../../store/store.ts'
import {
  type AnswerToBring,
  bringAnswer,
  claimsOfIdToken,
  type SignInAnswer,
} from '../../vendors/oidc/id-token.ts'
import type { AnswerSource } from '../decide/question.ts'
import { answerQuestion } from '../decide/question.ts'
import { sealCode } from './code.ts'
import {
  type FindSignInDependencies,
  type FoundSignIn,
  findSignIn,
  findWaitingSignIn,
  type SignInFailure,
} from './find-sign-in.ts'
import { openTicket, type ProvenDevice } from './ticket.ts'

export type FinishSignInDependencies = FindSignInDependencies & {
  readonly store: Pick<Store, 'findSignIn' | 'endSignIn'>
  readonly answersByPolicy: AnswerSource
  readonly ticketKeys: PurposeKeys
  /** `iss` of ID tokens. */
  readonly providerIssuer: string
  readonly signIdToken: (claims: object) => Promise<string>
  readonly codeKeys: PurposeKeys
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  readonly clock: () => Date
}

/** A browser that comes back to its sign-in. */
export type ReturningBrowser = {
  readonly signInId: string
  readonly cookie: string | undefined
  /** From the agent of the machine that the browser runs on. */
  readonly ticket: string
  readonly requestId: string
  /** An Accept-Language value. */
  readonly language: string | undefined
}

export type Finished =
  | { readonly kind: 'answer'; readonly answer: AnswerToBring; readonly isGranted: boolean }
  /** The sign-in waits still: the person can repair the device, or go back without. */
  | { readonly kind: 'denied'; readonly decision: Decision }

/**
 * Decides about a sign-in whose device is proven, by the same operation that answers every other question,
 * and makes the answer to the identity provider, once. A denial leaves the sign-in open, so that whoever
 * repairs the device can go on; `isLast` answers it all the same.
 */
export async function finishSignIn(
  dependencies: FinishSignInDependencies,
  browser: ReturningBrowser,
  { isLast }: { readonly isLast: boolean },
): Promise<Result<Finished, SignInFailure>> {
  const found = await findWaitingSignIn(dependencies, browser)
  if (!found.ok) return found
  const device = openTicket(dependencies.ticketKeys, browser.ticket, browser.signInId)
  if (device === undefined) return err({ reason: 'sign_in_ticket_refused' })
  const decision = await decide(dependencies, { found: found.value, device, browser })
  const { provider } = found.value.client
  if (!decision.decision && !isLast) return ok({ kind: 'denied', decision })
  // Entra takes any ID token for a second factor; Okta reads what it says of the device.
  if (!decision.decision && provider === 'entra') return end(dependencies, found.value, DENIED)
  const { client, stored } = found.value
  const { deviceId } = device
  const isManaged = decision.context.verdict !== 'unknown'
  const proven = { deviceId, isManaged, isGranted: decision.decision }
  const { providerIssuer: issuer, clock } = dependencies
  const claims = claimsOfIdToken({ client, request: stored.request }, proven, {
    issuer,
    now: clock(),
  })
  const idToken = await dependencies.signIdToken(claims)
  return end(dependencies, found.value, handOver(dependencies, found.value, idToken))
}

/** An ID token itself, or the code that the identity provider fetches it for. */
function handOver(
  { codeKeys, random, clock }: FinishSignInDependencies,
  { client, stored }: FoundSignIn,
  idToken: string,
): SignInAnswer {
  const { responseType, redirectUri, codeChallenge } = stored.request
  if (responseType === 'id_token') return { id_token: idToken }
  const { clientId } = client
  const granted = { clientId, redirectUri, codeChallenge, idToken }
  return { code: sealCode(granted, { keys: codeKeys, random, now: clock() }) }
}

/** Answers the identity provider that no device was proven, as the person gave up. Good for an hour after the end. */
export async function leaveSignIn(
  dependencies: Pick<FinishSignInDependencies, 'store' | 'signInClients' | 'clock'>,
  asked: { readonly signInId: string; readonly cookie: string | undefined },
): Promise<Result<Finished, SignInFailure>> {
  const found = await findSignIn(dependencies, asked)
  return found.ok ? end(dependencies, found.value, UNPROVEN) : found
}

/** RFC 6749 §4.1.2.1: in ASCII, and for the administrator of the identity provider. */
const DENIED = { error: 'access_denied', error_description: 'the device is not trusted' } as const
const UNPROVEN = { error: 'access_denied', error_description: 'no device was proven' } as const

async function end(
  { store, clock }: Pick<FinishSignInDependencies, 'store' | 'clock'>,
  { stored }: FoundSignIn,
  answer: SignInAnswer,
): Promise<Result<Finished, SignInFailure>> {
  const { signInId, expiresAt, request } = stored
  const isFirst = await store.endSignIn({ signInId, expiresAt, at: clock() })
  if (!isFirst) return err({ reason: 'sign_in_ended' })
  return ok({
    kind: 'answer',
    answer: bringAnswer(request, answer),
    isGranted: !('error' in answer),
  })
}

async function decide(
  { answersByPolicy }: FinishSignInDependencies,
  input: {
    readonly found: FoundSignIn
    readonly device: ProvenDevice
    readonly browser: ReturningBrowser
  },
): Promise<Decision> {
  const { found, device, browser } = input
  const { clientId } = found.client
  const { requestId, language } = browser
  const asked = { clientId, requestId, language }
  const question = questionOf(found, device)
  const answered = await answerQuestion(answersByPolicy, question, asked)
  if (!answered.ok) throw new TypeError(`a sign-in asks for no ${answered.failure.reason}`)
  if ('break_glass' in answered.value.context) throw new TypeError('no token opened this')
  return { ...answered.value, context: answered.value.context }
}

/**
 * The question of a sign-in. Of the person nothing is said but the name, so that the directory may say what it
 * knows; where the identity provider names nobody, the device asks for itself. The identity provider is the
 * resource.
 */
function questionOf(
  { client, stored }: FoundSignIn,
  { deviceId, deviceToken }: ProvenDevice,
): EvaluationRequest {
  const { person } = stored.request
  const { clientId, provider } = client
  return {
    subject: {
      ...(person === null ? { type: 'device', id: deviceId } : { type: 'user', id: person.id }),
      properties: { device_token: deviceToken },
    },
    action: { name: 'sign_in', properties: {} },
    resource: { type: 'identity_provider', id: clientId, properties: {} },
    context: {
      provider,
      ...(person !== null && { tenant_id: person.tenantId }),
      ...(person?.username != null && { username: person.username }),
    },
  }
}
