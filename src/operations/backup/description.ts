import { z } from 'zod'
import type { BaseBackup } from '../../store/backup/base-backup.ts'

/** Names in the archive of a backup; nothing else is in it. */
export const DATABASE_PREFIX = 'database'
export const SECRET_NAME = 'secret.key'
/** The last file, so that an archive that ends early has none. */
export const DESCRIPTION_NAME = 'countersign.json'

const schema = z.strictObject({
  format: z.literal(1),
  made_at: z.iso.datetime(),
  /** Of countersign. */
  version: z.string(),
  /** Of PostgreSQL. */
  engine: z.string(),
  migrations: z.array(z.int()),
  has_secret: z.boolean(),
  tables: z.record(z.string(), z.strictObject({ rows: z.string(), hash: z.string() })),
})

/** What a backup says of itself. */
export type BackupDescription = z.infer<typeof schema>

export function writeDescription(
  { engine, migrations, fingerprint }: BaseBackup,
  rest: { readonly version: string; readonly hasSecret: boolean; readonly now: Date },
): string {
  const description: BackupDescription = {
    format: 1,
    made_at: rest.now.toISOString(),
    version: rest.version,
    engine,
    migrations: [...migrations],
    has_secret: rest.hasSecret,
    tables: { ...fingerprint },
  }
  return `${JSON.stringify(description, null, 2)}\n`
}

/** `undefined` for a text that this version did not write and cannot read. */
export function readDescription(text: string): BackupDescription | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
