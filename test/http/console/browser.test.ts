import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import type { AxeResults, RunOptions } from 'axe-core'
import type { Hono } from 'hono'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HttpEnv } from '../../../src/http/environment.ts'
import { policyWith } from '../../operations/release/documents.ts'
import { describeChromium, launchChromium } from '../../support/chromium.ts'
import { freePort } from '../../support/free-port.ts'
import { type ConsoleWorld, openConsoleWorld, populate } from './pages-world.ts'

/**
 * Pages in a browser that nobody here wrote, Chromium, and by the rules of WCAG 2.2 as axe-core checks them. Where
 * `SCREENSHOTS_DIR` is set every page is kept as a picture there, in light and in dark.
 */

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const SHOTS = process.env.SCREENSHOTS_DIR

const WIDTH = 1280
const HEIGHT = 900

type Look = { readonly colorScheme: 'light' | 'dark'; readonly zoom: 1 | 2 }
const LOOKS: readonly Look[] = [
  { colorScheme: 'light', zoom: 1 },
  { colorScheme: 'dark', zoom: 1 },
  { colorScheme: 'light', zoom: 2 },
]

describeChromium('pages of the console in a browser', () => {
  let world: ConsoleWorld
  let empty: ConsoleWorld
  let browser: Browser
  let ids: Awaited<ReturnType<typeof populate>>
  let candidate = ''
  const urls = { full: '', empty: '', viewer: '' }
  const ends: (() => Promise<void>)[] = []

  beforeAll(async () => {
    world = await openConsoleWorld()
    empty = await openConsoleWorld()
    ids = await populate(world)
    candidate = await makeCandidate(empty)
    await makeCandidate(world)
    const full = await serve(world.appFor(['admin.write']))
    const viewer = await serve(world.appFor(['admin.read']))
    const first = await serve(empty.appFor(['admin.write']))
    ends.push(full.end, viewer.end, first.end)
    Object.assign(urls, { full: full.url, viewer: viewer.url, empty: first.url })
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    for (const end of ends) await end()
    await world?.close()
    await empty?.close()
  })

  /** Every page, and each state of it that looks otherwise. */
  const STATES: Readonly<Record<string, () => string>> = {
    'first-steps': () => `${urls.empty}/console`,
    overview: () => `${urls.full}/console`,
    'overview-quarter': () => `${urls.full}/console?range=quarter`,
    devices: () => `${urls.full}/console/devices`,
    'devices-none': () => `${urls.full}/console/devices?search=nobody-at-all`,
    'devices-refused': () => `${urls.full}/console/devices?ring=ninety`,
    'devices-by-clause': () => `${urls.full}/console/devices?by=clause`,
    'device-denied': () => `${urls.full}/console/devices/${ids.denied}`,
    'device-trusted': () => `${urls.viewer}/console/devices/${ids.healthy[5]}`,
    'device-quarantined': () => `${urls.full}/console/devices/${ids.quarantined}`,
    'device-hostile': () => `${urls.full}/console/devices/${ids.hostile}`,
    'device-unknown': () => `${urls.full}/console/devices/dev_nobody`,
    'boot-log': () => `${urls.full}/console/devices/${ids.denied}/boot-log`,
    policies: () => `${urls.full}/console/policies/policy`,
    'policies-quiet': () => `${urls.empty}/console/policies/policy`,
    'policy-editor': () => `${urls.full}/console/policies/policy/edit`,
    'policy-version': () => `${urls.empty}/console/policies/policy/versions/${candidate}`,
    'policy-version-seen': () => `${urls.viewer}/console/policies/policy/versions/${candidate}`,
    'policy-version-rolled': () =>
      `${urls.full}/console/policies/policy/versions/${policyWith('attestation.enclaveSvn >= 7').hash}`,
    'reference-values': () => `${urls.full}/console/policies/reference-values`,
    entities: () => `${urls.full}/console/entities`,
    'entities-refused': () => `${urls.full}/console/entities?type=user`,
    entity: () => `${urls.full}/console/entities/one?kind=subject&type=user&id=ada@example.com`,
    streams: () => `${urls.full}/console/streams`,
    'streams-none': () => `${urls.empty}/console/streams`,
    stream: () => `${urls.full}/console/streams/${ids.stream}`,
    clients: () => `${urls.full}/console/clients`,
    client: () => `${urls.full}/console/clients/${ids.client}`,
    'client-unknown': () => `${urls.full}/console/clients/cli_nobody`,
    keys: () => `${urls.full}/console/keys`,
    settings: () => `${urls.full}/console/settings`,
    audit: () => `${urls.full}/console/audit`,
    'audit-refused': () => `${urls.full}/console/audit?device=nobody`,
  }

  describe.each(LOOKS)('$colorScheme, zoomed $zoom times', ({ colorScheme, zoom }) => {
    let page: Page
    beforeAll(async () => {
      // Zoom as browsers do it: the same window has half as many pixels of CSS (WCAG 2.2 §1.4.4).
      const viewport = { width: WIDTH / zoom, height: HEIGHT / zoom }
      const context = await browser.newContext({ colorScheme, viewport })
      page = await context.newPage()
    })
    afterAll(() => page?.context().close())

    test.each(Object.entries(STATES))('axe-core finds nothing in %s', async (name, url) => {
      await page.goto(url())
      await keep(page, `${name}-${colorScheme}${zoom === 1 ? '' : `-${zoom}x`}`)
      await unfold(page)
      expect(await violations(page)).toEqual([])
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect(wide, 'wider than the window').toBeLessThanOrEqual(0)
    })
  })

  describe('by keyboard alone', () => {
    let page: Page
    beforeAll(async () => {
      page = await browser.newPage()
    })
    afterAll(() => page?.close())

    test.each(Object.entries(STATES))(
      'everything in %s can be come to, and is seen',
      async (_, url) => {
        await page.goto(url())
        await unfold(page)
        const wanted = await page.evaluate((selector) => {
          return [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility())
            .length
        }, FOCUSABLE)
        const come = new Set<string>()
        for (let step = 0; step < wanted + 2; step++) {
          await page.keyboard.press('Tab')
          const { place, isSeen } = await page.evaluate(() => {
            const one = document.activeElement
            const all = [...document.querySelectorAll('*')]
            const { outlineStyle, outlineWidth } = getComputedStyle(one ?? document.body)
            const box = one?.getBoundingClientRect()
            const isSeen =
              outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && (box?.width ?? 0) > 0
            return { place: `${one?.tagName} ${one === null ? -1 : all.indexOf(one)}`, isSeen }
          })
          if (place.startsWith('BODY') || place.startsWith('HTML')) break
          if (come.has(place)) break
          expect(isSeen, `${place} has focus that nobody sees`).toBe(true)
          come.add(place)
        }
        expect(come.size).toBeGreaterThanOrEqual(wanted)
      },
    )

    test('the first key leads to what jumps over the navigation', async () => {
      await page.goto(STATES.devices?.() ?? '')
      await page.keyboard.press('Tab')
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(
        'Skip to the content',
      )
      await page.keyboard.press('Enter')
      expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    })

    test('a device is found, and why it is denied, and it is quarantined', async () => {
      await page.goto(`${urls.full}/console`)
      await page.focus('#find')
      await page.keyboard.type('laptop-ada')
      await page.keyboard.press('Enter')
      await page.waitForURL('**/console/devices?search=laptop-ada')
      await page.getByRole('link', { name: 'LAPTOP-ADA' }).focus()
      await page.keyboard.press('Enter')
      await page.getByText('Turn on Secure Boot').first().waitFor()
      await page.locator('summary', { hasText: 'Quarantine' }).focus()
      await page.keyboard.press('Enter')
      await page.keyboard.press('Tab')
      await page.keyboard.type('lost')
      await page.keyboard.press('Enter')
      await page.waitForURL('**?done=quarantine')
      expect(await page.getByRole('status').first().textContent()).toContain('is quarantined')
    })
  })

  test('what others wrote runs nowhere, and no page asks anybody else or breaks its own rules', async () => {
    const page = await browser.newPage()
    const said: string[] = []
    const asked = new Set<string>()
    page.on('console', (message) => said.push(message.text()))
    page.on('request', (request) => asked.add(new URL(request.url()).origin))
    for (const url of Object.values(STATES)) {
      await page.goto(url())
      expect(await page.evaluate(() => Reflect.get(globalThis, 'pwned'))).toBeUndefined()
      expect(await page.locator('main img, main script, main b').count()).toBe(0)
    }
    expect(said.filter((text) => text.includes('Content Security Policy'))).toEqual([])
    expect([...asked].toSorted()).toEqual([...new Set(Object.values(urls))].toSorted())
    await page.close()
  })

  test('a boot log is read event by event, and the first that differs is named', async () => {
    const page = await browser.newPage()
    await page.goto(STATES['boot-log']?.() ?? '')
    const file = (name: string, bytes: Uint8Array) => {
      return { name, mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) }
    }
    await page.getByLabel('The log').setInputFiles(file('bad.log', ids.logs.bad))
    await page.getByLabel('One of a good start').setInputFiles(file('good.log', ids.logs.good))
    await page.getByRole('button', { name: 'Read', exact: true }).click()
    await page.getByText('This is the log of the attestation of').waitFor()
    await keep(page, 'boot-log-read-light')
    const row = page.locator('tr', { has: page.locator('#first-different') })
    expect(await row.textContent()).toContain('SecureBoot = 00')
    expect(await violations(page)).toEqual([])
    await page.close()
  })
})

/** Serves it on a free port; the URL, and what ends that. */
async function serve(app: Hono<HttpEnv>): Promise<{ url: string; end: () => Promise<void> }> {
  const port = await freePort()
  const server = createAdaptorServer({ fetch: app.fetch })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const end = () => new Promise<void>((resolve) => server.close(() => resolve()))
  return { url: `http://127.0.0.1:${port}`, end }
}

/** A policy that is kept and previewed; its hash. */
async function makeCandidate(world: ConsoleWorld): Promise<string> {
  const { hash, body } = policyWith('attestation.bitlockerEnabled')
  const author = ['admin.read', 'admin.author'] as const
  const document = JSON.stringify(body, undefined, 2)
  const form = { do: 'keep', document, reason: 'Encryption is asked for' }
  const kept = await world.post('/console/policies/policy/edit', form, author)
  const path = `/console/policies/policy/versions/${hash}`
  const seen = await world.post(`${path}/preview`, {}, author)
  expect([kept.status, seen.status]).toEqual([303, 303])
  return hash
}

const FOCUSABLE =
  'a[href], button, input:not([type="hidden"]), select, textarea, summary, [tabindex="0"]'

/** Everything that can be folded away is looked at too. */
async function unfold(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const one of document.querySelectorAll('details')) one.open = true
  })
}

/** By the rules of axe-core, each with the element at fault. */
async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE)
  type Axe = { readonly run: (options: RunOptions) => Promise<AxeResults> }
  const found = await page.evaluate(
    (options) => (Reflect.get(globalThis, 'axe') as Axe).run(options),
    { resultTypes: ['violations'] } satisfies RunOptions,
  )
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}\n  ${html}\n  ${failureSummary}`),
  )
}

async function keep(page: Page, name: string): Promise<void> {
  if (SHOTS === undefined) return
  mkdirSync(SHOTS, { recursive: true })
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true })
}
