import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openStore, type StoreConfig } from '../../../src/store/drivers/open-store.ts'
import { makeDataDirectory } from '../../support/data-directory.ts'
import { describePostgres, type Postgres, startPostgres } from '../../support/postgres.ts'
import { programPath } from '../../support/programs.ts'

const DEVICES = 4
const TIMEOUT_MS = 120_000

type Query = (text: string) => Promise<readonly Record<string, unknown>[]>

type Recorder = {
  /** Ids that the store had acknowledged. Complete once the process has ended. */
  readonly acknowledged: string[]
  /** Every device has been acknowledged at least once, and one of them twice. */
  readonly busy: Promise<void>
  readonly ended: Promise<void>
  readonly kill: () => void
}

function startRecorder(config: StoreConfig, round: number): Recorder {
  const args = [
    '--config',
    JSON.stringify(config),
    '--round',
    `${round}`,
    '--devices',
    `${DEVICES}`,
  ]
  const child: ChildProcess = spawn(
    process.execPath,
    [programPath('test/store/devices/recording-process.ts'), ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const acknowledged: string[] = []
  const busy = Promise.withResolvers<void>()
  let rest = ''
  let errors = ''
  child.stderr?.on('data', (data) => {
    errors += data
  })
  child.stdout?.on('data', (data) => {
    const lines = (rest + data).split('\n')
    rest = lines.pop() ?? ''
    acknowledged.push(...lines)
    if (acknowledged.length > DEVICES) busy.resolve()
  })
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      busy.reject(new Error(`ended before it was busy: ${errors}`))
      resolve()
    })
  })
  return { acknowledged, busy: busy.promise, ended, kill: () => child.kill('SIGKILL') }
}

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms))

/** Lets a recorder work for a moment of random length, ends it, and answers what it was promised. */
async function recordUntilKilled(config: StoreConfig, round: number): Promise<string[]> {
  const recorder = startRecorder(config, round)
  await recorder.busy
  await pause(Math.random() * 500)
  recorder.kill()
  await recorder.ended
  return recorder.acknowledged
}

/** Every acknowledged attestation is there, and each one that is there is there whole. */
async function expectWhole(query: Query, acknowledged: readonly string[]): Promise<void> {
  const history = await query(
    'select device_id, attestation_id, verdict from attestation order by device_id, at',
  )
  const recorded = history.map((row) => String(row.attestation_id))
  const known = new Set(recorded)
  expect(acknowledged.filter((id) => !known.has(id))).toEqual([])

  const ids = async (text: string) => (await query(text)).map((row) => String(row.id)).sort()
  const sorted = recorded.toSorted()
  expect(await ids(`select replace(nonce_id, 'nonce_', 'att_') as id from spent_nonce`)).toEqual(
    sorted,
  )
  const recent = await query('select device_id, attestations -> 0 as last from recent_attestation')

  const newest = new Map(history.map((row) => [row.device_id, row]))
  const devices = await query('select device_id, attestation_id, verdict from device')
  expect(devices).toHaveLength(newest.size)
  for (const device of devices) expect(device).toEqual(newest.get(device.device_id))
  expect(recent).toHaveLength(newest.size)
  for (const { device_id, last } of recent) {
    const { attestation_id: attestationId, verdict } = newest.get(device_id) ?? {}
    expect(last).toMatchObject({ attestationId, verdict })
  }

  const changes = history.filter((row, index) => {
    const before = history[index - 1]
    return before?.device_id !== row.device_id || before?.verdict !== row.verdict
  })
  expect(await ids(`select payload ->> 'attestationId' as id from outbox`)).toEqual(
    changes.map((row) => String(row.attestation_id)).sort(),
  )
}

describe('embedded store', { timeout: TIMEOUT_MS }, () => {
  test('a killed process loses no acknowledged attestation and leaves none half-written', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'countersign-crash-'))
    onTestFinished(() => rmSync(dataDir, { recursive: true }))
    await makeDataDirectory(dataDir)
    const config = { kind: 'embedded', dataDir } as const
    const acknowledged: string[] = []
    for (let round = 0; round < 3; round++) {
      acknowledged.push(...(await recordUntilKilled(config, round)))
    }
    // The next process takes over from the dead one by itself.
    const store = await openStore(config)
    expect(store.place).toMatchObject({ kind: 'directory', role: 'owner' })
    const { entries } = await store.deviceHistory('dev_0', { limit: 1 })
    expect(entries[0]?.attestationId).toContain('att_r2-d0-')
    await store.close()

    const client = await PGlite.create(join(dataDir, 'store', 'database'))
    await expectWhole(async (text) => {
      return (await client.query<Record<string, unknown>>(text)).rows
    }, acknowledged)
    await client.close()
  })
})

describePostgres('store on PostgreSQL', () => {
  vi.setConfig({ testTimeout: TIMEOUT_MS })

  async function withServer(run: (server: Postgres, query: Query) => Promise<void>) {
    const server = await startPostgres()
    const url = await server.createMigrated('recorded')
    const query: Query = async (text) => {
      const client = new pg.Client({ connectionString: url })
      client.on('error', () => {})
      await client.connect()
      try {
        return (await client.query<Record<string, unknown>>(text)).rows
      } finally {
        await client.end().catch(() => {})
      }
    }
    await run({ ...server, url }, query).finally(server.stop)
  }
  const configOf = ({ url }: Postgres) => ({ kind: 'postgres', url, poolSize: DEVICES }) as const

  test('a killed process loses no acknowledged attestation and leaves none half-written', async () => {
    await withServer(async (server, query) => {
      const acknowledged: string[] = []
      for (let round = 0; round < 4; round++) {
        acknowledged.push(...(await recordUntilKilled(configOf(server), round)))
      }
      await idle(query)
      await expectWhole(query, acknowledged)
    })
  })

  test('neither does a server that is killed while it records', async () => {
    await withServer(async (server, query) => {
      const acknowledged: string[] = []
      for (let round = 0; round < 3; round++) {
        const recorder = startRecorder(configOf(server), round)
        await recorder.busy
        await pause(Math.random() * 400)
        // Once a single backend, after which the server recovers by itself; then all of it.
        if (round === 0) await killBackend(query)
        else await server.kill()
        await recorder.ended
        acknowledged.push(...recorder.acknowledged)
        if (round > 0) await server.restart()
        await expect
          .poll(
            () =>
              idle(query).then(
                () => true,
                () => false,
              ),
            POLL,
          )
          .toBe(true)
        await expectWhole(query, acknowledged)
      }
    })
  })

  const POLL = { timeout: 15_000, interval: 50 }

  /** A statement that was under way when its client died is finished first. */
  async function idle(query: Query): Promise<void> {
    const others = `select 1 from pg_stat_activity
      where application_name = 'countersign' and pid <> pg_backend_pid()`
    for (let tries = 0; (await query(others)).length > 0; tries++) {
      if (tries > 200) throw new Error('a statement does not end')
      await pause(20)
    }
  }

  async function killBackend(query: Query): Promise<void> {
    const [row] = await query(
      `select pid from pg_stat_activity where application_name = 'countersign' limit 1`,
    )
    process.kill(Number(row?.pid), 'SIGKILL')
  }
})
