import { z } from 'zod'

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
      instance: z
        .string()
        .meta({ description: 'urn:countersign:request: and the id of the request.' }),
    })
    .meta({ description: 'RFC 9457.' }),
  AzureError: z
    .object({
      error: z.object({
        code: z.string(),
        message: z.string(),
        innererror: z
          .looseObject({ code: z.string() })
          .optional()
          .meta({ description: 'What exactly, and where.' }),
      }),
    })
    .meta({ description: "The form of Azure's REST interface." }),
} as const satisfies Readonly<Record<string, z.ZodType>>
