import { BUILT_IN } from '../../azure/settings.ts'
import type { Config } from '../../config/config.ts'
import type { Outage } from '../../replay/outage/outage.ts'
import { UsageError } from '../framework/arguments.ts'
import { readDuration } from '../framework/duration.ts'

export type OutageOptions = {
  readonly verifier?: string | undefined
  readonly from?: string | undefined
  readonly for?: string | undefined
  readonly grace?: string | undefined
  readonly step?: string | undefined
}

export const PRESET = { for: '24h', step: '1h' } as const

/** Each takes a line of the answer, and in a policy that reads the clock a look at every device. */
const MOST_STEPS = 200
const LONGEST_MS = 90 * 86_400_000
/** That of the setting. */
const LONGEST_GRACE_MS = 604_800_000

/** Looks at the options; what they leave open comes from the configuration. */
export function readOutage(options: OutageOptions, now: Date): (config: Config) => Outage {
  const from = readStart(options.from, now)
  const forMs = readTime(options.for ?? PRESET.for, 'for')
  const stepMs = readTime(options.step ?? PRESET.step, 'step')
  if (forMs > LONGEST_MS) throw new UsageError('--for must be at most 90d')
  if (forMs / stepMs > MOST_STEPS) {
    throw new UsageError(`--step is too short: --for has more than ${MOST_STEPS} of them`)
  }
  const grace = options.grace === undefined ? undefined : readDuration(options.grace, 'grace')
  if (grace !== undefined && grace > LONGEST_GRACE_MS) {
    throw new UsageError('--grace must be at most 7d, as OUTAGE_GRACE_SECONDS')
  }
  const readVerifier = verifierReader(options.verifier)
  return (config) => ({
    verifier: readVerifier(config),
    from,
    until: new Date(from.getTime() + forMs),
    stepMs,
    graceMs: grace ?? config.outageGraceSeconds * 1000,
  })
}

function readTime(text: string, option: string): number {
  const ms = readDuration(text, option)
  if (ms === 0) throw new UsageError(`--${option} must not be nothing`)
  return ms
}

/** ISO 8601 with a zone or `Z`. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)$/

function readStart(text: string | undefined, now: Date): Date {
  if (text === undefined) return now
  const from = text.startsWith('+')
    ? new Date(now.getTime() + readDuration(text.slice(1), 'from +TIME'))
    : new Date(MOMENT.test(text) ? text : Number.NaN)
  if (Number.isNaN(from.getTime())) {
    throw new UsageError('--from must be like +2h or 2026-05-04T10:00Z')
  }
  if (from < now) throw new UsageError('--from must not be in the past')
  if (from.getTime() - now.getTime() > LONGEST_MS) {
    throw new UsageError('--from must be within 90 days')
  }
  return from
}

/** An issuer is compared as text; it has no final slash. */
function verifierReader(text: string | undefined): (config: Config) => string | undefined {
  if (text === undefined) return () => undefined
  if (text === BUILT_IN) return (config) => config.publicUrl
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new UsageError(`--verifier must be ${BUILT_IN} or a URL`)
  }
  return () => text.replace(/\/+$/, '')
}
