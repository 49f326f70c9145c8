import { z } from 'zod'
import { oneOf, wholeNumber } from '../base/fields.ts'

/** Where everything is kept. */
export type DatabaseConfig =
  | { readonly kind: 'embedded'; readonly dataDir: string }
  | {
      readonly kind: 'postgres'
      readonly url: string
      readonly poolSize: number
      /** Whether to look for a pooler, which forgets the names of statements, or to expect one. */
      readonly prepared: 'auto' | 'off'
    }

/** One for each use of the store: decisions, recordings, administration and jobs. */
const LEAST_CONNECTIONS = 5

/** A user without a host before the path is good for a Unix socket (`?host=/run/postgresql`). */
function isDatabaseUrl(text: string): boolean {
  return URL.canParse(text.replace('@/', '@localhost/'))
}

/** The database: PostgreSQL by its URL, or the embedded one in the data directory. */
export const databaseSettings = {
  DATABASE_URL: z
    .string()
    .regex(/^postgres(?:ql)?:\/\//, 'must begin with postgres:// or postgresql://')
    .refine(isDatabaseUrl, 'is no URL (special characters of the password must be percent-encoded)')
    .optional(),
  DATABASE_POOL_SIZE: wholeNumber(LEAST_CONNECTIONS, 500, 10),
  DATABASE_PREPARED: oneOf(['auto', 'off']).default('auto'),
  DATA_DIR: z.string().min(1).default('./data'),
}

type Settings = z.infer<z.ZodObject<typeof databaseSettings>>

export function readDatabaseConfig(settings: Settings): DatabaseConfig {
  return settings.DATABASE_URL === undefined
    ? { kind: 'embedded', dataDir: settings.DATA_DIR }
    : {
        kind: 'postgres',
        url: settings.DATABASE_URL,
        poolSize: settings.DATABASE_POOL_SIZE,
        prepared: settings.DATABASE_PREPARED,
      }
}
