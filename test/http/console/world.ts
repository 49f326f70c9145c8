import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import Provider from 'oidc-provider'
import { vi } from 'vitest'
import type { Json } from '../../support/json.ts'
import {
  createTestService,
  type TestService,
  type TestServiceOptions,
  testClock,
} from '../../support/service.ts'

/**
 * The organisation's issuer is oidc-provider, on a port of this machine, over HTTP as browsers and the service
 * speak it. Browsers are played: they keep cookies and follow redirects, and say what browsers say of a request.
 */

export const CLIENT_ID = 'countersign-console'
export const CLIENT_SECRET = 'the secret of the console'
export const PUBLIC_URL = 'https://pdp.example'

export type IdpPerson = {
  readonly sub: string
  readonly name?: string
  readonly roles?: unknown
}

export type Idp = {
  readonly url: string
  /** Who is at the keyboard: whoever signs in next is this person. */
  person: IdpPerson
  /** Changes the answer of an endpoint before it leaves; `undefined` leaves it. */
  alter: ((path: string, body: string) => string | Promise<string>) | undefined
  /** Answers nothing but 503. */
  isDown: boolean
  readonly sign: (claims: JWTPayload, key?: CryptoKey) => Promise<string>
  readonly close: () => Promise<void>
}

/** A second client of the same issuer, for which it issues tokens too. */
export const OTHER_CLIENT = 'another-application'

export async function startIdp(publicUrl: string = PUBLIC_URL): Promise<Idp> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: 'idp-1', alg: 'RS256', use: 'sig' }
  // oidc-provider tells of itself on the console of the process.
  const quiet = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const answers: { callback: (request: IncomingMessage, response: ServerResponse) => void } = {
    callback: () => {},
  }
  const server = createServer((request, response) => answers.callback(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const idp: Idp = {
    url,
    person: { sub: 'alice', name: 'Alice Example', roles: ['cs-owner'] },
    alter: undefined,
    isDown: false,
    sign: (claims, signer = privateKey) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'idp-1' }).sign(signer),
    close: () => closeServer(server),
  }
  const redirect = [`${publicUrl}/console/callback`]
  const provider = new Provider(url, {
    clients: [
      { client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: redirect },
      { client_id: OTHER_CLIENT, client_secret: 'other', redirect_uris: redirect },
    ],
    jwks: { keys: [key] },
    cookies: { keys: ['not a secret'] },
    claims: { openid: ['sub', 'roles'], profile: ['name'], email: [] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    interactions: { url: (_: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}` },
    findAccount: (_: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ ...idp.person, sub }),
    }),
    // Everybody has agreed to everything beforehand, as in an organisation.
    loadExistingGrant: async (ctx: Json) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.session.accountId,
      })
      grant.addOIDCScope('openid profile email')
      await grant.save()
      return grant
    },
  })
  const inner = provider.callback()
  quiet.mockRestore()
  answers.callback = (request, response) => {
    if (idp.isDown) return void response.writeHead(503).end()
    if (request.url?.startsWith('/interaction/') === true) {
      const login = { accountId: idp.person.sub }
      return void provider.interactionFinished(request, response, { login })
    }
    if (idp.alter !== undefined) alterAnswer(response, request.url ?? '', idp.alter)
    inner(request, response)
  }
  return idp
}

function alterAnswer(
  response: ServerResponse,
  path: string,
  alter: (path: string, body: string) => string | Promise<string>,
): void {
  const end = response.end.bind(response)
  const replaced = (chunk?: unknown) => {
    const body = chunk === undefined || typeof chunk === 'function' ? '' : String(chunk)
    void Promise.resolve(alter(path.split('?')[0] ?? '', body)).then((text) => {
      response.removeHeader('content-length')
      end(text)
    })
    return response
  }
  response.end = replaced as typeof response.end
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.closeAllConnections()
    server.close(() => resolve())
  })
}

/** A browser: it keeps the cookies of each site, and follows redirects from one to the next. */
export type Browser = {
  readonly get: (url: string, headers?: Readonly<Record<string, string>>) => Promise<Visited>
  readonly post: (
    url: string,
    form?: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Visited>
  /** Goes on until no answer sends it elsewhere. */
  readonly open: (url: string) => Promise<Visited>
  /** As it stands for one site, by name. */
  readonly cookies: (url: string) => Map<string, string>
}

export type Visited = {
  readonly url: string
  readonly answer: Response
  readonly text: string
  /** Where it is sent, resolved; `undefined` where it stays. */
  readonly next: string | undefined
  /** Every place that it came through, the last one too. */
  readonly path: readonly string[]
}

const MOST_STEPS = 20

export function openBrowser(
  service: Pick<TestService, 'url' | 'request'>,
  userAgent = 'Browser/1.0',
): Browser {
  const jars = new Map<string, Map<string, string>>()
  const jarOf = (url: string) => {
    const { host } = new URL(url)
    const jar = jars.get(host) ?? new Map<string, string>()
    jars.set(host, jar)
    return jar
  }
  const own = new URL(service.url).origin
  const visit = async (
    url: string,
    init: { readonly method?: string; readonly body?: string; readonly headers?: object } = {},
  ): Promise<Visited> => {
    const jar = jarOf(url)
    const headers = new Headers({ 'user-agent': userAgent, ...init.headers })
    if (jar.size > 0) headers.set('cookie', [...jar].map((pair) => pair.join('=')).join('; '))
    const target = new URL(url)
    const sent = { ...init, headers }
    const answer =
      target.origin === own
        ? await service.request(target.pathname + target.search, sent)
        : await fetch(url, { ...sent, redirect: 'manual' })
    for (const line of answer.headers.getSetCookie()) keepCookie(jar, line)
    const location = answer.headers.get('location')
    const next = location === null ? undefined : new URL(location, url).href
    return { url, answer, text: await answer.text(), next, path: [url] }
  }
  return {
    get: (url, headers) => visit(url, { headers: { ...headers } }),
    post: (url, form = {}, headers = { origin: own, 'sec-fetch-site': 'same-origin' }) =>
      visit(url, {
        method: 'POST',
        body: new URLSearchParams(form).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      }),
    async open(url) {
      let visited = await visit(url)
      const path = [url]
      for (let step = 0; visited.next !== undefined; step++) {
        if (step > MOST_STEPS) throw new Error(`no end: ${path.join(' ')}`)
        path.push(visited.next)
        visited = await visit(visited.next)
      }
      return { ...visited, path }
    },
    cookies: jarOf,
  }
}

/** RFC 6265bis §5.7: one that is dropped has no time left. */
function keepCookie(jar: Map<string, string>, line: string): void {
  const [pair = '', ...attributes] = line.split(';')
  const at = pair.indexOf('=')
  const isDropped = attributes.some((one) => /^\s*(max-age=0|expires=.*1970)/i.test(one))
  if (isDropped) jar.delete(pair.slice(0, at))
  else jar.set(pair.slice(0, at), pair.slice(at + 1))
}

export const ROLES = {
  'cs-viewer': 'viewer',
  'cs-desk': ['operator', 'approver'],
  'cs-owner': 'owner',
} as const

export function consoleEnv(idp: Pick<Idp, 'url'>): Readonly<Record<string, string>> {
  return {
    PUBLIC_URL,
    CONSOLE_ISSUER: idp.url,
    CONSOLE_CLIENT_ID: CLIENT_ID,
    CONSOLE_CLIENT_SECRET: CLIENT_SECRET,
    CONSOLE_ROLES: JSON.stringify(ROLES),
  }
}

export function createConsoleService(
  idp: Pick<Idp, 'url'>,
  { env = {}, clock = testClock(new Date()), ...options }: TestServiceOptions,
): Promise<TestService> {
  return createTestService({ ...options, clock, env: { ...consoleEnv(idp), ...env } })
}
