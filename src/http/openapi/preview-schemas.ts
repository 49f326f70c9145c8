import { z } from 'zod'
import type { previewDocument } from '../../operations/release/preview.ts'
import { formOf } from './form-of.ts'

type PreviewSummary = Awaited<ReturnType<typeof previewDocument>>
type QuestionsSummary = NonNullable<PreviewSummary['questions']>

const time = z.iso.datetime()
const count = z.number().min(0)
const share = z.number().min(0).max(1)
const examples = z.array(z.string())
const change = { devices: count, share }
const span = { devices: count, first: time.nullable(), last: time.nullable() }
const hashes = z.object({ policy: z.string(), reference_values: z.string() })

const clauses = z.array(
  z.object({
    ...change,
    clause: z.string(),
    undecidable: count,
    cause: z.string().nullable(),
    examples,
  }),
)

const counts = {
  newly_denied: count,
  newly_undecidable: count,
  newly_refused: count,
  newly_allowed: count,
  denied_later: count,
}
const breakdown = z.object({
  keys: z.array(z.object({ ...counts, key: z.string().nullable(), compared: count.nullable() })),
  others: z.object(counts),
  complete: z.boolean(),
})

const ages = z.object({
  under_1h: count,
  under_8h: count,
  under_1d: count,
  under_7d: count,
  older: count,
})

const questions = formOf<QuestionsSummary>()(
  z.object({
    since: time.nullable(),
    days: count,
    asked: count,
    replayed: count,
    newly_denied: z.object({ questions: count, share, devices: count }),
    denied_later: z.object({ questions: count, devices: count, from: time.nullable() }),
    weekly: z.boolean(),
    newly_allowed: count,
    still_allowed: count,
    still_denied: count,
    not_replayed: count,
    without_device: z
      .object({ questions: count, allowed: count, newly_denied: count })
      .exactOptional(),
    by_topic: z.array(
      z.object({
        action: z.string().nullable(),
        resource_type: z.string().nullable(),
        resource_id: z.string().nullable(),
        asked: count,
        replayed: count,
        newly_denied: count,
        newly_allowed: count,
        still_denied: count,
      }),
    ),
    by_clause: z.array(
      z.object({ clause: z.string(), questions: count, devices: count, examples }),
    ),
    untested: z.array(
      z.object({
        clause: z.string(),
        why: z.enum(['no_questions', 'never_applies', 'never_said', 'never_met']),
        what: z.array(z.string()),
      }),
    ),
  }),
)

/** What a preview says: the comments of `PreviewSummary` say what each member means. */
export const previewSummary = formOf<PreviewSummary>()(
  z.object({
    version: z.literal(2),
    at: time,
    moments: z.object({
      looked_at: z.array(time),
      count,
      hourly: z.boolean(),
      year_ahead: z.boolean().exactOptional(),
      left_out: count,
      left_out_of_candidate: count,
      devices_cut: count,
    }),
    in_force: hashes,
    candidate: hashes,
    ends_rollout: z.object({ rollout_id: z.string(), stage: count }).exactOptional(),
    devices: count,
    compared: count,
    pinned: count.exactOptional(),
    not_compared: z.object({
      quarantined: count,
      enrolment_pending: count,
      never_attested: count,
      stale: count,
    }),
    unchanged: z.object({ granted: count, denied: count }),
    newly_denied: z.object({ ...change, undecidable: count, by_clause: clauses }),
    newly_allowed: z.object({ ...change, by_clause: clauses }),
    newly_refused: z.object({
      ...change,
      by_policy: z.array(
        z.object({ ...change, issuer: z.string(), policy_hash: z.string(), examples }),
      ),
      by_anchor: z.array(
        z.object({
          ...change,
          anchor: z.string().nullable(),
          name: z.string().nullable(),
          examples,
        }),
      ),
    }),
    denied_later: z.object({
      ...change,
      by_date: z.array(z.object({ at: time, devices: count })),
      later_dates: count,
      by_cause: z.array(z.object({ ...span, cause: z.string(), share, examples })),
    }),
    by_label: breakdown,
    by_ring: breakdown,
    by_owner: breakdown,
    by_issuer: breakdown,
    clauses: z.array(
      z.object({
        pass: count,
        fail: count,
        undecidable: count,
        not_applicable: count,
        clause: z.string(),
        severity: z.enum(['enforce', 'report']),
        enforce_from: z.string().nullable(),
        cause: z.string().nullable(),
        denied: count,
        in_grace: z.object(span),
        denied_later: z.object(span),
        reached: z.boolean(),
      }),
    ),
    questions: questions.exactOptional(),
    request_clauses: z.array(z.string()),
    evidence_age: z.object({ compared: ages, newly_denied: ages }),
  }),
)
