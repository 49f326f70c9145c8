import { createSecretKey, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import pg from 'pg'
import {
  CHUNK_BYTES,
  joinChunks,
  patchesOf,
  type StatusChunk,
} from '../../src/access/status-list/chunks.ts'
import { BLOCK_ENTRIES, indexOfPlace } from '../../src/access/status-list/shuffle.ts'
import { STATUS_OF, type Status } from '../../src/access/status-list/statuses.ts'
import { toHex } from '../../src/base/encoding.ts'
import { buildStatusList } from '../../src/operations/status-list/build-list.ts'
import { type Fleet, openServices } from './fleet.ts'

export type StatusListFigures = {
  /** Of the JWT, and of what goes over the wire where gzip is taken. */
  readonly bytes: number
  readonly gzip_bytes: number
  /** From the chunks in the database to the signed list in the database. */
  readonly build_ms: number
  readonly build_most_ms: number
  /** The same where those that are not compliant are so for three reasons in equal parts. */
  readonly bytes_even: number
  readonly gzip_bytes_even: number
}

export const STATUS_LIST_TARGETS = {
  bytes: 1_150_000,
  gzip_bytes: 900_000,
  build_ms: 5000,
} as const

const DEVICES = 8_500_000
const RINGS = 100
const BUILDS = 5
/** One in ten is not compliant, at places by chance. */
const COMPLIANT = 0.9
/** What the others are: mostly such that fail a clause or are silent, some unknown, some in quarantine. */
const MOSTLY_INVALID: readonly Status[] = [
  ...Array.from({ length: 8 }, () => STATUS_OF.untrusted),
  STATUS_OF.unknown,
  STATUS_OF.quarantined,
]
const EVEN: readonly Status[] = [STATUS_OF.untrusted, STATUS_OF.unknown, STATUS_OF.quarantined]

/** Builds the list of a fleet of 8,500,000 from its form in the database, again and again. */
export async function measureStatusList(
  fleet: Pick<Fleet, 'environment'>,
  onProgress: (text: string) => void,
): Promise<StatusListFigures> {
  const { DATABASE_URL: url = '' } = fleet.environment
  const services = await openServices({ ...fleet.environment, LOG_LEVEL: 'error' })
  const measure = async (others: readonly Status[]) => {
    await storeChunks(url, makeChunks(others))
    const times: number[] = []
    for (let build = 0; build < BUILDS; build++) {
      const start = performance.now()
      if ((await buildStatusList(services, new Date())) !== 'applied') throw new Error('superseded')
      times.push(performance.now() - start)
    }
    const list = await services.store.signedStatusList(null)
    if (list === null) throw new Error('there is no list')
    onProgress(`${list.token.length} bytes, built in ${times.map(Math.round).join(', ')} ms`)
    return {
      bytes: list.token.length,
      gzip: gzipSync(list.token).length,
      times: times.sort(byValue),
    }
  }
  try {
    const { bytes, gzip, times } = await measure(MOSTLY_INVALID)
    const even = await measure(EVEN)
    return {
      ...{ bytes, gzip_bytes: gzip },
      build_ms: Math.round(times[Math.floor(BUILDS / 2)] ?? 0),
      build_most_ms: Math.round(times.at(-1) ?? 0),
      ...{ bytes_even: even.bytes, gzip_bytes_even: even.gzip },
    }
  } finally {
    await services.store.close()
  }
}

const byValue = (a: number, b: number) => a - b

/**
 * As that many first attestations leave them: rings are even but for chance, so that the last places are taken in
 * some and not in others. Full blocks are as they are wherever their devices are within them.
 */
function makeChunks(others: readonly Status[]): readonly StatusChunk[] {
  const secret = createSecretKey(randomBytes(32))
  const taken = new Uint32Array(RINGS)
  for (let device = 0; device < DEVICES; device++) {
    const ring = Math.floor(Math.random() * RINGS)
    taken[ring] = (taken[ring] ?? 0) + 1
  }
  const fullPlaces = Math.min(...taken) * RINGS
  const fullBlocks = Math.floor(fullPlaces / BLOCK_ENTRIES)
  const entries = function* (): Generator<readonly [number, Status]> {
    for (const [ring, count] of taken.entries()) {
      for (let turn = 0; turn < count; turn++) {
        const place = turn * RINGS + ring
        const isFull = place < fullBlocks * BLOCK_ENTRIES
        const other = others[Math.floor(Math.random() * others.length)] ?? STATUS_OF.untrusted
        const status = Math.random() < COMPLIANT ? STATUS_OF.trusted : other
        yield [isFull ? place : indexOfPlace(place, secret), status]
      }
    }
  }
  const chunks = new Map<number, Uint8Array>()
  for (const [chunk, at, keep, set] of patchesOf(entries())) {
    const statuses = chunks.get(chunk) ?? new Uint8Array(CHUNK_BYTES).fill(0xff)
    statuses[at] = ((statuses[at] ?? 0) & keep) | set
    chunks.set(chunk, statuses)
  }
  return [...chunks].map(([chunk, statuses]) => ({ chunk, statuses }))
}

async function storeChunks(url: string, chunks: readonly StatusChunk[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('delete from status_chunk')
    for (const { chunk, statuses } of chunks) {
      const text = `insert into status_chunk (chunk, statuses) values ($1, decode($2, 'hex'))`
      await client.query(text, [chunk, toHex(statuses)])
    }
    const { rows } = await client.query('select count(*)::integer as chunks from status_chunk')
    if (rows[0]?.chunks !== chunks.length) throw new Error('chunks are missing')
    if (joinChunks(chunks).length * 4 < DEVICES) throw new Error('devices are missing')
  } finally {
    await client.end()
  }
}
