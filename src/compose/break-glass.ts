import { importBreakGlassKeys } from '../access/break-glass/keys.ts'
import { verifyBreakGlass } from '../access/break-glass/verify.ts'
import type { Log } from '../base/log.ts'
import type { Config } from '../config/config.ts'
import type { BreakGlassDependencies } from '../operations/decide/answer-by-break-glass.ts'

export type VerifyBreakGlass = BreakGlassDependencies['verifyBreakGlass']

/** Imports the keys of break-glass once. Needs no store, so that it is there when the store is not. */
export async function prepareBreakGlass(
  config: Pick<Config, 'breakGlass' | 'publicUrl' | 'clockSkewSeconds'>,
  { log, clock }: { readonly log: Log; readonly clock: () => Date },
): Promise<VerifyBreakGlass> {
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
