import { err, ok, type Result } from '../../base/result.ts'
import { isJsonObject, parseJsonObject } from '../../evidence/jws/compact-jws.ts'
import type { Form } from '../../oauth/token-form.ts'
import { MAX_CLAIMS_CHARS, MAX_NAME_CHARS, MAX_STATE_CHARS } from './limits.ts'
import type { SignInClient } from './sign-in-clients.ts'

/** Why nobody can be answered: what a request says of where to answer is not to be believed. */
export const SIGN_IN_PLACE_REASONS = [
  'sign_in_client_unknown',
  'sign_in_redirect_uri_refused',
] as const

/** Why an identity provider gets an error in the place of an ID token, before anybody is asked for a device. */
export const SIGN_IN_REQUEST_REASONS = [
  'sign_in_parameter_too_long',
  'sign_in_response_type_refused',
  'sign_in_response_mode_refused',
  'sign_in_scope_refused',
  'sign_in_nonce_missing',
  'sign_in_prompt_none',
  'sign_in_request_object_refused',
  'sign_in_request_uri_refused',
  'sign_in_claims_malformed',
  'sign_in_acr_refused',
  'sign_in_amr_refused',
  'sign_in_code_challenge_refused',
] as const

export type SignInPlaceFailure = { readonly reason: (typeof SIGN_IN_PLACE_REASONS)[number] }

export type SignInRequestFailure = {
  readonly reason: (typeof SIGN_IN_REQUEST_REASONS)[number]
  /** The parameter at fault. */
  readonly member?: string
}

/** Whom a request comes from and where it is answered: both registered. */
export type SignInPlace = {
  readonly client: SignInClient
  readonly redirectUri: string
  /** How the answer goes there: by a posted form, or in the query. */
  readonly responseMode: ResponseMode
  /** Goes back as it came; `null` where there was none. */
  readonly state: string | null
}

export type ResponseMode = 'form_post' | 'query'

/** What has to be known of a request when it is answered, minutes later. JSON. */
export type SignInRequest = {
  readonly redirectUri: string
  readonly responseMode: ResponseMode
  /** An ID token through the browser, or a code that one is fetched for. */
  readonly responseType: 'id_token' | 'code'
  readonly state: string | null
  /** `null` where none was sent with a request for a code. */
  readonly nonce: string | null
  /** RFC 7636, with S256; `null` where there was none. */
  readonly codeChallenge: string | null
  /** Of those that were asked for, the one that is true of a proven device; `null` where none was. */
  readonly acr: string | null
  /** `null` where the identity provider does not say who signs in. */
  readonly person: Person | null
}

/** Who signs in, as the identity provider says by its signature. */
export type Person = {
  /** `sub` of the hint, which the answer repeats. */
  readonly subject: string
  /** The user, and the tenant that the user is from, as they are called there for good: `oid` and `tid`. */
  readonly id: string
  readonly tenantId: string
  /** For people; may change, and proves nothing. */
  readonly username: string | null
}

/**
 * Authentication contexts that a device's proof comes to, by Entra's names for the kinds of factors: to hold
 * the device is possession. The first that was asked for is answered.
 */
const CONTEXTS: readonly string[] = [
  'possessionorinherence',
  'possession',
  'knowledgeorpossession',
  'knowledgeorpossessionorinherence',
]

/** RFC 8176: proof of possession of a key. That the key lies in hardware is not known of every device. */
export const METHOD = 'pop'

/** Finds who asks and where the answer goes: until both are known, no error may be sent anywhere. */
export function readSignInPlace(
  form: Form,
  clients: readonly SignInClient[],
): Result<SignInPlace, SignInPlaceFailure> {
  const client = clients.find(({ clientId }) => clientId === form.get('client_id'))
  if (client === undefined) return err({ reason: 'sign_in_client_unknown' })
  const redirectUri = client.redirectUris.find((uri) => uri === form.get('redirect_uri'))
  if (redirectUri === undefined) return err({ reason: 'sign_in_redirect_uri_refused' })
  const state = form.get('state') ?? null
  const isKept = state !== null && state.length <= MAX_STATE_CHARS
  return ok({
    client,
    redirectUri,
    responseMode: modeOf(form, client),
    state: isKept ? state : null,
  })
}

/** A code may stand in a URL, and does so unless another mode is asked for; an ID token must not. */
function modeOf(form: Form, { provider }: SignInClient): ResponseMode {
  const isCode = provider === 'okta' && form.get('response_type') === 'code'
  const mode = form.get('response_mode') ?? 'query'
  return isCode && mode === 'query' ? 'query' : 'form_post'
}

/**
 * Reads a request whose place is known: for an ID token (OpenID Connect Core 1.0 §3.2.2.1, with `form_post`), or
 * of Okta for a code (§3.1.2.1). The hint is not looked at.
 */
export function readSignInRequest(
  form: Form,
  place: SignInPlace,
): Result<Omit<SignInRequest, 'person'>, SignInRequestFailure> {
  const tooLong = [...LONGEST].find(([name, most]) => (form.get(name) ?? '').length > most)
  if (tooLong !== undefined) {
    return err({ reason: 'sign_in_parameter_too_long', member: tooLong[0] })
  }
  if (form.has('request')) return err({ reason: 'sign_in_request_object_refused' })
  if (form.has('request_uri')) return err({ reason: 'sign_in_request_uri_refused' })
  const responseType = readResponseType(form, place)
  if (!responseType.ok) return responseType
  if (!wordsOf(form.get('scope')).includes('openid'))
    return err({ reason: 'sign_in_scope_refused' })
  // A device is proven by a program that the page has to ask.
  if (wordsOf(form.get('prompt')).includes('none')) return err({ reason: 'sign_in_prompt_none' })
  const nonce = form.get('nonce') ?? null
  if (nonce === null && responseType.value === 'id_token') {
    return err({ reason: 'sign_in_nonce_missing' })
  }
  const codeChallenge = readCodeChallenge(form)
  if (!codeChallenge.ok) return codeChallenge
  const acr = readContext(form)
  if (!acr.ok) return acr
  const { redirectUri, responseMode, state } = place
  return ok({
    ...{ redirectUri, responseMode, state, nonce },
    ...{ responseType: responseType.value, codeChallenge: codeChallenge.value, acr: acr.value },
  })
}

function readResponseType(
  form: Form,
  { client, responseMode }: SignInPlace,
): Result<SignInRequest['responseType'], SignInRequestFailure> {
  // Microsoft writes it with a capital, too.
  const type = form.get('response_type')?.toLowerCase()
  const isCode = type === 'code' && client.provider === 'okta'
  if (!isCode && type !== 'id_token') return err({ reason: 'sign_in_response_type_refused' })
  const mode = form.get('response_mode') ?? (isCode ? 'query' : undefined)
  if (mode !== responseMode) return err({ reason: 'sign_in_response_mode_refused' })
  return ok(isCode ? 'code' : 'id_token')
}

/** RFC 7636 §4.3: a challenge without a method is `plain`, by which a code that was seen is redeemed. */
function readCodeChallenge(form: Form): Result<string | null, SignInRequestFailure> {
  const challenge = form.get('code_challenge')
  if (challenge === undefined) return ok(null)
  const isHash = form.get('code_challenge_method') === 'S256' && /^[\w-]{43}$/.test(challenge)
  return isHash ? ok(challenge) : err({ reason: 'sign_in_code_challenge_refused' })
}

const LONGEST: ReadonlyMap<string, number> = new Map([
  ['state', MAX_STATE_CHARS],
  ['nonce', MAX_NAME_CHARS],
  ['claims', MAX_CLAIMS_CHARS],
  ['login_hint', MAX_NAME_CHARS],
])

/** Which context is claimed, and whether our method is among those that are wanted. OpenID Connect Core §5.5 */
function readContext(form: Form): Result<string | null, SignInRequestFailure> {
  const text = form.get('claims')
  const claims = text === undefined ? {} : parseJsonObject(text)
  if (claims === undefined) return err({ reason: 'sign_in_claims_malformed', member: 'claims' })
  const wanted = claims.id_token ?? {}
  if (!isJsonObject(wanted)) return err({ reason: 'sign_in_claims_malformed', member: 'id_token' })
  const methods = valuesOf(wanted.amr)
  const contexts = valuesOf(wanted.acr) ?? wordList(form.get('acr_values'))
  if (methods === 'malformed' || contexts === 'malformed') {
    return err({ reason: 'sign_in_claims_malformed', member: 'id_token' })
  }
  if (methods !== undefined && !methods.includes(METHOD)) {
    return err({ reason: 'sign_in_amr_refused' })
  }
  if (contexts === undefined) return ok(null)
  const acr = CONTEXTS.find((known) => contexts.includes(known))
  return acr === undefined ? err({ reason: 'sign_in_acr_refused' }) : ok(acr)
}

/** The values that a claim is asked for with; `undefined` where any would do. */
function valuesOf(asked: unknown): readonly string[] | undefined | 'malformed' {
  if (asked === undefined || asked === null) return undefined
  if (!isJsonObject(asked)) return 'malformed'
  const { value, values } = asked
  if (values === undefined) {
    if (value === undefined) return undefined
    return typeof value === 'string' ? [value] : 'malformed'
  }
  if (!Array.isArray(values)) return 'malformed'
  const texts = values.filter((one): one is string => typeof one === 'string')
  return texts.length === values.length ? texts : 'malformed'
}

function wordsOf(text: string | undefined): readonly string[] {
  return (text ?? '').split(' ').filter((word) => word !== '')
}

function wordList(text: string | undefined): readonly string[] | undefined {
  const words = wordsOf(text)
  return words.length === 0 ? undefined : words
}
