import { Hono } from 'hono'
import pg from 'pg'
import { consoleServices } from '../../src/compose/people.ts'
import { consolePages } from '../../src/http/console/pages.ts'
import { MARK, STYLE } from '../../src/http/console/style.ts'
import type { HttpEnv } from '../../src/http/environment.ts'
import { requestContext } from '../../src/http/middleware/request-context.ts'
import type { SignedIn } from '../../src/operations/people/session.ts'
import { LOCAL_OWNER } from '../../src/people/person.ts'
import type { Store } from '../../src/store/store.ts'
import { recordStatements } from '../support/recorded-statements.ts'
import { growFleet } from './console-fleet.ts'
import type { BenchDatabase } from './database.ts'
import { type Fleet, openServices } from './fleet.ts'
import { median } from './rounds.ts'

/** How long a page takes on the server beside the statements that it sends, sent again one after the other. */
export type ConsoleFigures = Readonly<Record<string, PageFigures>>

export type PageFigures = {
  readonly p50_ms: number
  /** To its statements alone. */
  readonly ratio: number
  /** With the stylesheet and the icon. */
  readonly bytes: number
}

export const PAGE_TARGETS: PageFigures = { p50_ms: 100, ratio: 3, bytes: 60_000 }

const SIGNED_IN: SignedIn = {
  session: { sessionId: 'ses_bench', expiresAt: new Date(0) },
  person: LOCAL_OWNER,
  scopes: ['admin.write'],
  cookie: undefined,
}

const WARM = 5
const TIMES = 40
/** Below this many milliseconds a statement takes as long as the way to the database and back. */
const LEAST_MS = 0.5

export async function measureConsole(
  database: BenchDatabase,
  fleet: Fleet,
  { devices, onProgress }: { devices: number; onProgress: (text: string) => void },
): Promise<ConsoleFigures> {
  onProgress(`growing the fleet to ${devices} devices`)
  await growFleet(database.url, devices)
  const services = await openServices({ ...fleet.environment, LOG_LEVEL: 'error' })
  const bare = new pg.Client({ connectionString: database.url })
  await bare.connect()
  try {
    await keepHistory(services.store.keepFleetSummary)
    const app = new Hono<HttpEnv>()
      .use(requestContext(services))
      .use(async (c, next) => {
        c.set('client', { clientId: LOCAL_OWNER.personId, scopes: ['admin.write'] })
        c.set('signedIn', SIGNED_IN)
        await next()
      })
      .route('/', consolePages(consoleServices(services)))
    const ask = async (path: string) => {
      const answer = await app.fetch(new Request(new URL(path, 'http://localhost')))
      const text = await answer.text()
      if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${text}`)
      return text
    }
    const pages: Record<string, PageFigures> = {}
    for (const [name, path] of Object.entries(await pathsOf(bare))) {
      const figures = await measurePage(() => ask(path), bare)
      pages[name] = figures
      onProgress(`${name}: ${JSON.stringify(figures)}`)
    }
    return pages
  } finally {
    await bare.end()
    await services.store.close()
  }
}

async function pathsOf(bare: pg.Client): Promise<Readonly<Record<string, string>>> {
  const { rows } = await bare.query(
    `select device_id, owner from device where unmet @> '{secure_boot_on}' and owner is not null limit 1`,
  )
  const [{ device_id: id, owner }] = rows
  return {
    overview: '/console',
    list: '/console/devices',
    by_clause: '/console/devices?clause=secure_boot_on',
    by_verdict: '/console/devices?verdict=trusted',
    by_ring: '/console/devices?ring=7',
    by_label: '/console/devices?label=site-7',
    by_owner: `/console/devices?owner=${encodeURIComponent(owner)}`,
    search: '/console/devices?search=laptop-77',
    device: `/console/devices/${id}`,
  }
}

async function measurePage(ask: () => Promise<string>, bare: pg.Client): Promise<PageFigures> {
  const { answer: text, statements } = await recordStatements(ask)
  const sendAgain = async () => {
    for (const { text: sql, values } of statements) {
      await bare.query({ text: sql, values: [...values], rowMode: 'array' })
    }
  }
  const own: number[] = []
  const floor: number[] = []
  for (let turn = 0; turn < WARM + TIMES; turn++) {
    const both = [await time(ask), await time(sendAgain)] as const
    if (turn < WARM) continue
    own.push(both[0])
    floor.push(both[1])
  }
  const p50 = median(own)
  const least = Math.max(median(floor), LEAST_MS)
  const bytes = Buffer.byteLength(text) + STYLE.length + MARK.length
  return { p50_ms: round(p50), ratio: round(p50 / least), bytes }
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const round = (value: number) => Math.round(value * 100) / 100

/** As sweeps leave it in 90 days. */
async function keepHistory(keep: Store['keepFleetSummary']): Promise<void> {
  const now = Date.now()
  for (let quarter = 90 * 96; quarter >= 0; quarter--) {
    const verdicts = { trusted: 990_000, untrusted: 2000 + (quarter % 50), stale: 300, unknown: 40 }
    const failing = { 'enforce:secure_boot_on': 2000, 'report:bitlocker_on': 12_000 }
    await keep({ counts: { verdicts, failing }, at: new Date(now - quarter * 900_000) })
  }
}
