import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { listAgentVectors } from '../agent-vectors-folder.ts'
import { VECTORS_FOLDER } from '../vectors-folder.ts'
import { isDenied } from '../witnesses.ts'
import { EDGE_VECTORS } from './edge-tests.ts'

/** Hands tests inside workerd, which has no files, the vectors that they read. */
export default function setup(project: TestProject): void {
  project.provide('agentVectors', listAgentVectors())
  if (!existsSync(VECTORS_FOLDER) || isDenied('vectors')) return
  const paths = globSync([...EDGE_VECTORS], { cwd: VECTORS_FOLDER })
  const read = (path: string) => [path, readFileSync(join(VECTORS_FOLDER, path), 'base64')]
  project.provide('vectors', Object.fromEntries(paths.map(read)))
}
