import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildWorker, runWrangler } from '../support/wrangler.ts'

export type WorkerFigures = {
  /** Of what is uploaded, as wrangler compresses it. The platform takes 3 MiB, or 10 from who pays. */
  readonly gzip_bytes: number
  /** Work until the Worker can take a request, of which the platform allows 1 s: the median start. */
  readonly startup_ms: number
  /** The same with the time in which the runtime waited for something. */
  readonly startup_window_ms: number
}

const STARTS = 5

/** Builds the Worker as a deployment does and starts it a few times (`wrangler check startup`). */
export async function measureWorker(): Promise<WorkerFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-worker-'))
  try {
    const { script } = await buildWorker(folder)
    const starts: Start[] = []
    for (let start = 0; start < STARTS; start++) starts.push(await measureStart(folder))
    const middle = starts.sort((a, b) => a.activeMs - b.activeMs)[STARTS >> 1]
    return {
      gzip_bytes: gzipSync(await readFile(script)).length,
      startup_ms: middle?.activeMs ?? NaN,
      startup_window_ms: middle?.windowMs ?? NaN,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

type Start = { readonly activeMs: number; readonly windowMs: number }

async function measureStart(folder: string): Promise<Start> {
  const outfile = join(folder, 'start.cpuprofile')
  await runWrangler(['check', 'startup', '--outfile', outfile])
  const profile = JSON.parse(await readFile(outfile, 'utf8')) as Profile
  const idle = profile.nodes.find(({ callFrame }) => callFrame.functionName === '(idle)')?.id
  const sum = (micros: readonly number[]) => micros.reduce((total, one) => total + one, 0) / 1000
  return {
    activeMs: sum(profile.timeDeltas.filter((_, index) => profile.samples[index] !== idle)),
    windowMs: sum(profile.timeDeltas),
  }
}

/** A CPU profile of Chrome's developer tools; times in microseconds. */
type Profile = {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { functionName: string } }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}
