import { type VerifiedBreakGlass, verifyBreakGlass } from '../access/break-glass/break-glass.ts'
import type { BreakGlassFailure } from '../access/break-glass/failure.ts'
import { importBreakGlassKeys } from '../access/break-glass/keys.ts'
import type { Log } from '../base/log.ts'
import type { Result } from '../base/result.ts'
import type { Config } from '../config/config.ts'

/** Says whether a token opens this service now, from nothing but the settings and the clock. */
export type BreakGlass = (token: string) => Promise<Result<VerifiedBreakGlass, BreakGlassFailure>>

/** Imports the keys once. Needs no store, so that it is there when the store is not. */
export async function createBreakGlass(
  config: Pick<Config, 'breakGlass' | 'publicUrl' | 'clockSkewSeconds'>,
  { log, clock }: { readonly log: Log; readonly clock: () => Date },
): Promise<BreakGlass> {
  const { breakGlass, publicUrl, clockSkewSeconds } = config
  if (breakGlass === undefined) {
    return (token) => verifyBreakGlass(token, { rules: undefined, now: clock() })
  }
  const { keys, threshold, maxSeconds } = breakGlass
  if (threshold === 1) {
    log.warn('break_glass_by_one', {
      consequence: 'whoever has one of the keys grants access to any device alone',
      remedy: 'set BREAK_GLASS_THRESHOLD to 2 or more',
    })
  }
  const rules = {
    keys: await importBreakGlassKeys(keys),
    threshold,
    audience: publicUrl,
    maxSeconds,
    skewSeconds: clockSkewSeconds,
  }
  return (token) => verifyBreakGlass(token, { rules, now: clock() })
}
