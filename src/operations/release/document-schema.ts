import { z } from 'zod'
import { referenceValuesSchema } from '../../appraisal/reference-values.ts'
import { policySchema } from '../../policy/document/document.ts'
import { policyTestsSchema } from './policy-tests.ts'

/** What people write: both kinds of documents, and the tests of a policy. */
export const WRITTEN_KINDS = ['policy', 'reference-values', 'test'] as const

export type WrittenKind = (typeof WRITTEN_KINDS)[number]

const SCHEMAS: Readonly<Record<WrittenKind, { readonly title: string; readonly form: z.ZodType }>> =
  {
    policy: { title: 'Policy of Countersign', form: policySchema },
    'reference-values': { title: 'Reference values of Countersign', form: referenceValuesSchema },
    test: { title: 'Tests of a policy of Countersign', form: policyTestsSchema },
  }

/**
 * JSON Schema (draft 2020-12) of what people write, for editors and other programs. It says of form
 * what JSON Schema can say; what an expression means, and what contradicts itself, lint alone finds.
 */
export function schemaOf(kind: WrittenKind): object {
  const { title, form } = SCHEMAS[kind]
  const { $schema, ...schema } = z.toJSONSchema(form, { io: 'input' })
  return { $schema, title, ...schema }
}
