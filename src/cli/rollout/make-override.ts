import { COMMAND } from '../../base/command.ts'
import { createRandomSource } from '../../base/random.ts'
import { makeOverride, type OverrideFailure } from '../../operations/release/overrides.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import {
  MAX_OVERRIDE_MS,
  MAX_OVERRIDES,
  type Override,
  type OverrideAction,
  type OverrideTarget,
} from '../../rollout/override.ts'
import type { Store } from '../../store/store.ts'
import { showOverride } from '../../views/show-control.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { printJson, printText } from '../framework/output.ts'
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
    const what: OverrideAction =
      pin === undefined
        ? { action: 'allow' }
        : {
            action: 'pin',
            kind: pin.kind,
            hash: (await findVersion(store, pin.kind, pin.version)).hash,
          }
    const made = await makeOverride(store, {
      target,
      what,
      reason,
      author: COMMAND_LINE,
      expiresAt: new Date(now.getTime() + lifetimeMs),
      now,
      random: createRandomSource(),
    })
    if (!made.ok) throw new Error(describeFailure(target, made.failure))
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

function describeFailure(target: OverrideTarget, { reason }: OverrideFailure): string {
  switch (reason) {
    case 'expiry_refused':
      return `--for must be more than nothing and at most ${MAX_OVERRIDE_MS / 86_400_000}d`
    case 'device_not_found':
      return `there is no device ${target.name}: ${COMMAND} devices list`
    case 'too_many_overrides':
      return `there are ${MAX_OVERRIDES} overrides already: end some (${COMMAND} rollout overrides)`
    case 'document_not_found':
    case 'document_not_usable':
      return `that version cannot decide (${reason}): ${COMMAND} policy list`
  }
}
