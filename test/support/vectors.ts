import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, test } from 'vitest'

/** Real evidence and conformance data, kept beside the project and never inside it. */
const folder = resolve(process.env.VECTORS_DIR ?? '../shared/vectors')
const present = existsSync(folder)

export function vector(path: string): Uint8Array {
  return readFileSync(resolve(folder, path))
}

export function vectorText(path: string): string {
  return readFileSync(resolve(folder, path), 'utf8')
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of other projects; each test states its shape.
export function vectorJson(path: string): any {
  return JSON.parse(vectorText(path))
}

/** A suite over the vectors: skipped with a plain message where they are absent, failing in CI. */
export function describeVectors(name: string, suite: () => void): void {
  if (present) describe(name, suite)
  else if (process.env.CI) test(name, () => Promise.reject(new Error(`no vectors at ${folder}`)))
  else describe.skip(`${name} (no test vectors at ${folder}; set VECTORS_DIR)`, suite)
}
