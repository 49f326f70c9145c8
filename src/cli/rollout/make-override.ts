import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { makeOverride, type OverrideRequest } from '../../operations/release/overrides.ts'
import { NO_SECOND } from '../../operations/release/second-administrator.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Override, OverrideTarget } from '../../rollout/override.ts'
import type { Store } from '../../store/store.ts'
import { showOverride } from '../../views/show-control.ts'
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
  readonly json: boolean
  readonly now: Date
}

/** Makes an exception for a device or a label, which ends by itself. */
export function createOverride(exception: Exception): (store: Store) => Promise<number> {
  const { target, lifetimeMs, pin, reason, json, now } = exception
  return async (store) => {
    const what: OverrideRequest =
      pin === undefined
        ? { action: 'allow' }
        : {
            action: 'pin',
            kind: pin.kind,
            hash: (await findVersion(store, pin.kind, pin.version)).hash,
          }
    const dependencies = { store, clock: () => now, random: createRandomSource() }
    const made = await makeOverride(dependencies, {
      target,
      what,
      reason,
      author: COMMAND_LINE,
      expiresAt: new Date(now.getTime() + lifetimeMs),
      second: NO_SECOND,
    })
    if (!made.ok) throw new Error(`${target.name}: ${describeFailure(made.failure)}`)
    if (json) printJson(showOverride(made.value))
    else printText(describe(made.value))
    return 0
  }
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
