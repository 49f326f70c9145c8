import { createHash } from 'node:crypto'
import pg from 'pg'
import { deviceIdOf } from '../../src/access/device-id.ts'
import { startChild } from './child.ts'
import type { BenchDatabase } from './database.ts'
import { createBenchClient, deviceKeyOf, type Fleet, openServices } from './fleet.ts'
import type { OpenLoadInput, OpenLoadReport } from './open-load.ts'
import { CANDIDATE, MANY_DEVICES, withFleet } from './preview.ts'
import type { PreviewInput } from './preview-variant.ts'

/** Questions, 50 a second for 20 seconds, beside what else the database is asked to do. */
export type BesideFigures = {
  /** A preview of 1,000,000 devices in another process. */
  readonly preview_p50_ms: number
  readonly preview_p99_ms: number
  /** The row of one device locked by another session, and ten submissions that wait for it. */
  readonly lock_p50_ms: number
  readonly lock_p99_ms: number
  /** Questions of both that were not answered with a decision. */
  readonly not_answered: number
}

export const BESIDE_TARGETS = { preview_p99_ms: 50, lock_p99_ms: 100, not_answered: 1 } as const

const LOAD = { perSecond: 50, seconds: 20 } as const
const ASKED_DEVICES = 1000
const LOCKED = 0
const SUBMISSIONS = 10

export async function measureBeside(
  database: BenchDatabase,
  fleet: Fleet,
  onProgress: (text: string) => void,
): Promise<BesideFigures> {
  const lock = await besideLock(fleet)
  onProgress(`beside a lock: ${JSON.stringify(lock)}`)
  const preview = await withFleet(database, MANY_DEVICES, onProgress, besidePreview)
  onProgress(`beside a preview: ${JSON.stringify(preview)}`)
  return {
    preview_p50_ms: preview.p50Millis,
    preview_p99_ms: preview.p99Millis,
    lock_p50_ms: lock.p50Millis,
    lock_p99_ms: lock.p99Millis,
    not_answered: preview.others + lock.others,
  }
}

async function besidePreview(
  url: string,
  environment: Fleet['environment'],
): Promise<OpenLoadReport> {
  const services = await openServices(environment)
  const client = await createBenchClient(services)
  await services.store.close()
  const deviceIds = Array.from({ length: ASKED_DEVICES }, (_, index) => copyOf(1 + index * 997))
  return withServer(environment, async (server) => {
    const database = { kind: 'postgres', url, poolSize: 4 } as const
    const input: PreviewInput = { variant: 'preview', database, candidate: CANDIDATE, seconds: 1 }
    const preview = startChild('preview-variant.ts', input)
    try {
      const report = await load({ url: server, client, deviceIds, ...LOAD })
      const isOver = await Promise.race([preview.next().then(() => true), Promise.resolve(false)])
      if (isOver) throw new Error('the preview was over before the questions')
      return report
    } finally {
      await preview.stop()
    }
  })
}

/** As `recordPreviewFleet` names its devices. */
function copyOf(index: number): string {
  const md5 = (text: string) => createHash('md5').update(text).digest('hex')
  return `dev_${(md5(String(index)) + md5(`x${index}`)).slice(0, 52)}`
}

async function besideLock({ environment, client, makeSubmission }: Fleet): Promise<OpenLoadReport> {
  const deviceIds = Array.from({ length: ASKED_DEVICES }, (_, index) => {
    return deviceIdOf(deviceKeyOf(LOCKED + 1 + index))
  })
  const submissions = await Promise.all(
    Array.from({ length: SUBMISSIONS }, () => makeSubmission(LOCKED)),
  )
  const locker = new pg.Client({ connectionString: environment.DATABASE_URL })
  await locker.connect()
  try {
    const patient = { ...environment, DEVICE_ATTESTATIONS_PER_MINUTE: '6000' }
    return await withServer(patient, async (url) => {
      await locker.query('begin')
      const text = 'select from device where device_id = $1 for update'
      await locker.query(text, [deviceIdOf(deviceKeyOf(LOCKED))])
      let isOver = false
      const waiting = submissions.map(async ({ token, proof }) => {
        const headers = { 'content-type': 'application/json', dpop: proof }
        const request = { method: 'POST', headers, body: JSON.stringify({ token }) }
        while (!isOver) await (await fetch(`${url}/v1/attestations`, request)).arrayBuffer()
      })
      try {
        return await load({ url, client, deviceIds, ...LOAD })
      } finally {
        isOver = true
        await locker.query('rollback')
        await Promise.all(waiting)
      }
    })
  } finally {
    await locker.end()
  }
}

async function withServer<T>(
  environment: Fleet['environment'],
  use: (url: string) => Promise<T>,
): Promise<T> {
  const server = startChild('evaluation-server.ts', { variant: 'path', environment })
  try {
    const { url } = (await server.next()) as { readonly url: string }
    return await use(url)
  } finally {
    await server.stop()
  }
}

async function load(input: OpenLoadInput): Promise<OpenLoadReport> {
  const child = startChild('open-load.ts', input)
  try {
    return (await child.next()) as OpenLoadReport
  } finally {
    await child.stop()
  }
}
