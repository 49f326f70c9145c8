import { readFileSync } from 'node:fs'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import type { Fleet } from './fleet.ts'
import { readInput, say } from './variant.ts'

/** Anything that speaks HTTP may be asked what a Worker may be: its own runtime, and no more. */
export type EdgeServerInput = {
  readonly script: string
  readonly environment: Fleet['environment']
}

const { script, environment } = readInput<EdgeServerInput>()
const { DATABASE_URL = '', ...bindings } = environment
const database = new URL(DATABASE_URL)
// The local Hyperdrive wants one even where the server does not.
if (database.password === '') database.password = 'unused'
const runtime = new Miniflare(
  convertV4MiniflareOptions({
    modules: [{ type: 'ESModule', path: 'worker.js', contents: readFileSync(script, 'utf8') }],
    compatibilityDate: '2026-10-23',
    compatibilityFlags: ['nodejs_compat'],
    bindings,
    hyperdrives: { HYPERDRIVE: database.toString() },
  }),
)
const url = await runtime.ready
say({ url: url.origin })
process.on('SIGTERM', () => void runtime.dispose().then(() => process.exit()))
