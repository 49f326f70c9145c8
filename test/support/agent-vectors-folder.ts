import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where the golden vectors are committed. */
export const AGENT_VECTORS_FOLDER = 'test/cli/vectors/exported'

/** The text of each file of vectors, by path. */
export function listAgentVectors(): Readonly<Record<string, string>> {
  if (!existsSync(AGENT_VECTORS_FOLDER)) return {}
  const paths = readdirSync(AGENT_VECTORS_FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json') || path === 'README.md')
    .sort()
  return Object.fromEntries(
    paths.map((path) => [path, readFileSync(join(AGENT_VECTORS_FOLDER, path), 'utf8')]),
  )
}
