import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import type { PreviewRecord } from '../../src/replay/preview/compare.ts'
import type { StoreConfig } from '../../src/store/drivers/open-store.ts'
import { readInput, say } from './variant.ts'

export type PreviewVariant = 'preview' | 'read' | 'evaluate' | 'evaluate_each'
export type PreviewInput = {
  readonly variant: PreviewVariant
  readonly database: StoreConfig
  readonly candidate: unknown
  /** Evaluation goes over the same devices, read before, for so long. */
  readonly seconds: number
}
export type PreviewRun = {
  readonly devices: number
  readonly seconds: number
  /** Of the process over its whole life. */
  readonly peakMb: number
  /** The longest stretch without a turn of the event loop while it was measured. */
  readonly blockMs: number
}

/** Devices that are evaluated in memory: as many as a process can hold at once. */
const DEVICES_IN_MEMORY = 50_000
const BATCH = 500

// What loading modules leaves behind would be the most memory of all, kept for objects that last.
setFlagsFromString('--semi-space-growth-factor=1')
const { openStore } = await import('../../src/store/drivers/open-store.ts')
const { previewDocument } = await import('../../src/operations/release/preview.ts')
const { readFleet } = await import('../../src/store/devices/fleet-reads.ts')
const { createPreview } = await import('../../src/replay/preview/preview.ts')
const { listUnreadClaims } = await import('../../src/replay/preview/read-claims.ts')
const { assess } = await import('../../src/access/assess.ts')
const { compilePolicy } = await import('../../src/policy/document/compile.ts')
const { createRulesReader } = await import('../../src/operations/release/rules-in-force.ts')

const { variant, database, candidate, seconds } = readInput<PreviewInput>()
const clock = () => new Date()
const store = await openStore(database)
const rules = createRulesReader(store, { clock })
const { active: inForce } = await rules.recent()
const policy = compilePolicy(candidate)
if (!policy.ok) throw new Error(policy.failure.reason)
const after = { ...inForce, policy: policy.value }
const leaveOut = listUnreadClaims([inForce, after])

/** When what is measured began, in milliseconds. */
let start = performance.now()
const delays = monitorEventLoopDelay({ resolution: 1 })
delays.enable()
const devices = await run()
const elapsed = (performance.now() - start) / 1000
const peakMb = process.resourceUsage().maxRSS / 1000
const blockMs = delays.max / 1e6
say({ devices, seconds: elapsed, peakMb, blockMs } satisfies PreviewRun)
await store.close()

async function run(): Promise<number> {
  switch (variant) {
    case 'preview':
      return preview()
    case 'read':
      return read()
    default:
      return evaluate()
  }
}

async function preview(): Promise<number> {
  const document = { kind: 'policy', compiled: after.policy } as const
  const dependencies = { store, rules, requiresHardware: false, clock }
  const summary = await previewDocument(dependencies, { document, by: 'bench' })
  if (summary.newly_denied.devices === 0) throw new Error('nothing would change')
  return summary.devices
}

async function read(): Promise<number> {
  let count = 0
  for await (const batch of readFleet(store, { leaveOut })) count += batch.length
  return count
}

/** The comparison as the preview does it, or both verdicts of each device anew. */
async function evaluate(): Promise<number> {
  const records: PreviewRecord[] = []
  for await (const batch of readFleet(store, { leaveOut })) {
    records.push(...batch)
    if (records.length >= DEVICES_IN_MEMORY) break
  }
  const now = clock()
  const fold = createPreview({ inForce, candidate: after, now })
  const add =
    variant === 'evaluate'
      ? fold.add
      : (one: PreviewRecord) => {
          // A trust record has more, which no verdict looks at.
          const record = one as Parameters<typeof assess>[0]['record']
          assess({ ...inForce, record, now })
          assess({ ...after, record, now })
        }
  let count = 0
  start = performance.now()
  const end = start + seconds * 1000
  while (performance.now() < end) {
    for (let index = 0; index < BATCH; index++) {
      const record = records[(count + index) % records.length]
      if (record !== undefined) add(record)
    }
    count += BATCH
  }
  return count
}
