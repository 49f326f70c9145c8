import type { SECONDING_REASONS } from '../../operations/release/second-administrator.ts'
import { WIRE_FORMS } from '../../verifier/protocol/wire-answers.ts'
import { AUTHZEN_ANSWERS, type AuthzenErrorCode } from '../errors/authzen-error.ts'
import { OAUTH_ANSWERS, type OAuthReason } from '../errors/oauth-answers.ts'
import { oauthErrorOf } from '../errors/oauth-error.ts'
import { PROBLEMS } from '../errors/problem.ts'
import type { IdempotencyCode, ProblemCode, SharedCode } from '../errors/problem-code.ts'
import type { SignInCodeAnswer } from '../errors/sign-in-answers.ts'
import { refer } from './components.ts'
import type { Responses } from './operation.ts'

/** What kind of request it is, by which more can be wrong with it. */
export type RequestKind = {
  /** It has a body in JSON. */
  readonly body?: boolean
  /** It has parameters that are checked. */
  readonly query?: boolean
  /** It wants a caller with a scope. */
  readonly caller?: boolean
  /** It is a change of administrators, which may have a key. */
  readonly change?: boolean
}

/** What any request can meet. */
const ALWAYS: readonly SharedCode[] = ['text_not_storable', 'internal', 'unavailable']
const OF_BODY: readonly SharedCode[] = [
  ...(['content_type_not_json', 'body_too_large', 'body_incomplete', 'body_not_utf8'] as const),
  ...(['body_too_deep', 'body_not_json', 'request_malformed'] as const),
]
const OF_CHANGE: readonly IdempotencyCode[] = [
  ...(['idempotency_key_reused', 'idempotency_under_way', 'idempotency_outcome_unknown'] as const),
]
const OF_CALLER: readonly SharedCode[] = ['unauthenticated', 'forbidden', 'client_rate_limited']

/** What can be wrong with a request of this kind before any use case looks at it. */
export function sharedCodes({ body, query, caller }: RequestKind): readonly SharedCode[] {
  const codes = [
    ...ALWAYS,
    ...(body === true ? OF_BODY : []),
    ...(query === true ? (['request_malformed'] as const) : []),
    ...(caller === true ? OF_CALLER : []),
  ]
  return [...new Set(codes)]
}

/** What a request meets that is to be the second one of two, and no other: `POST …/approve` says so. */
type SecondingCode = (typeof SECONDING_REASONS)[number]

/**
 * The codes of the failures of a use case. The compiler asks for each, so that none that there is can be
 * missing in the document.
 */
export function codesOf<F extends { readonly reason: string }>(
  codes: Readonly<Record<Exclude<Extract<F['reason'], ProblemCode>, SecondingCode>, true>>,
): readonly ProblemCode[] {
  return Object.keys(codes).filter(isProblemCode)
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code)
}

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds.', schema: { type: 'integer', minimum: 0 } },
}
const CHALLENGE = {
  'WWW-Authenticate': { description: 'RFC 9110 §11.6.1', schema: { type: 'string' } },
}

/** Headers that an answer of this status has. */
function headersOf(status: number): object {
  if (status === 401) return { headers: CHALLENGE }
  return status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}
}

/** Problem documents (RFC 9457) by their status, with the codes that each may have. */
export function problems(kind: RequestKind, codes: readonly ProblemCode[] = []): Responses {
  const all = [
    ...new Set([...sharedCodes(kind), ...(kind.change === true ? OF_CHANGE : []), ...codes]),
  ]
  const own = new Set(codes.map((code) => PROBLEMS[code].status))
  return withShared('Problem', kind, { own, made: problemsOf(all) })
}

function problemsOf(codes: readonly ProblemCode[]): Responses {
  return byStatus(
    codes,
    (code) => PROBLEMS[code],
    (found) => ({
      'application/problem+json': {
        schema: { allOf: [refer('Problem')], properties: { code: { enum: found } } },
      },
    }),
  )
}

/**
 * Answers that many operations have, by the names that they have in the document: of each status those of
 * nothing but shared codes.
 */
export function sharedResponses(): Responses {
  const kinds: readonly RequestKind[] = [{ caller: true }, { body: true }, { query: true }]
  const named = (prefix: string, make: (codes: readonly SharedCode[]) => Responses) =>
    kinds.flatMap((kind) =>
      Object.entries(make(sharedCodes(kind))).map(([status, answer]) => {
        return [nameOf(prefix, kind, status), answer] as const
      }),
    )
  const ofChange = Object.entries(problemsOf(OF_CHANGE)).map(([status, answer]) => {
    return [nameOf('Problem', {}, status), answer] as const
  })
  return Object.fromEntries([
    ...named('Problem', problemsOf),
    ...ofChange,
    ...named('Authzen', authzenOf),
  ])
}

/** What is wrong with a request as such depends on what it has; all else is the same everywhere. */
function nameOf(prefix: string, { body, query }: RequestKind, status: string): string {
  const kind = body === true ? 'OfBody' : query === true ? 'OfQuery' : ''
  return `${prefix}${status}${status === '400' ? kind : ''}`
}

/** With a reference in the place of each answer that has no code of the operation's own. */
function withShared(
  prefix: string,
  kind: RequestKind,
  { own, made }: { readonly own: ReadonlySet<number>; readonly made: Responses },
): Responses {
  return Object.fromEntries(
    Object.entries(made).map(([status, answer]) => {
      const shared = { $ref: `#/components/responses/${nameOf(prefix, kind, status)}` }
      return [status, own.has(Number(status)) ? answer : shared]
    }),
  )
}

/** AuthZEN §10.1.2: the error message string. */
export function authzenErrors(kind: RequestKind, own: readonly AuthzenErrorCode[]): Responses {
  const all = [...new Set([...sharedCodes(kind), ...own])]
  const statuses = new Set(own.map((code) => answerOfAuthzen(code).status))
  return withShared('Authzen', kind, { own: statuses, made: authzenOf(all) })
}

function authzenOf(codes: readonly AuthzenErrorCode[]): Responses {
  return byStatus(codes, answerOfAuthzen, () => ({
    'application/json': { schema: refer('AuthzenError') },
  }))
}

function answerOfAuthzen(code: AuthzenErrorCode) {
  const answers: Readonly<Record<string, (typeof PROBLEMS)[SharedCode]>> = {
    ...PROBLEMS,
    ...AUTHZEN_ANSWERS,
  }
  const answer = answers[code]
  if (answer === undefined) throw new TypeError(`nothing says how ${code} is answered`)
  return answer
}

/** In the form of Azure's REST interface: of the service here, and of evidence by the verifier. */
export function azureErrors(): Responses {
  const shared = sharedCodes({ body: true }).map((code) => PROBLEMS[code])
  return byStatus(
    [...shared, ...EVIDENCE_REFUSALS],
    (one) => one,
    () => ({
      'application/json': { schema: refer('AzureError') },
    }),
  )
}

/** Reasons of evidence are hundreds (docs/errors.md), and these are all the forms that their answers have. */
const EVIDENCE_REFUSALS = Object.values(WIRE_FORMS).map(({ status, code }) => {
  return { status, cause: `The evidence is answered ${code}.` }
})

/** What a form can be refused for besides, in the words of OAuth. */
const OF_FORM: readonly SharedCode[] = [
  ...ALWAYS,
  ...(['body_too_large', 'body_incomplete', 'body_not_utf8', 'client_rate_limited'] as const),
]

/** RFC 6749 §5.2. Secrets, and proofs of DPoP, are refused with a code that says no more (`invalid_client`). */
export function oauthErrors(
  reasons: readonly OAuthReason[],
  others: readonly SignInCodeAnswer[] = [],
): Responses {
  const shared = OF_FORM.map((code) => {
    const { status, cause } = PROBLEMS[code]
    return { status, cause, error: oauthErrorOf(status) }
  })
  const own = reasons.map((code) => OAUTH_ANSWERS[code])
  // Of a secret it is not said whether there is such a client, and of a proof no more than its reason.
  const untold = [
    { status: 401, cause: 'Client credentials are missing or wrong.', error: 'invalid_client' },
  ]
  const codes = others.map((answer) => ({ status: 400, ...answer }))
  const all = [...shared, ...own, ...untold, ...codes]
  return byStatus(
    all,
    (answer) => answer,
    (found) => ({
      'application/json': {
        schema: {
          allOf: [refer('OAuthError')],
          properties: { error: { enum: [...new Set(found.map(({ error }) => error))] } },
        },
      },
    }),
  )
}

/** What a person in a browser is shown. */
export function pageErrors(codes: readonly ProblemCode[] = []): Responses {
  return byStatus(
    [...new Set([...ALWAYS, ...codes])],
    (code) => PROBLEMS[code],
    () => ({
      'text/html': { schema: { type: 'string' } },
    }),
  )
}

function byStatus<T>(
  all: readonly T[],
  answerOf: (one: T) => { readonly status: number; readonly cause: string },
  contentOf: (found: readonly T[]) => object,
): Responses {
  const groups = new Map<number, T[]>()
  for (const one of all) {
    const { status } = answerOf(one)
    groups.set(status, [...(groups.get(status) ?? []), one])
  }
  const sorted = [...groups].sort(([one], [other]) => one - other)
  return Object.fromEntries(
    sorted.map(([status, found]) => {
      const description = [...new Set(found.map((one) => answerOf(one).cause))].join(' ')
      return [String(status), { description, ...headersOf(status), content: contentOf(found) }]
    }),
  )
}
