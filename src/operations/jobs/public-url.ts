import type { Log } from '../../base/log.ts'
import type { Config } from '../../config/config.ts'
import type { Store } from '../../store/store.ts'

export type PublicUrlDependencies = {
  readonly store: Pick<Store, 'claimJob' | 'yieldJob' | 'jobHolder'>
  readonly config: Pick<Config, 'publicUrl'>
  readonly clock: () => Date
}

/** Processes on one database were given different URLs: what one issues the other would refuse. */
export class PublicUrlTakenError extends Error {
  override readonly name = 'PublicUrlTakenError'
}

/** The lease of all processes with one URL: each of them is its holder. */
const JOB = 'public_url'
/** So long after the last process with another URL died, which gave nothing up. */
const LEASE_MS = 120_000

/**
 * Says that the database serves this `PUBLIC_URL`, which is in every token and receipt, and goes on to
 * while it is said again. Throws `PublicUrlTakenError`, which names the other one, while it serves that.
 */
export async function claimPublicUrl(dependencies: PublicUrlDependencies): Promise<void> {
  const { store, config } = dependencies
  const { publicUrl: holder } = config
  const now = dependencies.clock()
  const until = new Date(now.getTime() + LEASE_MS)
  if ((await store.claimJob({ job: JOB, holder, now, until })) !== null) return
  const other = await store.jobHolder(JOB)
  throw new PublicUrlTakenError(
    `this database serves ${other?.holder} and PUBLIC_URL is ${holder} here: give every process on it the same PUBLIC_URL, or stop those with the other one (if none runs any more, start again after ${other?.until.toISOString()})`,
  )
}

/** The same again and again; that it does not succeed is told, and stops nothing that goes well. */
export async function keepPublicUrl(
  dependencies: PublicUrlDependencies & { readonly log: Log },
): Promise<void> {
  try {
    await claimPublicUrl(dependencies)
  } catch (error) {
    if (!(error instanceof PublicUrlTakenError)) throw error
    dependencies.log.error('public_url_taken', { remedy: error.message })
  }
}

/** A process that stops lets another URL follow; others with this one claim it again in a moment. */
export async function yieldPublicUrl({ store, config }: PublicUrlDependencies): Promise<void> {
  await store.yieldJob({ job: JOB, holder: config.publicUrl, position: '', until: null })
}
