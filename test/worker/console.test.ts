import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { consoleEnv, type Idp, openBrowser, PUBLIC_URL, startIdp } from '../http/console/world.ts'
import { describePostgres, FORGETFUL, type Postgres, startPostgres } from '../support/postgres.ts'
import type { TestRequest } from '../support/service.ts'
import { type RunningWorker, runWorker } from '../support/workerd.ts'
import { buildWorkerOnce } from '../support/wrangler.ts'

/** What a browser sends, and no more: `fetch` of Node says of each request that a script made it. */
function ask(url: string, { method, headers, body }: TestRequest): Promise<Response> {
  return new Promise((resolve, reject) => {
    const fields = Object.fromEntries(new Headers(headers))
    const sent = request(url, { method: method ?? 'GET', headers: fields }, async (answer) => {
      const told = new Headers()
      for (const [name, values] of Object.entries(answer.headersDistinct)) {
        for (const value of values ?? []) told.append(name, value)
      }
      const status = answer.statusCode ?? 0
      resolve(new Response(await text(answer), { status, headers: told }))
    })
    sent.on('error', reject)
    sent.end(typeof body === 'string' ? body : undefined)
  })
}

/** The Worker as it is deployed, in workerd: its openid-client asks oidc-provider, which runs on Node. */
describePostgres('people who sign in to the Worker', () => {
  let idp: Idp
  let postgres: Postgres
  let worker: RunningWorker

  beforeAll(async () => {
    idp = await startIdp()
    postgres = await startPostgres({ settings: FORGETFUL })
    worker = await runWorker({
      script: readFileSync((await buildWorkerOnce()).script, 'utf8'),
      bindings: { ...consoleEnv(idp), SECRET_KEY: Buffer.alloc(32, 7).toString('base64') },
      databaseUrl: await postgres.createMigrated('service'),
    })
  }, 120_000)

  afterAll(async () => {
    await worker?.close()
    await idp?.close()
    await postgres?.stop()
  })

  const service = () => ({
    url: PUBLIC_URL,
    request: (path: string, init: TestRequest = {}) => ask(worker.url + path, init),
  })

  test('come in by the code flow, and out for good', async () => {
    const browser = openBrowser(service())
    const page = await browser.open(`${PUBLIC_URL}/console?a=b`)
    expect([page.answer.status, page.url], page.text).toEqual([200, `${PUBLIC_URL}/console?a=b`])
    expect(page.text).toContain('Alice Example')
    const copy = browser.cookies(PUBLIC_URL).get('__Host-countersign-console') ?? ''
    await browser.post(`${PUBLIC_URL}/console/sign-out`)
    browser.cookies(PUBLIC_URL).set('__Host-countersign-console', copy)
    const after = await browser.get(`${PUBLIC_URL}/console`)
    expect([after.answer.status, after.text]).toEqual([
      401,
      expect.stringContaining('<code>session_ended</code>'),
    ])
  })
})
