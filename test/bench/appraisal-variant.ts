import { readFileSync } from 'node:fs'
import { fromBase64Url } from '../../src/base/encoding.ts'
import { ok } from '../../src/base/result.ts'
import { readAttestMessage } from '../../src/verifier/protocol/attest-message.ts'
import { verifyRequest } from '../../src/verifier/verifier.ts'
import { prepareFloor } from './appraisal-floor.ts'
import type { Run, Variant } from './rounds.ts'
import { cycleFor, readInput, runConcurrently, say } from './variant.ts'

export type AppraisalInput = {
  readonly variant: Variant
  readonly file: string
  readonly warmUpSeconds: number
  readonly seconds: number
}

export type AppraisalFile = {
  readonly serviceContextKey: string
  readonly messages: readonly string[]
}

/** One after the other: what one appraisal takes, and not what the thread pool can hide. */
const CONCURRENCY = Number(process.env.BENCH_CONCURRENCY ?? 1)

const { variant, file, warmUpSeconds, seconds } = readInput<AppraisalInput>()
const { serviceContextKey, messages }: AppraisalFile = JSON.parse(readFileSync(file, 'utf8'))
const appraise = variant === 'path' ? preparePath() : await prepareFloor(messages)
let count = 0
const run = async (index: number) => {
  await appraise(index)
  count += 1
}
await runConcurrently(CONCURRENCY, { next: cycleFor(warmUpSeconds, messages.length), run })
count = 0
const cpu = process.cpuUsage()
const begun = performance.now()
await runConcurrently(CONCURRENCY, { next: cycleFor(seconds, messages.length), run })
const elapsed = (performance.now() - begun) / 1000
const { user, system } = process.cpuUsage(cpu)
say({
  opsPerSecond: count / elapsed,
  details: { process_cpu_us: Math.round((user + system) / count) },
} satisfies Run)

function preparePath(): (index: number) => Promise<void> {
  const key = fromBase64Url(serviceContextKey)
  if (key === undefined) throw new TypeError('no key')
  const trust = { anchors: [], intermediates: [] }
  const config = { trust, legacyUnboundRequestKey: 'refuse' } as const
  const spendContext = async () => ok(true as const)
  return async (index) => {
    const message = readAttestMessage({ body: messages[index] ?? '', apiVersion: '2025-06-01' })
    if (!message.ok || message.value.kind !== 'request') throw new Error('no request')
    const verified = await verifyRequest(message.value.read, {
      keys: [key],
      config,
      spendContext,
      now: new Date(),
    })
    if (!verified.ok) throw new Error(verified.failure.reason)
    const { secureBootEnabled, vbsReportPresent } = verified.value.evidence.claims
    if (secureBootEnabled !== true || vbsReportPresent !== true) throw new Error('no claims')
  }
}
