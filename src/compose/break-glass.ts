import { importBreakGlassKeys } from '../access/break-glass/keys.ts'
import { verifyBreakGlass } from '../access/break-glass/verify.ts'
import type { Log } from '../base/log.ts'
import type { LogBudget } from '../base/log-budget.ts'
import type { Metrics } from '../base/metrics.ts'
import { err } from '../base/result.ts'
import type { Config } from '../config/config.ts'
import {
  type BreakGlassDependencies,
  createBreakGlassAnswers,
  type OpenBreakGlass,
} from '../operations/decide/answer-by-break-glass.ts'
import { createDecisionLog } from '../operations/decide/decision-log.ts'

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

/** Break-glass is what of the service stands without its database, once the settings are read. */
export async function breakGlassWithoutStore(
  config: Parameters<typeof prepareBreakGlass>[0] & Pick<Config, 'decisionLog'>,
  shared: {
    readonly log: Log
    readonly logBudget: LogBudget
    readonly metrics: Metrics
    readonly breakGlassUses: BreakGlassDependencies['breakGlassUses']
    readonly clock: () => Date
  },
): Promise<OpenBreakGlass> {
  return createBreakGlassAnswers({
    ...shared,
    decisionLog: createDecisionLog({ mode: config.decisionLog, log: shared.log }),
    verifyBreakGlass: await prepareBreakGlass(config, shared),
    // Whose keys are in the database: a device is named by its id then.
    verifyDeviceToken: () => Promise.resolve(err({ reason: 'device_token_invalid' })),
  })
}
