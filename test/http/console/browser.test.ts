import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { AxeResults, RunOptions } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeChromium, launchChromium } from '../../support/chromium.ts'
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
  const urls = { full: '', empty: '', viewer: '' }
  const ends: (() => Promise<void>)[] = []

  beforeAll(async () => {
    world = await openConsoleWorld()
    empty = await openConsoleWorld()
    ids = await populate(world)
    const full = await world.serve(['admin.write'])
    const viewer = await world.serve(['admin.read'])
    const first = await empty.serve(['admin.write'])
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
  const states = (): Readonly<Record<string, string>> => ({
    'first-steps': `${urls.empty}/console`,
    overview: `${urls.full}/console`,
    'overview-quarter': `${urls.full}/console?range=quarter`,
    devices: `${urls.full}/console/devices`,
    'devices-filtered': `${urls.full}/console/devices?clause=secure_boot_on&verdict=untrusted`,
    'devices-none': `${urls.full}/console/devices?search=nobody-at-all`,
    'devices-refused': `${urls.full}/console/devices?ring=ninety`,
    'devices-by-clause': `${urls.full}/console/devices?by=clause`,
    'device-denied': `${urls.full}/console/devices/${ids.denied}`,
    'device-trusted': `${urls.viewer}/console/devices/${ids.healthy[5]}`,
    'device-quarantined': `${urls.full}/console/devices/${ids.quarantined}`,
    'device-hostile': `${urls.full}/console/devices/${ids.hostile}`,
    'device-unknown': `${urls.full}/console/devices/dev_nobody`,
    'boot-log': `${urls.full}/console/devices/${ids.denied}/boot-log`,
  })

  async function open({ colorScheme, zoom }: Look, url: string): Promise<Page> {
    // Zoom as browsers do it: the same window has half as many pixels of CSS (WCAG 2.2 §1.4.4).
    const viewport = { width: WIDTH / zoom, height: HEIGHT / zoom }
    const context = await browser.newContext({ colorScheme, viewport, deviceScaleFactor: zoom })
    const page = await context.newPage()
    await page.goto(url)
    return page
  }

  async function violations(page: Page): Promise<readonly string[]> {
    await page.evaluate(AXE)
    const results = await page.evaluate(
      (options) =>
        (globalThis as unknown as { axe: { run: (o: RunOptions) => Promise<AxeResults> } }).axe.run(
          options,
        ),
      { resultTypes: ['violations'] } satisfies RunOptions,
    )
    return results.violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${help}\n  ${html}\n  ${failureSummary}`),
    )
  }

  describe.each(LOOKS)('$colorScheme, zoomed $zoom times', (look) => {
    test('axe-core finds nothing, and nothing sticks out', async () => {
      const found: Record<string, readonly string[]> = {}
      for (const [name, url] of Object.entries(states())) {
        const page = await open(look, url)
        // Everything that can be folded away is looked at too.
        await page.evaluate(() => {
          for (const one of document.querySelectorAll('details')) one.open = true
        })
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        const sticksOut = wide > 0 ? [`wider than the window by ${wide}`] : []
        found[name] = [...(await violations(page)), ...sticksOut]
        await keep(page, name, look)
        await page.context().close()
      }
      expect(Object.fromEntries(Object.entries(found).filter(([, one]) => one.length > 0))).toEqual(
        {},
      )
    })
  })

  async function keep(page: Page, name: string, { colorScheme, zoom }: Look): Promise<void> {
    if (SHOTS === undefined) return
    mkdirSync(SHOTS, { recursive: true })
    await page.evaluate(() => {
      for (const one of document.querySelectorAll('details')) one.open = false
    })
    const path = join(SHOTS, `${name}-${colorScheme}${zoom === 1 ? '' : `-${zoom}x`}.png`)
    await page.screenshot({ path, fullPage: true })
  }
})
