import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { expect, test } from 'vitest'
import { fromBase64Url, toBase64, toBase64Url } from '../../src/base/encoding.ts'
import { type Environment, runCli, serveInTest } from '../cli/cli-process.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { freePort } from '../support/free-port.ts'
import { describePostgres, startPostgres } from '../support/postgres.ts'
import {
  type AttestingFleet,
  attestUntilGone,
  handIn,
  obtainSubmission,
  settleDoubts,
  startFleet,
} from './attesting-fleet.ts'

const TIMEOUT_MS = 120_000
const ROUNDS = 3
const DEVICES = 4
/** The first attestations of a round warm the service up; then any moment is as good. */
const ACKNOWLEDGED_LEAST = 3
const KILL_WITHIN_MS = 400

type Query = (text: string) => Promise<readonly Record<string, unknown>[]>

/** Kills `serve` in the middle of submissions, again and again, on the same data. */
async function killAndRestart(env: Environment): Promise<AttestingFleet> {
  const port = await freePort()
  const serve = () => serveInTest(['--port', String(port)], env)
  const fleet = await startFleet(`http://localhost:${port}`, DEVICES)
  const [patient] = fleet.agents
  if (patient === undefined) throw new TypeError('there are devices')
  let service = await serve()
  const authorization = await createClient(env)
  for (let round = 0; round < ROUNDS; round++) {
    const early = await obtainSubmission(patient)
    if (early === undefined) throw new TypeError('the service is up')
    const before = fleet.acknowledged.length
    const load = attestUntilGone(fleet)
    await expect
      .poll(() => fleet.acknowledged.length - before, { timeout: 30_000, interval: 5 })
      .toBeGreaterThanOrEqual(ACKNOWLEDGED_LEAST)
    await pause(Math.random() * KILL_WITHIN_MS)
    expect((await service.end('SIGKILL')).signal).toBe('SIGKILL')
    await load

    service = await serve()
    // Nonce and token are good across the crash: nothing of them was in the process that died.
    expect(await handIn(fleet, patient, early)).toBe('recorded')
    await settleDoubts(fleet)
    await expectAcknowledgedInHistory(service.url, authorization, fleet)
  }
  expect((await service.end('SIGTERM')).code).toBe(0)
  return fleet
}

async function createClient(env: Environment): Promise<string> {
  const args = ['clients', 'create', '--name', 'test', '--scope', 'admin.read', '--json']
  const { client_id: id, client_secret: secret } = JSON.parse((await runCli(args, env)).stdout)
  return `Basic ${toBase64(Buffer.from(`${id}:${secret}`))}`
}

/** As an administrator sees it. */
async function expectAcknowledgedInHistory(
  url: string,
  authorization: string,
  { agents, acknowledged }: AttestingFleet,
): Promise<void> {
  const seen = new Map<string, string>()
  for (const { device } of agents) {
    let before = ''
    do {
      const page = `${url}/v1/devices/${device.deviceId}/attestations?limit=200${before}`
      const { attestations, next_before: next } = await (
        await fetch(page, { headers: { authorization } })
      ).json()
      for (const { attestation_id, verdict } of attestations) seen.set(attestation_id, verdict)
      before = next === null ? '' : `&before=${next}`
    } while (before !== '')
  }
  for (const { attestationId, verdict } of acknowledged) {
    expect(seen.get(attestationId), attestationId).toBe(verdict)
  }
}

/** Spent nonce, history, device row and event of each attestation are all there, or none. */
async function expectWhole(query: Query, fleet: AttestingFleet): Promise<void> {
  const history = await query(
    `select device_id, attestation_id, verdict from attestation
     order by device_id, at, attestation_id`,
  )
  const recorded = history.map((row) => String(row.attestation_id))
  expect(fleet.acknowledged.filter((one) => !recorded.includes(one.attestationId))).toEqual([])

  const ids = async (text: string) => (await query(text)).map((row) => String(row.id)).sort()
  const spent = fleet.spent.map(({ deviceId, nonce }) => `${deviceId} ${nonceId(nonce)}`)
  const inTable = await ids(`select device_id || ' ' || nonce_id as id from spent_nonce`)
  expect(inTable).toEqual(spent.toSorted())
  expect(history.map((row) => row.device_id).sort()).toEqual(
    fleet.spent.map(({ deviceId }) => deviceId).sort(),
  )

  const first = new Map(history.toReversed().map((row) => [row.device_id, row]))
  const newest = new Map(history.map((row) => [row.device_id, row]))
  const devices = await query('select device_id, attestation_id, verdict from device')
  expect(devices).toHaveLength(DEVICES)
  for (const device of devices) expect(device).toEqual(newest.get(device.device_id))
  const recent = `select attestations -> 0 ->> 'attestationId' as id from recent_attestation`
  expect(await ids(recent)).toEqual(devices.map((device) => String(device.attestation_id)).sort())
  const changes = `select payload ->> 'attestationId' as id from outbox
    where type = 'device-compliance-change'`
  // The verdict of a device never changes here, so only its first attestation is an event.
  expect(await ids(changes)).toEqual(
    [...first.values()].map((row) => String(row.attestation_id)).sort(),
  )
}

/** What is remembered of a nonce: its random part, after version and expiry. */
function nonceId(nonce: string): string {
  return toBase64Url(Buffer.from(fromBase64Url(nonce) ?? []).subarray(5, 21))
}

const settings = {
  SECRET_KEY: randomBytes(32).toString('base64'),
  DEVICE_ATTESTATIONS_PER_MINUTE: '6000',
}
const LOSES_NOTHING =
  'killed in the middle of submissions, it loses no acknowledged attestation and leaves none half-written'

test(`serve on the embedded database: ${LOSES_NOTHING}`, {
  timeout: TIMEOUT_MS,
}, async ({ onTestFinished }) => {
  const data = mkdtempSync(join(tmpdir(), 'countersign-kill-'))
  onTestFinished(() => rmSync(data, { recursive: true, maxRetries: 5 }))
  await makeDataDirectory(data)
  const fleet = await killAndRestart({ ...settings, DATA_DIR: data })
  const database = await PGlite.create(join(data, 'store', 'database'))
  onTestFinished(() => database.close())
  await expectWhole(async (text) => {
    return (await database.query<Record<string, unknown>>(text)).rows
  }, fleet)
})

describePostgres('serve on PostgreSQL', () => {
  test(LOSES_NOTHING, { timeout: TIMEOUT_MS }, async ({ onTestFinished }) => {
    const server = await startPostgres()
    onTestFinished(server.stop)
    const env = { ...settings, DATABASE_URL: await server.createMigrated('service') }
    const fleet = await killAndRestart(env)
    const client = new pg.Client({ connectionString: env.DATABASE_URL })
    await client.connect()
    try {
      await expectWhole(async (text) => {
        return (await client.query<Record<string, unknown>>(text)).rows
      }, fleet)
    } finally {
      await client.end()
    }
  })
})
