import { readFileSync } from 'node:fs'
import { runWorker } from '../support/workerd.ts'
import type { Fleet } from './fleet.ts'
import { readInput, say } from './variant.ts'

export type EdgeServerInput = {
  /** Path of the built Worker. */
  readonly script: string
  readonly environment: Fleet['environment']
}

const { script, environment } = readInput<EdgeServerInput>()
const { DATABASE_URL = '', ...bindings } = environment
const worker = await runWorker({
  script: readFileSync(script, 'utf8'),
  bindings,
  databaseUrl: DATABASE_URL,
})
say({ url: worker.url })
process.on('SIGTERM', () => void worker.close().then(() => process.exit()))
