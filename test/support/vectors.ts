import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { inject } from 'vitest'
import type { Json } from './json.ts'
import { describeWith } from './left-out.ts'
import { CASES_FOLDER, VECTORS_FOLDER } from './vectors-folder.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Files in base64, by path: for tests inside workerd, which has no files. */
    readonly vectors: Readonly<Record<string, string>> | undefined
  }
}

const given = inject('vectors')
const present = given !== undefined || existsSync(VECTORS_FOLDER)

export function vector(path: string): Uint8Array {
  if (given === undefined) return readFileSync(resolve(VECTORS_FOLDER, path))
  const content = given[path]
  if (content === undefined) throw new TypeError(`not among EDGE_VECTORS: ${path}`)
  return new Uint8Array(Buffer.from(content, 'base64'))
}

/** A file of the inputs from the field. Not for tests that run inside workerd. */
export function caseFile(path: string): Uint8Array {
  return readFileSync(resolve(CASES_FOLDER, path))
}

/** A suite over the inputs from the field, which are there where the vectors are. */
export function describeCases(name: string, suite: () => void): void {
  describeWith('vectors', existsSync(CASES_FOLDER), name, suite)
}

export function vectorText(path: string): string {
  return Buffer.from(vector(path)).toString('utf8')
}

export function vectorJson(path: string): Json {
  return JSON.parse(vectorText(path))
}

/** A suite over the vectors, which may read them while it is collected. */
export function describeVectors(name: string, suite: () => void): void {
  describeWith('vectors', present, name, suite)
}
