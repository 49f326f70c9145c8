import { Hono } from 'hono'
import { beginConsoleSignIn } from '../../operations/people/begin-console.ts'
import { CALLBACK_PATH, LINK_PATH } from '../../operations/people/dependencies.ts'
import { signOut } from '../../operations/people/end-sessions.ts'
import {
  type AdmittedPerson,
  finishConsoleSignIn,
  type ReturningPerson,
} from '../../operations/people/finish-console.ts'
import { openSignInLink } from '../../operations/people/link.ts'
import { readReturnTo } from '../../people/return-to.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { urlOf } from '../middleware/request-url.ts'
import { originOf } from '../request-origin.ts'
import {
  dropSessionCookie,
  keepBrowserCookie,
  keepSessionCookie,
  readBrowserCookie,
  readSessionCookie,
} from './cookies.ts'
import { answerNotice, answerWords } from './notice.ts'
import { type PeopleServices, placeOf } from './services.ts'

const SIGN_IN_PATH = '/console/sign-in'
const SIGN_OUT_PATH = '/console/sign-out'
const SIGNED_OUT_PATH = '/console/signed-out'

/** How people come in and go out. None of it wants a session. */
export function consoleSignInRoutes(services: PeopleServices): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .get(SIGN_IN_PATH, (c) => begin(c, services))
    .get(CALLBACK_PATH, (c) => finish(c, services))
    .get(LINK_PATH, (c) => openLink(c, services))
    .post(SIGN_OUT_PATH, async (c) => {
      const cookie = readSessionCookie(c, services)
      await signOut(services, { cookie, origin: originOf(c) })
      dropSessionCookie(c, services)
      return c.redirect(placeOf(services, SIGNED_OUT_PATH), 303)
    })
    .get(SIGNED_OUT_PATH, (c) =>
      answerWords(c, {
        status: 200,
        heading: 'You are signed out.',
        said: 'Here, and in no other browser. At your organisation you are signed in still.',
        next: { href: placeOf(services, SIGN_IN_PATH), text: 'Sign in again' },
      }),
    )
}

async function begin(c: HttpContext, services: PeopleServices): Promise<Response> {
  const returnTo = readReturnTo(c.req.query('return_to'))
  if (services.issuer === undefined) return tellOfLinks(c)
  // The issuer sends everybody back to our one URL, where the cookie of another name is not sent.
  const isOurUrl = urlOf(c, services).startsWith(`${services.publicUrl}/`)
  if (!isOurUrl) {
    const query = `?return_to=${encodeURIComponent(returnTo)}`
    return c.redirect(services.publicUrl + SIGN_IN_PATH + query, 303)
  }
  const browser = keepBrowserCookie(c, services)
  const begun = await beginConsoleSignIn(services, { browser, returnTo })
  if (begun.ok) return c.redirect(begun.value.href, 303)
  c.header('retry-after', String(begun.failure.retryAfterSeconds))
  return answerNotice(c, { code: begun.failure.reason, next: again(services) })
}

function tellOfLinks(c: HttpContext): Response {
  return answerWords(c, {
    status: 200,
    heading: 'Sign in by a one-time link.',
    said: 'It is printed when the service starts. Another one, on the machine of the service: npm run -s countersign -- people link. To sign in at your organisation, set CONSOLE_ISSUER (docs/console.md).',
  })
}

async function finish(c: HttpContext, services: PeopleServices): Promise<Response> {
  const query = new URL(c.req.url).searchParams
  const admitted = await finishConsoleSignIn(services, { ...returning(c, services), query })
  if (admitted.ok) return letIn(c, services, admitted.value)
  const { failure } = admitted
  if (failure.reason === 'console_role_missing') dropSessionCookie(c, services)
  if (failure.reason === 'console_issuer_unavailable') {
    c.header('retry-after', String(failure.retryAfterSeconds))
  }
  return answerNotice(c, { code: failure.reason, next: again(services) })
}

async function openLink(c: HttpContext, services: PeopleServices): Promise<Response> {
  // Whoever looks ahead at a link does not use it up.
  if (c.req.method === 'HEAD') return c.body(null, 204)
  const token = c.req.query('token') ?? ''
  const admitted = await openSignInLink(services, { token, returning: returning(c, services) })
  return admitted.ok
    ? letIn(c, services, admitted.value)
    : answerNotice(c, { code: admitted.failure.reason })
}

function letIn(
  c: HttpContext,
  services: PeopleServices,
  { cookie, returnTo }: AdmittedPerson,
): Response {
  keepSessionCookie(c, services, cookie)
  // Once more, whatever was sealed: nothing but a page of ours is in this header.
  return c.redirect(placeOf(services, readReturnTo(returnTo)), 303)
}

function returning(c: HttpContext, services: PeopleServices): Omit<ReturningPerson, 'query'> {
  return {
    browser: readBrowserCookie(c, services),
    session: readSessionCookie(c, services),
    userAgent: c.req.header('user-agent'),
    origin: originOf(c),
  }
}

function again(services: PeopleServices) {
  return { href: placeOf(services, SIGN_IN_PATH), text: 'Sign in' }
}
