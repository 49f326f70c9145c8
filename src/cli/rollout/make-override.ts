import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { plural } from '../../base/words.ts'
import { commandReleases } from '../../compose/release.ts'
import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import type { OverrideLosses } from '../../operations/release/override-losses.ts'
import { makeOverride, type OverrideRequest } from '../../operations/release/overrides.ts'
import { NO_SECOND } from '../../operations/release/second-administrator.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Override, OverrideTarget } from '../../rollout/override.ts'
import type { Store } from '../../store/store.ts'
import { showLosses, showOverride } from '../../views/show-control.ts'
import { EXIT, type OnDatabase } from '../framework/command.ts'
import { count } from '../framework/numbers.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
import { describeFailure } from '../policy/describe-failure.ts'
import { findVersion, shorten } from '../policy/find-version.ts'

export type Exception = {
  readonly target: OverrideTarget
  readonly lifetimeMs: number
  /** `undefined`: the device is allowed. */
  readonly pin: { readonly kind: DocumentKind; readonly version: string } | undefined
  readonly reason: string
  readonly dryRun: boolean
  readonly json: boolean
  readonly now: Date
}

/** Makes an exception for a device or a label, which ends by itself. */
export function createOverride(exception: Exception): OnDatabase {
  const { target, lifetimeMs, pin, reason, dryRun: isDryRun, json, now } = exception
  return async (store, config) => {
    const what: OverrideRequest =
      pin === undefined
        ? { action: 'allow' }
        : {
            action: 'pin',
            kind: pin.kind,
            hash: (await findVersion(store, pin.kind, pin.version)).hash,
          }
    const made = await makeOverride(overrideServices(store, config, now), {
      target,
      what,
      reason,
      author: COMMAND_LINE,
      expiresAt: new Date(now.getTime() + lifetimeMs),
      second: NO_SECOND,
      isDryRun,
    })
    if (!made.ok) throw new Error(`${target.name}: ${describeFailure(made.failure)}`)
    const { override, losses } = made.value
    const newly_denied = showLosses(losses)
    if (json) printJson(override ? { ...showOverride(override), newly_denied } : { newly_denied })
    else
      printText(
        `${override ? describe(override) : NOTHING_DONE}${describeLosses(losses, isDryRun)}`,
      )
    return EXIT.done
  }
}

/** What `--dry-run` says first. */
export const NOTHING_DONE = 'Nothing was changed (--dry-run).\n'

/** What counts whom an exception denies, however many these are. */
export function overrideServices(store: Store, config: Config, now: Date) {
  const clock = () => now
  const random = createRandomSource()
  const options = { store, clock, random, requiresHardware: requiresHardware(config) }
  return { store, clock, random, counting: commandReleases(options).previews }
}

/** How many devices an exception takes access from, or its end. */
export function describeLosses(
  { devices, lookedAt, isWhole }: OverrideLosses,
  isDryRun: boolean,
): string {
  const all = isWhole ? '' : 'the first '
  const who = devices === 0 ? 'none' : count(devices)
  const looked = plural(lookedAt, 'device')
  const would = isDryRun ? 'would be' : devices === 1 || devices === 0 ? 'is' : 'are'
  return `Of ${all}${looked} that it is for, ${who} ${would} newly denied.\n`
}

function describe(override: Override): string {
  const { overrideId, target, expiresAt } = override
  const done =
    override.action === 'pin'
      ? `decides by ${override.kind} ${shorten(override.hash)}`
      : 'is allowed whatever the clauses say'
  return `${target.kind} ${target.name} ${done} until ${expiresAt.toISOString()}.
To end it before: ${COMMAND} rollout end ${overrideId} --reason TEXT
`
}
