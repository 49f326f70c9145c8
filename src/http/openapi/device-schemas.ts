import { z } from 'zod'
import { VERDICTS } from '../../access/trust-record.ts'
import type { ShownValue } from '../../policy/language/shortfall.ts'
import { DEVICE_GROUPS } from '../../store/devices/device-reads.ts'
import type { showOverride } from '../../views/show-control.ts'
import type { showDetail, showEntry, showRefusal, showSummary } from '../../views/show-device.ts'
import { attributesBody, changeBody, enrolmentBody } from '../admin/devices.ts'
import { toldRelief } from './access-schemas.ts'
import { type AsJson, formOf } from './form-of.ts'
import { claimForms } from './token-schemas.ts'

const time = z.iso.datetime()
const severity = z.enum(['enforce', 'report'])
const count = z.int().min(0)
/** What was recorded as JSON, of whichever version. */
const recorded = z.unknown()

export const override = formOf<ReturnType<typeof showOverride>>()(
  z.object({
    override_id: z.string(),
    action: z.enum(['allow', 'pin']),
    target: z.object({ kind: z.enum(['device', 'label']), name: z.string() }),
    kind: z.enum(['policy', 'reference-values']).nullable(),
    hash: z.string().nullable(),
    reason: z.string(),
    author: z.string(),
    created_at: time,
    expires_at: time,
  }),
)

/** A value of CEL as JSON. */
type Shown = AsJson<ShownValue>
const shownValue: z.ZodType<Shown, Shown> = z.union([
  z.null(),
  z.boolean(),
  z.number(),
  z.string(),
  z.array(z.lazy(() => shownValue)),
])

const standing = z.object({
  device_id: z.string(),
  name: z.string().nullable(),
  serial: z.string().nullable(),
  verdict: z.enum(VERDICTS),
  reasons: z.array(
    z.union([
      z.object({
        code: z.enum([
          ...(['quarantined', 'enrolment_pending', 'never_attested', 'stale'] as const),
          ...(['policy_not_pinned', 'anchor_not_listed', 'hardware_unproven'] as const),
        ]),
      }),
      z.object({
        code: z.enum(['clause_failed', 'clause_undecidable']),
        clause: z.string(),
        cause: z.string().exactOptional(),
      }),
    ]),
  ),
  unmet: z.array(
    z.object({
      clause: z.string(),
      severity,
      status: z.enum(['fail', 'undecidable']),
      cause: z.string().exactOptional(),
      since: z.string().nullable(),
      shortfalls: z.array(
        z.object({ reads: z.string(), actual: shownValue.exactOptional(), required: z.string() }),
      ),
    }),
  ),
  relief: z.array(toldRelief),
  overrides: z.array(override),
  enrolment: z.enum(['admitted', 'pending']),
  owner: z.string().nullable(),
  entra_device_id: z.string().nullable(),
  labels: z.array(z.string()),
  ring: z.int().min(0).max(99),
})

const summary = formOf<ReturnType<typeof showSummary>>()(
  standing.extend({
    quarantined_at: time.nullable(),
    issuer: z.string().nullable(),
    attested_at: time.nullable(),
    valid_until: time.nullable(),
    created_at: time,
  }),
)

const detail = formOf<ReturnType<typeof showDetail>>()(
  standing.extend({
    quarantine: z.object({ at: time, by: z.string(), reason: z.string() }).nullable(),
    vouched: z.boolean(),
    generation: z.int(),
    created_at: time,
    attestation: z
      .object({
        attestation_id: z.string(),
        attested_at: time,
        valid_until: time,
        issuer: z.string(),
        policy_hash: z.string(),
        cnf: z.object({ jkt: z.string() }),
        recorded_verdict: z.enum(['trusted', 'untrusted', 'unknown']).nullable(),
        reasons: z.array(recorded),
        first_failed_at: z.record(z.string(), z.string()),
        claims: claimForms,
      })
      .nullable(),
    coming: z.array(
      z.object({ clause: z.string(), title: z.string(), repair: z.string(), denied_from: time }),
    ),
  }),
)

const entry = formOf<ReturnType<typeof showEntry>>()(
  z.object({
    attestation_id: z.string(),
    at: time,
    outcome: z.enum(['accepted', 'refused']),
    stage: z.string().nullable(),
    verdict: z.enum(['trusted', 'untrusted', 'unknown']).nullable(),
    reasons: z.array(recorded),
    trace: recorded,
    digests: z.record(z.string(), z.string()),
    issuer: z.string().nullable(),
    policy_hash: z.string().nullable(),
    evaluated_policy: z.string().nullable(),
    reference_values: z.string().nullable(),
    claims: claimForms.nullable(),
  }),
)

const refusal = formOf<ReturnType<typeof showRefusal>>()(
  z.object({
    attestation_id: z.string(),
    at: time,
    device_id: z.string(),
    known_or_vouched: z.boolean(),
    stage: z.string(),
    reasons: z.array(recorded),
    issuer: z.string().nullable(),
  }),
)

const remembered = z.object({
  at: time,
  stage: z.string(),
  reason: z.string(),
  where: z.looseObject({}),
  detail: z.string().exactOptional(),
  expected: z.string().exactOptional(),
  device_id: z.string().nullable(),
  trace: z.array(z.looseObject({})),
})

const groups = z.object({
  group_by: z.enum(DEVICE_GROUPS),
  groups: z.array(
    z.object({ group: z.string(), severity: severity.exactOptional(), devices: count }),
  ),
  devices: count,
})

export const DEVICE_SCHEMAS = {
  DeviceReason: changeBody,
  DeviceAttributes: attributesBody,
  DeviceToList: enrolmentBody,
  Device: detail,
  ShownValue: shownValue,
  DeviceSummary: summary,
  Override: override,
  Devices: z.union([
    z.object({ devices: z.array(summary), next_cursor: z.string().nullable() }),
    groups,
  ]),
  Attempt: entry,
  Attempts: z.object({ attestations: z.array(entry), next_before: z.string().nullable() }),
  RefusedAttempts: z.union([
    z.object({ refusals: z.array(refusal), since: time, next_before: z.string().nullable() }),
    z.object({
      refusals: z.array(remembered),
      left_out: count,
      process: z.string(),
      remembered_since: time.nullable(),
      detail: z.string(),
    }),
  ]),
} as const satisfies Readonly<Record<string, z.ZodType>>
