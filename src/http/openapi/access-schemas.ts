import { z } from 'zod'
import type { BreakGlassDecision } from '../../access/break-glass/decision.ts'
import { BREAK_GLASS_REASONS } from '../../access/break-glass/failure.ts'
import type { Decision, DecisionContext, ToldRelief } from '../../access/decide.ts'
import { type answerUnreadable, BATCH_SEMANTICS } from '../../access/evaluations-request.ts'
import {
  MAX_ENTITY_TEXT_CHARS,
  MAX_EVALUATIONS,
  MAX_PAGE_TOKEN_CHARS,
  SEARCH_PAGE_MOST,
} from '../../access/limits.ts'
import type { AuthzenConfiguration, SignedConfiguration } from '../../access/metadata.ts'
import type { DescribedReason } from '../../access/reason-text.ts'
import { BUILT_IN_TEXTS } from '../../access/texts.ts'
import { VERDICTS } from '../../access/trust-record.ts'
import type { SearchResults } from '../../operations/decide/search.ts'
import { enumOf, formOf } from './form-of.ts'

/**
 * The messages of AuthZEN. Requests are read by code of our own (`src/access/evaluation-request.ts`), which is
 * on the way of every decision: a test holds that code and these schemas to the same requests.
 */
const properties = z.record(z.string(), z.unknown())
const name = z.string().max(MAX_ENTITY_TEXT_CHARS)
const subject = z
  .object({ type: name, id: name, properties: properties.optional() })
  .meta({ examples: [{ type: 'user', id: 'ada@example.com' }] })
const resource = z
  .object({ type: name, id: name, properties: properties.optional() })
  .meta({ examples: [{ type: 'application', id: 'payroll' }] })
const action = z
  .object({ name, properties: properties.optional() })
  .meta({ examples: [{ name: 'sign_in' }] })
const context = properties.meta({
  description:
    'device_id or device_token names the device; language and receipt are read by the service.',
})

const evaluationRequest = z.object({
  subject,
  resource,
  action,
  context: context.optional(),
})

/** A member of a batch may lack what the top level has; what is wrong with one is told in its place. */
const batch = z.object({
  subject: subject.partial().optional(),
  resource: resource.partial().optional(),
  action: action.partial().optional(),
  context: context.optional(),
  evaluations: z
    .array(
      z.object({
        subject: subject.partial().optional(),
        resource: resource.partial().optional(),
        action: action.partial().optional(),
        context: context.optional(),
      }),
    )
    .min(1)
    .max(MAX_EVALUATIONS),
  options: z.object({ evaluations_semantic: z.enum(BATCH_SEMANTICS).optional() }).optional(),
})

const evaluationsRequest = z.union([
  batch,
  evaluationRequest.extend({ evaluations: z.array(z.unknown()).max(0).optional() }),
])

const page = z.object({
  token: z.string().max(MAX_PAGE_TOKEN_CHARS).optional(),
  limit: z
    .int()
    .min(0)
    .optional()
    .meta({ description: `${SEARCH_PAGE_MOST} at most are given.` }),
})
const { subject: _, ...withoutSubject } = evaluationRequest.shape
const { resource: __, ...withoutResource } = evaluationRequest.shape
const { action: ___, ...withoutAction } = evaluationRequest.shape
const subjectSearch = z.object({
  ...withoutSubject,
  subject: z.object({
    type: name.meta({ description: 'Any but device.' }),
    properties: properties.optional(),
  }),
  page: page.optional(),
})
const resourceSearch = z.object({
  ...withoutResource,
  resource: z.object({ type: name, properties: properties.optional() }),
  page: page.optional(),
})
const actionSearch = z.object({ ...withoutAction, page: page.optional() })

export const describedReason = formOf<DescribedReason>()(
  z.object({
    code: enumOf({ ...BUILT_IN_TEXTS, clause_failed: true }),
    clause: z.string().exactOptional(),
    title: z.string(),
    repair: z.string(),
    measured_at: z.enum(['boot', 'resume', 'now']).exactOptional(),
  }),
)

const time = z.iso.datetime()

export const toldRelief = formOf<ToldRelief>()(
  z.object({
    kind: z.enum(['grace', 'hold', 'outage_grace', 'allowance']),
    reason: z.string().exactOptional(),
    until: time,
  }),
)

const forPeople = z.object({ '403': z.string() })

const decisionContext = formOf<DecisionContext>()(
  z.object({
    verdict: z.enum(VERDICTS),
    reasons: z.array(describedReason),
    reported: z.array(z.string()),
    policy: z.string(),
    reference_values: z.string(),
    device_demanded: z.literal(false).exactOptional(),
    device_id: z.string().exactOptional(),
    attestation_id: z.string().exactOptional(),
    attested_at: time.exactOptional(),
    valid_until: time.exactOptional(),
    cnf: z.object({ jkt: z.string() }).exactOptional(),
    relief: z.array(toldRelief).exactOptional(),
    reason_admin: forPeople.exactOptional(),
    reason_user: forPeople.exactOptional(),
  }),
)

export const decision = formOf<Decision>()(
  z.object({ decision: z.boolean(), context: decisionContext }),
)

/** What a token is refused for is an error, but that it is for another device, which is a denial. */
const BREAK_GLASS_CODES = z.enum(BREAK_GLASS_REASONS)

/** What a caller is answered: with the receipt that it asked for, or by a break-glass token. */
const receipted = decision.extend({
  context: decisionContext.extend({
    receipt: z.string().optional().meta({ contentMediaType: 'application/jwt' }),
  }),
})

const breakGlassDecision = formOf<BreakGlassDecision>()(
  z.object({
    decision: z.boolean(),
    context: z.object({
      verdict: z.literal('unknown'),
      reasons: z.array(
        z.object({ code: BREAK_GLASS_CODES, title: z.string(), repair: z.string() }),
      ),
      reported: z.array(z.never()),
      device_id: z.string().exactOptional(),
      break_glass: z.object({ jti: z.string(), sub: z.string(), exp: time, reason: z.string() }),
      reason_admin: forPeople.exactOptional(),
      reason_user: forPeople.exactOptional(),
    }),
  }),
)

const unreadable = formOf<ReturnType<typeof answerUnreadable>>()(
  z.object({
    decision: z.literal(false),
    context: z.object({ error: z.object({ status: z.literal(400), message: z.string() }) }),
  }),
)

const answer = z.union([receipted, breakGlassDecision])

const result = z.union([
  z.object({ type: z.string(), id: z.string() }),
  z.object({ name: z.string() }),
])

const configuration = formOf<AuthzenConfiguration>()(
  z.object({
    policy_decision_point: z.url(),
    access_evaluation_endpoint: z.url(),
    access_evaluations_endpoint: z.url(),
    search_subject_endpoint: z.url(),
    search_resource_endpoint: z.url(),
    search_action_endpoint: z.url(),
  }),
)

/** By the names that they have in the document. */
export const ACCESS_SCHEMAS = {
  EvaluationRequest: evaluationRequest,
  EvaluationsRequest: evaluationsRequest,
  SubjectSearchRequest: subjectSearch,
  ResourceSearchRequest: resourceSearch,
  ActionSearchRequest: actionSearch,
  Decision: receipted,
  DecidedReason: describedReason,
  Relief: toldRelief,
  BreakGlassDecision: breakGlassDecision,
  EvaluationAnswer: answer,
  EvaluationsAnswer: z.union([
    z.object({ evaluations: z.array(z.union([answer, unreadable])) }),
    answer,
  ]),
  SearchResults: formOf<SearchResults>()(
    z.object({
      page: z.object({ next_token: z.string(), count: z.int().min(0) }),
      results: z.array(result),
    }),
  ),
  AuthzenConfiguration: formOf<SignedConfiguration>()(
    configuration.extend({
      signed_metadata: z.string().meta({ contentMediaType: 'application/jwt' }),
    }),
  ),
} as const satisfies Readonly<Record<string, z.ZodType>>
