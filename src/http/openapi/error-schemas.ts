import { z } from 'zod'
import { LINT_CODES, type LintFinding } from '../../policy/lint/finding.ts'
import { formOf } from './form-of.ts'

const count = z.int().min(0)
const place = z
  .object({
    member: z.string().optional().meta({ description: 'Path in the message.' }),
    event: count.optional().meta({ description: 'Number of the event in the boot log.' }),
    offset: count
      .optional()
      .meta({ description: 'Where the field that is wrong begins, from the start of the member.' }),
    pcrs: z.array(count).optional(),
    bank: z.string().optional().meta({ description: 'Of these PCRs, such as sha256.' }),
    structure: z.string().optional().meta({ description: 'And a field of it, after a dot.' }),
  })
  .meta({ description: 'Where in what was sent it is.' })

const expected = z.string().meta({ description: 'What would have been right.' })

const finding = formOf<LintFinding>()(
  z.object({
    severity: z.enum(['error', 'warning']),
    code: z.enum(LINT_CODES),
    clause: z.string().exactOptional(),
    member: z.string().exactOptional(),
    line: count,
    column: count,
    message: z.string(),
    suggestion: z.string().exactOptional(),
  }),
)

/** The errors of every surface, by the names that they have in the document. */
export const ERROR_SCHEMAS = {
  Problem: z
    .object({
      type: z.string().meta({ description: 'urn:countersign:problem: and the code.' }),
      title: z.string(),
      status: z.int().min(400).max(599),
      code: z
        .string()
        .regex(/^[a-z][a-z0-9_]*$/)
        .meta({ description: 'Stable: act on this one.' }),
      detail: z.string().optional(),
      where: place.optional(),
      expected: expected.optional(),
      instance: z
        .string()
        .meta({ description: 'urn:countersign:request: and the id of the request.' }),
      findings: z.array(finding).optional().meta({ description: 'What is wrong with a document.' }),
    })
    .meta({ description: 'RFC 9457.' }),
  AuthzenError: z.string().meta({ description: 'AuthZEN §10.1.2: what is wrong, for people.' }),
  AzureError: z
    .object({
      error: z.object({
        code: z.string(),
        message: z.string(),
        innererror: z.object({
          code: z.string().meta({ description: 'The exact reason: act on this one.' }),
          where: place.optional(),
          expected: expected.optional(),
          request_id: z.string(),
        }),
      }),
    })
    .meta({ description: "The form of Azure's REST interface." }),
} as const satisfies Readonly<Record<string, z.ZodType>>
