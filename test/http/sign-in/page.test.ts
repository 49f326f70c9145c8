import { createServer } from 'node:https'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { decodeJwt } from 'jose'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type LoopbackAgent, startLoopbackAgent } from '../../../src/simulator/loopback-agent.ts'
import { proveSignIn, readSignInLink } from '../../../src/simulator/sign-in-agent.ts'
import { issueCertificate, toPem } from '../../support/certificates.ts'
import { describeChromium, launchChromium } from '../../support/chromium.ts'
import { freePort } from '../../support/free-port.ts'
import { expectOk } from '../../support/refusal.ts'
import { startDevice, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { createSignInService, OKTA_CLIENT, oktaForm } from './world.ts'

/**
 * The page of a sign-in in a browser that nobody here wrote: Chromium, with its rules for cookies of other sites,
 * for Content Security Policy, for requests to the loopback address and for posted forms. The service and the
 * identity provider are two sites, each with TLS. No agent is installed, so what the system would do
 * with a link is done by the test: it reads the link from the page, and opens what the agent would open.
 */
describeChromium('the page of a sign-in', () => {
  let database: TestDatabase
  let service: TestService
  let browser: Browser
  let context: BrowserContext
  let agent: LoopbackAgent | undefined
  let agentPort = 0
  let provider = ''
  const posted: Record<string, string>[] = []
  const closing: (() => Promise<unknown>)[] = []
  const clock = testClock()
  const device = { prove: (_: string) => Promise.reject<Proven>(new TypeError('not attested')) }
  type Proven = Awaited<ReturnType<typeof proveSignIn>>

  beforeAll(async () => {
    const [servicePort, providerPort] = [await freePort(), await freePort()]
    agentPort = await freePort()
    provider = `https://127.0.0.1:${providerPort}`
    const callback = `${provider}/callback`
    const publicUrl = `https://localhost:${servicePort}`
    database = await openTestDatabase()
    const made = await createSignInService({
      database,
      clock,
      env: {
        PUBLIC_URL: publicUrl,
        SIGN_IN_AGENT_PORT: String(agentPort),
        SIGN_IN_CLIENTS: JSON.stringify([
          { provider: 'okta', client_id: OKTA_CLIENT, redirect_uris: [callback] },
        ]),
      },
    })
    service = made.service
    const machine = await startDevice()
    const attested = expectOk(await service.agentOf(machine).attest())
    const options = {
      ...{ baseUrl: publicUrl, key: machine.requestKey, now: clock.now, maxAttempts: 1 },
      deviceToken: () => attested.device_token,
      fetch: (request: Request) => service.app.fetch(request),
    }
    device.prove = (id) => proveSignIn(options, id)
    const tls = await makeTls()
    closing.push(await listen(service.app.fetch, tls, servicePort))
    const form = oktaForm({ redirect_uri: callback })
    closing.push(
      await listen(
        identityProvider(`${publicUrl}/sign-in/authorize`, form, posted),
        tls,
        providerPort,
      ),
    )
    browser = await launchChromium()
  })
  afterEach(async () => {
    await agent?.close()
    agent = undefined
    await context?.close()
    posted.length = 0
  })
  afterAll(async () => {
    await browser?.close()
    for (const close of closing) await close()
    await database?.close()
  })

  async function signIn(
    options: { language?: string; javaScriptEnabled?: boolean; asked?: string } = {},
  ) {
    const { language = 'en', javaScriptEnabled = true, asked = '' } = options
    context = await browser.newContext({
      ...{ ignoreHTTPSErrors: true, locale: language, javaScriptEnabled },
    })
    const page = await context.newPage()
    const said: string[] = []
    page.on('console', (message) => said.push(message.text()))
    await page.goto(`${provider}/start?${asked}`)
    if (!javaScriptEnabled) await page.click('button')
    return { page, said }
  }

  const startAgent = async (origin = service.url) => {
    agent = await startLoopbackAgent({ port: agentPort, origin, prove: device.prove })
  }
  const arrive = (page: Page) => page.waitForURL(`${provider}/callback`)

  test('goes back with the device by itself where an agent answers by loopback', async () => {
    await startAgent()
    const { page, said } = await signIn()
    await arrive(page)
    expect(agent?.answered).toEqual([200])
    expect(posted).toEqual([{ state: 'state of Okta', id_token: expect.any(String) }])
    const claims = decodeJwt(posted[0]?.id_token ?? '')
    expect(claims.device_context).toMatchObject({ managed: true, compliant: true })
    expect(said.filter((text) => text.includes('Content Security Policy'))).toEqual([])
  })

  test('goes back with a code in the address where that was asked for', async () => {
    await startAgent()
    const { page } = await signIn({ asked: 'response_type=code&response_mode=query' })
    await page.waitForURL(`${provider}/callback?*`)
    expect(posted).toEqual([{ code: expect.any(String), state: 'state of Okta' }])
  })

  test('goes on in the window that an agent opens by its link, and the first one says so', async () => {
    const { page } = await signIn()
    const link = page.getByRole('link', { name: 'Open the security agent' })
    const id = readSignInLink((await link.getAttribute('href')) ?? '')
    const proven = expectOk(await device.prove(id ?? ''))
    await page.getByText('The security agent has answered').waitFor()
    const opened = await context.newPage()
    await opened.goto(proven.continue_url)
    await arrive(opened)
    expect(Object.keys(posted[0] ?? {})).toEqual(['id_token', 'state'])
    await page.getByText('You can close this one').waitFor()
  })

  test('refuses the window that an agent opens in a browser that did not begin', async () => {
    const { page } = await signIn()
    const link = page.getByRole('link', { name: 'Open the security agent' })
    const id = readSignInLink((await link.getAttribute('href')) ?? '')
    const proven = expectOk(await device.prove(id ?? ''))
    const victim = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en' })
    const opened = await victim.newPage()
    await opened.goto(proven.continue_url)
    expect(await opened.textContent('h1')).toBe('This sign-in began in another browser.')
    await victim.close()
    expect(posted).toEqual([])
  })

  test('says in the language of the person what to do where there is no agent, and leads back', async () => {
    const { page } = await signIn({ language: 'de' })
    await page.getByText('Der Sicherheitsagent hat noch nicht geantwortet.').waitFor()
    expect(await page.getAttribute('html', 'lang')).toBe('de')
    expect(await page.getByRole('listitem').count()).toBe(3)
    await page.getByRole('button', { name: 'Ohne Gerät zurückgehen' }).click()
    await arrive(page)
    expect(posted).toEqual([
      {
        error: 'access_denied',
        error_description: 'no device was proven',
        state: 'state of Okta',
      },
    ])
  })

  test('asks an agent that was started since, by the button and the keyboard', async () => {
    const { page } = await signIn()
    await page.getByText('The security agent has not answered yet.').waitFor()
    await startAgent()
    const again = page.getByRole('button', { name: 'Try again' })
    await again.focus()
    await page.keyboard.press('Enter')
    await arrive(page)
    expect(agent?.answered).toEqual([200])
  })

  test('gets nothing from an agent of another service', async () => {
    await startAgent('https://other.example')
    const { page } = await signIn()
    await page.getByText('The security agent has not answered yet.').waitFor()
    // Chromium asks whether it may send such a request at all, and is told no.
    expect(agent?.answered).toEqual([])
    expect(posted).toEqual([])
  })

  test('says what to do without scripts, and leads there and back by link and button', async () => {
    const { page } = await signIn({ javaScriptEnabled: false })
    expect(await page.textContent('body')).toContain('The security agent has not answered yet.')
    const link = page.getByRole('link', { name: 'Open the security agent' })
    expect(readSignInLink((await link.getAttribute('href')) ?? '')).toMatch(/^sin_/)
    await page.getByRole('button', { name: 'Go back without a device' }).click()
    await page.getByRole('button', { name: 'Go on' }).click()
    await arrive(page)
    expect(posted).toMatchObject([{ error: 'access_denied' }])
  })

  test('keeps its cookie for the service alone, out of reach of scripts', async () => {
    const { page } = await signIn()
    await page.getByText('The security agent has not answered yet.').waitFor()
    const [cookie, ...more] = await context.cookies(service.url)
    expect(more).toEqual([])
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/' })
    expect(cookie?.name).toMatch(/^__Host-countersign-sin_/)
    expect(await page.evaluate(() => document.cookie)).toBe('')
  })

  test('stands in no frame of another site', async () => {
    const { page } = await signIn()
    // One that needs no cookie, which a frame of another site would not have.
    const address = `${service.url}/sign-in/authorize`
    await page.goto(address)
    expect(await page.textContent('h1')).toBe('This sign-in cannot be answered.')
    await page.goto(`${provider}/frame?of=${encodeURIComponent(address)}`)
    const [, frame] = page.frames()
    expect(await frame?.getByText('This sign-in cannot be answered.').count()).toBe(0)
  })
})

type Tls = { readonly cert: string; readonly key: string }

async function makeTls(): Promise<Tls> {
  const [notBefore, notAfter] = [new Date(0), new Date('2049-01-01T00:00:00Z')]
  const { pem, keys } = await issueCertificate({ subject: 'localhost', notBefore, notAfter })
  const key = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  return { cert: pem, key: toPem(key, 'PRIVATE KEY') }
}

type Answer = (request: Request) => Response | Promise<Response>

/** Serves over TLS; what ends that again. */
async function listen(fetch: Answer, tls: Tls, port: number): Promise<() => Promise<void>> {
  const server = createAdaptorServer({ fetch, createServer, serverOptions: tls })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      if ('closeAllConnections' in server) server.closeAllConnections()
    })
}

/** Sends the browser away with a posted form, takes the one that comes back, and frames what it is told to. */
function identityProvider(
  target: string,
  form: Readonly<Record<string, string>>,
  posted: Record<string, string>[],
): Answer {
  const app = new Hono()
  app.get('/start', (c) => {
    const inputs = Object.entries({ ...form, ...c.req.query() }).map(
      ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
    )
    return c.html(`<form method="post" action="${target}">${inputs.join('')}<button>Sign in</button></form>
<script>document.forms[0].submit()</script>`)
  })
  app.post('/callback', async (c) => {
    posted.push((await c.req.parseBody()) as Record<string, string>)
    return c.html('<h1>Welcome</h1>')
  })
  app.get('/callback', (c) => {
    posted.push(c.req.query())
    return c.html('<h1>Welcome</h1>')
  })
  app.get('/frame', (c) => c.html(`<iframe src="${c.req.query('of')}"></iframe>`))
  return (request) => app.fetch(request)
}
