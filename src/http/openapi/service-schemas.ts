import { z } from 'zod'

const state = z.enum(['ok', 'unreachable'])

/** Messages of no use case. */
export const SERVICE_SCHEMAS = {
  Alive: z.object({
    status: z.literal('ok'),
    developer: z.literal(true).optional().meta({ description: 'Refusals tell agents everything.' }),
  }),
  Ready: z.object({
    status: z.literal('ready'),
    database: z.literal('ok'),
    verifiers: z.record(z.string(), state),
  }),
  NotReady: z.object({
    status: z.enum(['draining', 'not ready']),
    database: z.literal('unreachable').optional(),
  }),
  KeySet: z.object({
    keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })),
  }),
  OpenApi: z.looseObject({ openapi: z.literal('3.1.0') }),
} as const satisfies Readonly<Record<string, z.ZodType>>
