import { BUILT_IN } from '../../azure/settings.ts'
import type { Config } from '../../config/config.ts'
import type { Outage } from '../../replay/outage/outage.ts'
import {
  duration,
  option,
  preset,
  readDuration,
  text,
  type ValuesOf,
} from '../framework/options.ts'
import { UsageError } from '../framework/usage-error.ts'

/** Each takes a line of the answer, and in a policy that reads the clock a look at every device. */
const MOST_STEPS = 200
const LONGEST_MS = 90 * 86_400_000
/** That of the setting. */
const LONGEST_GRACE_MS = 604_800_000

export const OUTAGE_OPTIONS = {
  verifier: option(
    'URL',
    `the verifier that is out, as tokens name it, or ${BUILT_IN}; otherwise all of them`,
    readVerifier,
  ),
  from: text('WHEN', 'when it begins: +2h, or a time such as 2026-05-04T10:00Z; otherwise now'),
  for: preset(duration('TIME', 'how long it takes: 90m, 24h, 3d'), '24h'),
  grace: duration('TIME', 'how long evidence counts past its end; otherwise OUTAGE_GRACE_SECONDS'),
  step: preset(
    duration(
      'TIME',
      'how finely to look: half and all are told by the step, and what a clause or a reference value does by the clock is found at the next step',
    ),
    '1h',
  ),
}

/** Looks at the options; what they leave open comes from the configuration. */
export function readOutage(
  options: ValuesOf<typeof OUTAGE_OPTIONS>,
  now: Date,
): (config: Config) => Outage {
  const { verifier, grace, for: forMs, step: stepMs } = options
  const from = readStart(options.from, now)
  if (forMs === 0) throw new UsageError('--for must not be nothing')
  if (stepMs === 0) throw new UsageError('--step must not be nothing')
  if (forMs > LONGEST_MS) throw new UsageError('--for must be at most 90d')
  if (forMs / stepMs > MOST_STEPS) {
    throw new UsageError(`--step is too short: --for has more than ${MOST_STEPS} of them`)
  }
  if (grace !== undefined && grace > LONGEST_GRACE_MS) {
    throw new UsageError('--grace must be at most 7d, as OUTAGE_GRACE_SECONDS')
  }
  return (config) => ({
    verifier: verifier === BUILT_IN ? config.publicUrl : verifier,
    from,
    until: new Date(from.getTime() + forMs),
    stepMs,
    graceMs: grace ?? config.outageGraceSeconds * 1000,
  })
}

/** ISO 8601 with a zone or `Z`. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)$/

function readStart(text: string | undefined, now: Date): Date {
  if (text === undefined) return now
  const from = text.startsWith('+')
    ? new Date(now.getTime() + readDuration(text.slice(1), '--from +TIME'))
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
function readVerifier(text: string, label: string): string {
  if (text === BUILT_IN) return text
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new UsageError(`${label} must be ${BUILT_IN} or a URL`)
  }
  return text.replace(/\/+$/, '')
}
