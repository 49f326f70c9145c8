import { randomBytes } from 'node:crypto'
import { toBase64 } from '../../src/base/encoding.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { migratePostgres } from '../../src/store/system/migrate.ts'
import { runChild } from './child.ts'
import type { BenchDatabase } from './database.ts'
import type { Fleet } from './fleet.ts'
import type { BenchOptions } from './options.ts'
import { recordPreviewFleet } from './preview-fleet.ts'
import type { PreviewInput, PreviewRun, PreviewVariant } from './preview-variant.ts'

export type PreviewFigures = {
  /** Of the preview to the slower of the first two floors. */
  readonly ratio: number
  readonly devices_per_s: number
  /** Resident memory of the process at its highest, from its start. */
  readonly peak_mb: number
  /** The longest that anything else in the process had to wait for its turn. */
  readonly longest_block_ms: number
  /** Cost of a device among 1,000,000 to that among 100,000. */
  readonly growth: number
  /** Devices a second. */
  readonly floors: {
    /** The same rows by the same statements, not looked at. */
    readonly read: number
    /** The same comparison of devices in memory. */
    readonly evaluate: number
    /** Both verdicts of devices in memory, each evaluated anew, as decisions do. */
    readonly evaluate_each: number
  }
}

export const PREVIEW_TARGETS = { ratio: 0.6, peak_mb: 300 } as const

export const MANY_DEVICES = 1_000_000
const DEVICES_FEW = 100_000

const TEXTS = { en: { title: 'Bench', repair: 'None.' } }

/** What is in force and two clauses more, one of which reads what differs from device to device. */
export const CANDIDATE = {
  ...BASELINE_POLICY,
  clauses: [
    ...BASELINE_POLICY.clauses,
    { id: 'newer', require: 'attestation.enclaveSvn >= 4', severity: 'enforce', texts: TEXTS },
    {
      id: 'kiosk_drive',
      when: '"kiosk" in device.labels',
      require: 'attestation.bitlockerEnabled',
      severity: 'enforce',
      texts: TEXTS,
    },
  ],
}

type Measured = {
  readonly perSecond: number
  readonly peakMb: number
  readonly blockMs: number
}

/** Previews of a policy over recorded fleets in databases of their own, beside their floors. */
export async function measurePreview(
  options: Pick<BenchOptions, 'seconds'>,
  database: BenchDatabase,
  onProgress: (text: string) => void,
): Promise<PreviewFigures> {
  const { seconds } = options
  const measure = async (url: string, variant: PreviewVariant): Promise<Measured> => {
    const input: PreviewInput = {
      variant,
      database: { kind: 'postgres', url, poolSize: 4 },
      candidate: CANDIDATE,
      seconds,
    }
    const run = await runChild<PreviewRun>('preview-variant.ts', input)
    const perSecond = run.devices / run.seconds
    onProgress(`${variant}: ${Math.round(perSecond)} devices a second of ${run.devices}`)
    return { perSecond, peakMb: run.peakMb, blockMs: run.blockMs }
  }
  const few = await withFleet(database, DEVICES_FEW, onProgress, (url) => measure(url, 'preview'))
  return withFleet(database, MANY_DEVICES, onProgress, async (url) => {
    const previews: Measured[] = []
    const reads: Measured[] = []
    // Each once with the colder and once with the warmer database.
    for (const variant of ['read', 'preview', 'preview', 'read'] as const) {
      const runs = variant === 'read' ? reads : previews
      runs.push(await measure(url, variant))
    }
    const preview = meanOf(previews)
    const read = meanOf(reads)
    const evaluate = await measure(url, 'evaluate')
    const each = await measure(url, 'evaluate_each')
    return {
      ratio: roundTo(preview.perSecond / Math.min(read.perSecond, evaluate.perSecond), 3),
      devices_per_s: Math.round(preview.perSecond),
      peak_mb: Math.round(Math.max(...previews.map(({ peakMb }) => peakMb))),
      longest_block_ms: Math.round(Math.max(...previews.map(({ blockMs }) => blockMs))),
      growth: roundTo(few.perSecond / preview.perSecond, 3),
      floors: {
        read: Math.round(read.perSecond),
        evaluate: Math.round(evaluate.perSecond),
        evaluate_each: Math.round(each.perSecond),
      },
    }
  })
}

/** A database of its own with so many devices, for as long as it is used. */
export async function withFleet<T>(
  database: BenchDatabase,
  devices: number,
  onProgress: (text: string) => void,
  use: (url: string, environment: Fleet['environment']) => Promise<T>,
): Promise<T> {
  const name = `preview_${devices}_${process.pid}`
  await database.execute(`create database ${name}`)
  try {
    const url = Object.assign(new URL(database.url), { pathname: `/${name}` }).toString()
    await migratePostgres(url)
    const environment = {
      DATABASE_URL: url,
      SECRET_KEY: toBase64(randomBytes(32)),
      PUBLIC_URL: 'https://countersign.example',
      LOG_LEVEL: 'error',
    }
    const start = performance.now()
    await recordPreviewFleet(url, environment, devices)
    onProgress(`recorded ${devices} devices in ${Math.round(performance.now() - start)} ms`)
    return await use(url, environment)
  } finally {
    await database.execute(`drop database ${name} with (force)`)
  }
}

function meanOf(runs: readonly Measured[]): { readonly perSecond: number } {
  return { perSecond: runs.reduce((sum, run) => sum + run.perSecond, 0) / runs.length }
}

function roundTo(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}
