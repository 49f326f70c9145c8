import type { Control } from '../../src/rollout/in-force.ts'
import type { Override, OverrideAction, OverrideTarget } from '../../src/rollout/override.ts'
import { DEFAULT_PLAN, type Rollout, type RolloutHealth } from '../../src/rollout/rollout.ts'
import { namedHash } from '../support/document-hash.ts'

const START = Date.parse('2026-05-04T10:00:00Z')

/** Seconds after a Monday at 10:00 UTC. */
export function at(seconds: number): Date {
  return new Date(START + seconds * 1000)
}

export function rolloutOf(changes: Partial<Rollout> = {}): Rollout {
  return {
    rolloutId: 'rol_a',
    kind: 'policy',
    from: namedHash('policy-old'),
    to: namedHash('policy-new'),
    beside: namedHash('values'),
    state: 'running',
    pass: 'audit',
    stage: 0,
    plan: DEFAULT_PLAN,
    since: at(0),
    enforcedAt: {},
    health: null,
    note: '',
    author: 'admin',
    reason: 'a change',
    createdAt: at(0),
    updatedAt: at(0),
    revision: 1,
    ...changes,
  }
}

/** A stage of a thousand devices that were all compared, and none of them lost anything. */
export function healthOf(changes: Partial<RolloutHealth> = {}): RolloutHealth {
  return {
    at: at(0).toISOString(),
    compared: 1000,
    devices: 1000,
    newlyDenied: 0,
    causes: [],
    examples: [],
    ...changes,
  }
}

let overrides = 0

/** It counts from the start for an hour. */
export function overrideOf(
  target: OverrideTarget,
  action: OverrideAction = { action: 'allow' },
  changes: Partial<Omit<Override, 'action'>> = {},
): Override {
  overrides += 1
  return {
    overrideId: `ovr_${String(overrides).padStart(6, '0')}`,
    target,
    reason: 'because',
    author: 'admin',
    createdAt: at(0),
    expiresAt: at(3600),
    ...changes,
    ...action,
  }
}

export function controlOf(changes: Partial<Control> = {}): Control {
  return {
    revision: 1,
    active: [
      { kind: 'policy', hash: namedHash('policy-old'), activatedAt: at(-1000) },
      { kind: 'reference-values', hash: namedHash('values-old'), activatedAt: at(-2000) },
    ],
    rollouts: [],
    overrides: [],
    holds: [],
    ...changes,
  }
}
