import { type Context, Hono } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import type { JSONWebKeySet } from 'jose'
import type { Result } from '../../base/result.ts'
import { readForm } from '../../oauth/token-form.ts'
import {
  type BeginSignInDependencies,
  beginSignIn,
} from '../../operations/sign-in/begin-sign-in.ts'
import { findWaitingSignIn, type SignInFailure } from '../../operations/sign-in/find-sign-in.ts'
import {
  type Finished,
  type FinishSignInDependencies,
  finishSignIn,
  leaveSignIn,
  type ReturningBrowser,
} from '../../operations/sign-in/finish-sign-in.ts'
import { type ProveDeviceDependencies, proveDevice } from '../../operations/sign-in/prove-device.ts'
import { readSignInState } from '../../operations/sign-in/sign-in-state.ts'
import {
  AUTHORIZATION_PATH,
  CODE_PATH,
  DISCOVERY_PATH,
  describeOpenIdProvider,
  PROVIDER_KEYS_PATH,
  PROVIDER_PATH,
} from '../../vendors/oidc/discovery.ts'
import { bringAnswer } from '../../vendors/oidc/id-token.ts'
import { SIGN_IN_SECONDS } from '../../vendors/oidc/limits.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, tellPlace } from '../errors/problem.ts'
import { signInErrorOf } from '../errors/sign-in-answers.ts'
import { type KnownOrigins, urlOf } from '../middleware/request-url.ts'
import { readFormBody } from '../oauth/read-form.ts'
import { answerPublic } from '../public-document.ts'
import { answerCode, type CodeServices } from './code-endpoint.ts'
import {
  answerDeniedPage,
  answerRefusedPage,
  answerSendPage,
  answerStoppedPage,
  answerWaitPage,
  pathsOf,
} from './pages.ts'

/** What the routes of sign-ins work with. */
export type SignInServices = BeginSignInDependencies &
  CodeServices &
  ProveDeviceDependencies &
  FinishSignInDependencies &
  KnownOrigins & {
    readonly publicUrl: string
    /** Where an agent listens on the machine of the person. */
    readonly agentPort: number
    readonly idTokenKeys: () => Promise<JSONWebKeySet>
  }

/** Where an agent hands in its proof. */
const PROOF_PATH = '/v1/sign-ins/:id/proof'
/** Where an agent is asked on the machine of the person. */
const AGENT_PATH = '/sign-in'

/** By the name of the parameter in a path. */
type SignInContext = Context<HttpEnv, '/:id'>

/**
 * An OpenID provider for identity providers that send a person here to have the device proven. There is
 * nothing where none is registered.
 */
export function signInRoutes(services: SignInServices): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  if (services.signInClients.length === 0) return app
  const agentUrl = `http://127.0.0.1:${services.agentPort}${AGENT_PATH}`
  app.get(DISCOVERY_PATH, (c) => answerPublic(c, describeOpenIdProvider(services.publicUrl)))
  app.get(PROVIDER_KEYS_PATH, async (c) => answerPublic(c, await services.idTokenKeys()))
  // OpenID Connect Core 1.0 §3.1.2.1: by either method.
  app.get(AUTHORIZATION_PATH, (c) => {
    return begin(c, services, readForm(new URL(c.req.url).search.slice(1)))
  })
  app.post(AUTHORIZATION_PATH, async (c) => begin(c, services, await readFormBody(c)))
  app.get(`${PROVIDER_PATH}/:id`, async (c) => {
    const asked = askedBy(c, services)
    const found = await findWaitingSignIn(services, asked)
    const paths = pathsOf(services.publicUrl, asked.signInId)
    if (!found.ok) return answerStoppedPage(c, { paths, failure: found.failure })
    return answerWaitPage(c, { paths, agentUrl })
  })
  app.get(`${PROVIDER_PATH}/:id/state`, async (c) => {
    const state = await readSignInState(services, askedBy(c, services))
    return state.ok ? c.json({ state: state.value }) : answerProblem(c, state.failure.reason)
  })
  app.get(`${PROVIDER_PATH}/:id/continue`, async (c) => {
    const browser = returning(c, services, c.req.query('ticket'))
    const finished = await finishSignIn(services, browser, { isLast: false })
    return answerFinished(c, services, { browser, finished })
  })
  app.post(`${PROVIDER_PATH}/:id/leave`, async (c) => {
    const form = await readFormBody(c)
    const ticket = form.ok ? form.value.get('ticket') : undefined
    const browser = returning(c, services, ticket)
    return answerFinished(c, services, { browser, finished: await leave(services, browser) })
  })
  app.post(PROOF_PATH, (c) => takeProof(c, services))
  app.post(CODE_PATH, (c) => answerCode(c, services))
  return app
}

/** Whoever goes back with a device that was denied has it told to who asks for that. */
async function leave(services: SignInServices, browser: ReturningBrowser) {
  if (browser.ticket === '') return leaveSignIn(services, browser)
  const finished = await finishSignIn(services, browser, { isLast: true })
  const isOver = !finished.ok && LEFT_ALL_THE_SAME.has(finished.failure.reason)
  return isOver ? leaveSignIn(services, browser) : finished
}

/** A person may go back whatever became of the proof. */
const LEFT_ALL_THE_SAME: ReadonlySet<SignInFailure['reason']> = new Set([
  'sign_in_expired',
  'sign_in_ticket_refused',
])

async function begin(
  c: HttpContext,
  services: SignInServices,
  form: Awaited<ReturnType<typeof readFormBody>>,
): Promise<Response> {
  if (!form.ok) return answerRefusedPage(c, form.failure.reason)
  const begun = await beginSignIn(services, form.value)
  if (begun.ok) {
    const { signInId, cookie } = begun.value
    keepCookie(c, services, { signInId, cookie })
    // Another page, so that to load it again sends nothing again; 303 makes a GET of it.
    return c.redirect(pathsOf(services.publicUrl, signInId).page, 303)
  }
  const { failure, place } = begun.refused
  if (place === undefined) return answerRefusedPage(c, failure.reason)
  if (isAnswerable(failure)) return answerSendPage(c, bringAnswer(place, signInErrorOf(failure)))
  return answerRefusedPage(c, failure.reason)
}

type Refused = Exclude<Awaited<ReturnType<typeof beginSignIn>>, { ok: true }>['refused']['failure']

/** Only what is wrong with the place itself is told to nobody. */
function isAnswerable(failure: Refused): failure is Parameters<typeof signInErrorOf>[0] {
  const { reason } = failure
  return reason !== 'sign_in_client_unknown' && reason !== 'sign_in_redirect_uri_refused'
}

async function takeProof(
  c: Context<HttpEnv, typeof PROOF_PATH>,
  services: SignInServices,
): Promise<Response> {
  const signInId = c.req.param('id')
  const [, deviceToken] = DPOP_TOKEN.exec(c.req.header('authorization') ?? '') ?? []
  if (deviceToken === undefined) return answerProblem(c, 'sign_in_token_refused')
  const url = urlOf(c, services)
  const proof = c.req.header('dpop')
  const ticket = await proveDevice(services, { signInId, deviceToken, proof, url })
  if (ticket.ok) {
    const { origin } = new URL(services.publicUrl)
    const { page } = pathsOf(services.publicUrl, signInId)
    const next = `${origin}${page}/continue?ticket=${ticket.value}`
    return c.json({ ticket: ticket.value, continue_url: next })
  }
  const { failure } = ticket
  const { reason } = failure
  if (isOfSignIn(reason)) return answerProblem(c, reason)
  const isToken = reason === 'device_token_invalid' || reason === 'device_token_expired'
  const code = isToken ? 'sign_in_token_refused' : 'sign_in_proof_refused'
  return answerProblem(c, code, reason, tellPlace(failure))
}

/** RFC 9449 §7.1 */
const DPOP_TOKEN = /^dpop +([A-Za-z0-9\-._~+/]+=*)$/i

function isOfSignIn(reason: string): reason is SignInFailure['reason'] {
  return reason.startsWith('sign_in_')
}

function answerFinished(
  c: HttpContext,
  { publicUrl }: SignInServices,
  input: {
    readonly browser: ReturningBrowser
    readonly finished: Result<Finished, SignInFailure>
  },
): Response {
  const { signInId, ticket } = input.browser
  const paths = pathsOf(publicUrl, signInId)
  if (!input.finished.ok) return answerStoppedPage(c, { paths, failure: input.finished.failure })
  const finished = input.finished.value
  if (finished.kind === 'answer') return answerSendPage(c, finished.answer, finished.isGranted)
  return answerDeniedPage(c, { paths, ticket, decision: finished.decision })
}

function askedBy(c: SignInContext, services: SignInServices) {
  const signInId = c.req.param('id')
  const prefix = isSecure(services) ? 'host' : undefined
  const name = cookieName(signInId)
  const cookie = prefix === undefined ? getCookie(c, name) : getCookie(c, name, prefix)
  return { signInId, cookie }
}

function returning(
  c: SignInContext,
  services: SignInServices,
  ticket: string | undefined,
): ReturningBrowser {
  return {
    ...askedBy(c, services),
    ticket: ticket ?? '',
    requestId: c.get('requestId'),
    language: c.req.header('accept-language'),
  }
}

/**
 * For this host alone and out of reach of scripts (RFC 6265bis §4.1.3.2), and not sent with what other sites
 * post: nothing that belongs to a sign-in comes from one.
 */
function keepCookie(
  c: HttpContext,
  services: SignInServices,
  { signInId, cookie }: { readonly signInId: string; readonly cookie: string },
): void {
  const shared = { path: '/', httpOnly: true, sameSite: 'Lax' } as const
  // Going back is possible for a while after the end.
  const maxAge = 2 * SIGN_IN_SECONDS
  const name = cookieName(signInId)
  if (isSecure(services))
    setCookie(c, name, cookie, { ...shared, maxAge, secure: true, prefix: 'host' })
  else setCookie(c, name, cookie, { ...shared, maxAge })
}

/** One for each sign-in: two that a browser has open at once do not disturb each other. */
function cookieName(signInId: string): string {
  return `countersign-${signInId}`
}

/** Without TLS the service is one of this machine alone, or is tried out. */
function isSecure({ publicUrl }: SignInServices): boolean {
  return publicUrl.startsWith('https:')
}
