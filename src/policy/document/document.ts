import { z } from 'zod'
import {
  MAX_CLAUSE_ID_CHARS,
  MAX_CLAUSES,
  MAX_DESCRIPTION_CHARS,
  MAX_EXPRESSION_CHARS,
  MAX_GRACE_SECONDS,
  MAX_LANGUAGES,
  MAX_POLICY_NAME_CHARS,
  MAX_REPAIR_CHARS,
  MAX_TITLE_CHARS,
} from '../limits.ts'

/** RFC 5646, cut to what names a language and its script or region. */
const LANGUAGE_TAG = /^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2}$/

const textSchema = z.strictObject({
  title: z.string().min(1).max(MAX_TITLE_CHARS),
  repair: z.string().min(1).max(MAX_REPAIR_CHARS),
})

const textsSchema = z
  .object({ en: textSchema })
  .catchall(textSchema)
  .refine((texts) => Object.keys(texts).length <= MAX_LANGUAGES, 'has too many languages')
  .refine(
    (texts) => Object.keys(texts).every((tag) => LANGUAGE_TAG.test(tag)),
    'has a key that is no language tag',
  )
  // What JSON Schema can say of both.
  .meta({ maxProperties: MAX_LANGUAGES, propertyNames: { pattern: LANGUAGE_TAG.source } })

const expressionSchema = z.string().min(1).max(MAX_EXPRESSION_CHARS)

const clauseSchema = z.strictObject({
  id: z
    .string()
    .max(MAX_CLAUSE_ID_CHARS)
    .regex(/^[a-z][a-z0-9_]*$/, 'must be lower-case letters, digits and _'),
  when: expressionSchema.optional(),
  require: expressionSchema,
  severity: z.enum(['enforce', 'report']),
  /** RFC 3339 in UTC: of an `enforce` clause that only reports until then. */
  enforce_from: z.iso.datetime().optional(),
  /**
   * Time for repair: the clause decides about a device only after it has failed it for so long while
   * the clause denied (`graceOfClause`).
   */
  grace_seconds: z.int().min(60).max(MAX_GRACE_SECONDS).optional(),
  /** `never`: that many devices fail it at once is meant, as where it reads the time of day. */
  hold: z.literal('never').optional(),
  texts: textsSchema,
})

/** A policy as an administrator writes it. Unknown members are errors: a typo must not be lost. */
export const policySchema = z.strictObject({
  name: z.string().min(1).max(MAX_POLICY_NAME_CHARS),
  description: z.string().max(MAX_DESCRIPTION_CHARS).optional(),
  /**
   * For which questions a device is demanded: `always`, which is so without it, or a condition in CEL over
   * the request.
   */
  device: expressionSchema.optional(),
  clauses: z.array(clauseSchema).min(1).max(MAX_CLAUSES),
})

export type PolicyDocument = z.infer<typeof policySchema>

export type ClauseDocument = PolicyDocument['clauses'][number]

/** `report` is shown and counted, and never decides. */
export type Severity = ClauseDocument['severity']

/** What a person reads who is affected: English always, other languages by their tag. */
export type Texts = { readonly en: ClauseText; readonly [language: string]: ClauseText }

export type ClauseText = { readonly title: string; readonly repair: string }
