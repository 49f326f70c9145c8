import { inject } from 'vitest'
import type { ToldPlace } from '../../src/base/place.ts'
import type { VectorExchange } from '../../src/cli/vectors/exchange.ts'
import type { VectorValue } from '../../src/cli/vectors/values.ts'
import { listAgentVectors } from './agent-vectors-folder.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The golden vectors by path: for tests inside workerd, which has no files. */
    readonly agentVectors: Readonly<Record<string, string>> | undefined
  }
}

/** A good run, as its file has it. */
export type RunFile = {
  readonly name: string
  readonly values: readonly VectorValue[]
  readonly exchanges: readonly VectorExchange[]
}

export type RefusedFile = {
  readonly name: string
  readonly changed: string
  readonly refused: { readonly status: number; readonly code: string; readonly where?: ToldPlace }
  readonly exchanges: readonly VectorExchange[]
}

/** The text of each file of vectors, by path. */
export function readAgentVectors(): ReadonlyMap<string, string> {
  const given = inject('agentVectors')
  return new Map(Object.entries(given ?? listAgentVectors()))
}

/** The parsed files of one folder, by name. */
export function readFolder<T>(
  files: ReadonlyMap<string, string>,
  folder: 'runs' | 'refused',
): readonly T[] {
  return [...files].flatMap(([path, text]) =>
    path.startsWith(`${folder}/`) ? [JSON.parse(text) as T] : [],
  )
}

/** The bytes or the UTF-8 of a value of a run. */
export function readValue({ values }: RunFile, name: string): Buffer {
  const value = values.find((one) => one.name === name)
  if (value === undefined) throw new TypeError(`no ${name} in the run`)
  return 'hex' in value ? Buffer.from(value.hex, 'hex') : Buffer.from(value.text)
}

/** What an answer says of a refusal: in Azure's form, or in a problem document (RFC 9457). */
export function readRefusal(body: unknown): { readonly code: unknown; readonly where: unknown } {
  const told = body as Told & { readonly error?: { readonly innererror?: Told } }
  const { code, where } = told.error?.innererror ?? told
  return { code, where }
}

type Told = { readonly code?: unknown; readonly where?: unknown }
