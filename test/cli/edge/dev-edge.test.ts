import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { runLoad } from '../../../src/simulator/load.ts'
import { openEmbeddedStore } from '../../../src/store/drivers/embedded.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import type { Store } from '../../../src/store/store.ts'
import { makeDataDirectory } from '../../support/data-directory.ts'
import { freePort } from '../../support/free-port.ts'
import {
  describePostgres,
  FORGETFUL,
  type Postgres,
  startPostgres,
} from '../../support/postgres.ts'
import { PROJECT } from '../../support/wrangler.ts'
import { BARE } from '../cli-process.ts'

const START_MS = 60_000

let dataDir: string
let edge: Edge | undefined

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'countersign-edge-test-'))
  await makeDataDirectory(dataDir)
})
afterEach(async () => {
  await edge?.stop()
  edge = undefined
})
afterAll(() => rm(dataDir, { recursive: true, force: true }))

describe('npm run dev:edge', { timeout: START_MS }, () => {
  test('serves the whole flow from an embedded database, with nothing set up', async () => {
    edge = await startEdge({ DATA_DIR: dataDir })
    expect(await attest(edge.url, 12)).toMatchObject({ correct: 12, wrong: 0, failed: 0 })
    expect(await edge.stop()).toBe(0)
    expect(edge.output()).not.toMatch(/\[ERROR\]|"level":"error"/)

    const store = await openEmbeddedStore(dataDir)
    expect(store.place).toMatchObject({ role: 'owner' })
    expect(await countDevices(store)).toBeGreaterThanOrEqual(10)
    await store.close()
  })

  test('says what is wrong with its settings, and starts nothing', async () => {
    await expect(startEdge({ DATA_DIR: dataDir, ENROLMENT: 'perhaps' })).rejects.toThrow(
      /ended with 1.*ENROLMENT: must be one of/s,
    )
  })
})

describePostgres('npm run dev:edge on PostgreSQL', () => {
  let server: Postgres
  beforeAll(async () => {
    server = await startPostgres({ settings: FORGETFUL })
  })
  afterAll(() => server?.stop())

  test('migrates a database of this machine and serves from it', {
    timeout: START_MS,
  }, async () => {
    const url = await server.createDatabase('edge')
    edge = await startEdge({ DATA_DIR: dataDir, DATABASE_URL: url })
    expect(await attest(edge.url, 12)).toMatchObject({ correct: 12, wrong: 0, failed: 0 })
    const store = openPostgresStore({ url, poolSize: 1 })
    expect(await countDevices(store)).toBeGreaterThanOrEqual(10)
    await store.close()
  })
})

function attest(url: string, devices: number) {
  const signal = new AbortController().signal
  return runLoad({ url, devices, rate: 0, concurrency: 8, unhealthyEvery: 4, signal })
}

async function countDevices(store: Store): Promise<number> {
  const { devices } = await store.counts(new Date())
  return Object.values(devices).reduce((sum, count) => sum + count, 0)
}

type Edge = {
  readonly url: string
  readonly output: () => string
  /** Answers the exit status. */
  readonly stop: () => Promise<number | null>
}

async function startEdge(environment: Readonly<Record<string, string>>): Promise<Edge> {
  const port = await freePort()
  const child = spawn(process.execPath, [join(PROJECT, 'src/cli/edge/dev-edge.ts')], {
    env: {
      ...BARE,
      NO_COLOR: '1',
      PORT: String(port),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
    })
  }
  const url = `http://127.0.0.1:${port}`
  const ended = once(child, 'exit')
  while (!(await isReady(url))) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${output}`)
    await new Promise((wake) => setTimeout(wake, 100))
  }
  return { url, output: () => output, stop: () => stop(child, ended) }
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<number | null> {
  if (child.exitCode === null) child.kill('SIGTERM')
  await ended
  return child.exitCode
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok
  } catch {
    return false
  }
}
