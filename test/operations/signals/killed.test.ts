import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { PUSH } from '../../../src/signals/stream.ts'
import { openPostgresStore } from '../../../src/store/drivers/postgres.ts'
import type { Store } from '../../../src/store/store.ts'
import { migratePostgres } from '../../../src/store/system/migrate.ts'
import { attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import { describePostgres, type Postgres, startPostgres } from '../../support/postgres.ts'
import { programPath } from '../../support/programs.ts'
import { type Receiver, startReceiver } from './receiver.ts'

vi.setConfig({ testTimeout: 240_000 })

const KILLS = 100
const DEVICES = 60
/** Of each device, one after the other. */
const CHANGES = 16
/** How long the receiver takes, and a process lives at most. */
const ANSWER_MS = 30
const LIFE_MS = 120
/** A lease of 15 seconds is over in a tenth of one. */
const SPEED = 150
const SINCE = Date.now()
const PROGRAM = 'test/operations/signals/delivering-process.ts'

/** Witness: `kill -9` of the operating system, in the middle of whatever a process does. */
describePostgres('two processes that deliver', () => {
  let server: Postgres
  let store: Store
  let url: string

  beforeAll(async () => {
    server = await startPostgres()
    url = await server.createDatabase('killed_deliveries')
    await migratePostgres(url)
    store = openPostgresStore({ url, poolSize: 5 })
  })
  afterAll(async () => {
    await store?.close()
    await server?.stop()
  })

  test(`and are killed ${KILLS} times bring every event, none before the one before it`, async () => {
    const receiver = await startReceiver()
    const streamId = newId('str_')
    await store.createStream({
      ...{ streamId, clientId: 'cli_a', audience: 'a', subjectForm: 'device', most: 1 },
      delivery: { method: PUSH, url: receiver.url, sealedAuthorization: null },
      ...{ eventsRequested: [], eventsDelivered: ['device-compliance-change'], description: null },
      ...{ by: 'test', now: new Date() },
    })
    const devices = Array.from({ length: DEVICES }, newDeviceId)
    for (let at = 0; at < CHANGES; at++) {
      const verdict = at % 2 === 0 ? 'trusted' : 'untrusted'
      const record = (deviceId: string) =>
        store.recordAttestation(attestationOf({ deviceId, verdict, at }))
      await Promise.all(devices.map(record))
    }
    // Late enough for a kill to come between the arrival of an event and the note of it.
    receiver.answer = (response, claims) => {
      receiver.taken.push(claims)
      setTimeout(() => response.writeHead(202).end(), ANSWER_MS)
    }
    const kills = await Promise.all(['one', 'two'].map((name) => dieAgainAndAgain(name)))
    expect(kills.reduce((a, b) => a + b, 0)).toBe(KILLS)
    const last = ['three', 'four'].map((name) => start(name))
    await expect
      .poll(() => store.countDeliveries(streamId), { timeout: 120_000, interval: 200 })
      .toEqual({ waiting: 0, refused: 0 })
    await Promise.all(last.map(kill))
    const firsts = firstArrivals(receiver)
    for (const deviceId of devices) {
      const positions = firsts.get(deviceId) ?? []
      expect(positions).toHaveLength(CHANGES)
      expect(positions).toEqual(positions.toSorted((a, b) => a - b))
    }
    // Else nothing was shown: some arrived and were not noted, and came again under the same name.
    expect(receiver.taken.length).toBeGreaterThan(DEVICES * CHANGES)
  })

  function start(name: string): ChildProcess {
    const args = [programPath(PROGRAM), url, name, String(SINCE), String(SPEED)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }

  /** Half of the kills: each after the process has begun, sooner or later. */
  async function dieAgainAndAgain(name: string): Promise<number> {
    let kills = 0
    while (kills < KILLS / 2) {
      const child = start(`${name}-${kills}`)
      await once(child.stdout ?? child, 'data')
      await delay((kills * 13) % LIFE_MS)
      await kill(child)
      kills += 1
    }
    return kills
  }
})

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  expect(child.signalCode).toBe('SIGKILL')
}

/** The positions of a device in the order in which each arrived for the first time. */
function firstArrivals({ taken }: Receiver): ReadonlyMap<string, readonly number[]> {
  const seen = new Map<string, Set<number>>()
  for (const { jti } of taken) {
    const [, lane = '', position] = String(jti).split('.')
    seen.set(lane, (seen.get(lane) ?? new Set()).add(Number(position)))
  }
  return new Map([...seen].map(([lane, positions]) => [lane, [...positions]]))
}
