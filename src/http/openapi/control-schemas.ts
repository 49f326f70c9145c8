import { z } from 'zod'
import type { Cause } from '../../rollout/hold.ts'
import type {
  showHalt,
  showHold,
  showLosses,
  showObserved,
  showRollout,
} from '../../views/show-control.ts'
import { releaseBody, rollBackBody } from '../admin/documents.ts'
import { endBody, overrideBody } from '../admin/overrides.ts'
import { previewBody } from '../admin/previews.ts'
import { reasonBody } from '../admin/read-body.ts'
import { revertBody, startBody, steerBody } from '../admin/rollouts.ts'
import { override } from './device-schemas.ts'
import { formOf } from './form-of.ts'
import { previewSummary } from './preview-schemas.ts'

const time = z.iso.datetime()
const count = z.int().min(0)
const kind = z.enum(['policy', 'reference-values'])
const hash = z.string()

const rollout = formOf<ReturnType<typeof showRollout>>()(
  z.object({
    rollout_id: z.string(),
    kind,
    from: hash,
    to: hash,
    state: z.enum(['running', 'paused', 'halted', 'done', 'reverted']),
    pass: z.enum(['audit', 'enforce']),
    stage: count,
    since: time,
    waits_for: z
      .object({
        why: z.enum([
          ...(['not_running', 'not_checked', 'baking', 'sample_too_small'] as const),
          ...(['outside_hours', 'waits_for_promotion', 'next_check'] as const),
        ]),
        until: time.nullable(),
      })
      .nullable(),
    earliest_end: time.nullable(),
    note: z.string(),
    despite: z.object({ by: z.string(), reason: z.string(), at: time }).nullable(),
    author: z.string(),
    reason: z.string(),
    created_at: time,
    updated_at: time,
    revision: z.int(),
    plan: z.object({
      stages: z.array(z.object({ percent: z.int(), labels: z.array(z.string()) })),
      bake_seconds: count,
      minimum_sample: count,
      budget: z.object({
        devices: count,
        share: z.number(),
        later: z.array(z.object({ devices: count, share: z.number(), at: time })).exactOptional(),
      }),
      promotion: z.enum(['automatic', 'by_hand']),
      hours: z.object({ from: z.int(), to: z.int(), days: z.array(z.int()) }).nullable(),
    }),
    health: z
      .object({
        at: time,
        compared: count,
        devices: count,
        newly_denied: count,
        from: time.nullable(),
        causes: z.array(z.object({ cause: z.string(), devices: count })),
        examples: z.array(z.string()),
      })
      .nullable(),
  }),
)

const halt = formOf<NonNullable<ReturnType<typeof showHalt>>>()(
  z.object({
    rollout_id: z.string(),
    at: time,
    note: z.string(),
    despite: z.object({ by: z.string(), reason: z.string(), at: time }).nullable(),
  }),
)

const losses = formOf<ReturnType<typeof showLosses>>()(
  z.object({ devices: count, looked_at: count, complete: z.boolean() }),
)

const observed = formOf<ReturnType<typeof showObserved>>()(
  z.object({ decisions: count, newly_denied: count }),
)

const cause = formOf<Cause>()(
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('clause'), clause: z.string() }),
    z.object({ kind: z.literal('policy_not_pinned'), issuer: z.string() }),
    z.object({ kind: z.literal('anchor_not_listed'), anchor: z.string() }),
    z.object({ kind: z.literal('hardware_unproven') }),
    z.object({ kind: z.literal('stale'), issuer: z.string() }),
  ]),
)

const hold = formOf<ReturnType<typeof showHold>>()(
  z.object({
    hold_id: z.string(),
    cause,
    covers: time,
    since: time,
    until: time,
    ended_at: time.nullable(),
    evidence: z.unknown(),
  }),
)

const secondRequest = z.object({
  id: z.string(),
  request: z.string(),
  requested_by: z.string(),
  requested_at: time,
  expires_at: time,
})

export const CONTROL_SCHEMAS = {
  Release: releaseBody,
  RollBack: rollBackBody,
  PreviewRequest: previewBody,
  Preview: previewSummary,
  DocumentInForce: z.object({
    hash,
    author: z.string(),
    reason: z.string(),
    created_at: time,
    activated_at: time,
    activated_by: z.string(),
    previous: hash.nullable(),
    halted: halt.nullable(),
    document: z.looseObject({}),
  }),
  RolledBack: z.object({
    kind,
    hash,
    rollout_id: z.string().nullable(),
    newly_denied: count.nullable(),
  }),
  RolloutToStart: startBody,
  RolloutStep: steerBody,
  RolloutEnd: revertBody,
  Rollout: rollout,
  RolloutDetail: rollout.extend({ observed }),
  RolloutAfterStep: rollout.extend({ changed: z.boolean() }),
  Rollouts: z.object({ rollouts: z.array(rollout), next_before: z.string().nullable() }),
  OverrideToMake: overrideBody,
  OverrideToEnd: endBody,
  OverrideLosses: z.object({ newly_denied: losses }),
  OverrideMade: override.extend({ newly_denied: losses }),
  OverrideEnded: z.object({ override_id: z.string(), changed: z.boolean(), newly_denied: losses }),
  Overrides: z.object({ overrides: z.array(override) }),
  Reason: reasonBody,
  Hold: hold,
  Holds: z.object({ holds: z.array(hold), next_before: z.string().nullable() }),
  HoldEnded: z.object({ hold_id: z.string(), changed: z.boolean() }),
  SecondAwaited: z
    .object({
      waits_for: z.literal('second_administrator'),
      expires_at: time,
      detail: z.string(),
      paused: z.string().optional(),
    })
    .meta({ description: 'Another administrator has to send the same request.' }),
  SecondRequests: z.object({ second_requests: z.array(secondRequest) }),
  SecondRequestWithBody: secondRequest.extend({
    body: z.unknown().meta({ description: 'As it was sent.' }),
  }),
  CarriedOut: z
    .record(z.string(), z.unknown())
    .meta({ description: 'As the route of the request that was approved of answers.' }),
} as const satisfies Readonly<Record<string, z.ZodType>>
