import type { ASTNode } from '@marcbachmann/cel-js'
import type { Names } from './compile.ts'
import { MEMBERS } from './input.ts'
import { noSuchKey } from './map.ts'
import { CelError, type Frame, Timestamp, type Value } from './value.ts'
import { DYNAMIC_MAP, isRootName, POLICY_TYPES, POLICY_VARIABLES, TIMESTAMP } from './variables.ts'

const NANOS_OF_MS = 1_000_000n

/** An object of a declared type, or why there is none. */
type Source = { readonly type: string; readonly read: (frame: Frame) => object | CelError }

/**
 * The names of a policy: `device`, `attestation`, `now` and what a request says. Where members are
 * declared, each is found when the expression is compiled, so that nothing is looked up by name in
 * an evaluation, and only what is read is converted.
 */
export const POLICY_NAMES: Names = {
  variable(name) {
    if (!isRootName(name)) return undefined
    const absent = new CelError('cel_value_unknown', `Unknown variable: ${name}`)
    const convert = converterOf(POLICY_VARIABLES[name])
    if (convert === undefined) return undefined
    return ({ variables }) => {
      const value = variables[name]
      return value === undefined || value === null ? absent : convert(value)
    }
  },
  path(node) {
    const member = declaredMember(node)
    if (member === undefined) return undefined
    const { read, absent, convert } = member
    return (frame) => {
      const value = read(frame)
      if (value instanceof CelError) return value
      return value === undefined || value === null ? absent : convert(value)
    }
  },
  presence(node) {
    const member = declaredMember(node)
    if (member === undefined) return undefined
    return (frame) => {
      const value = member.read(frame)
      return value instanceof CelError ? value : value !== undefined && value !== null
    }
  },
}

type DeclaredMember = {
  readonly type: string
  /** Undefined or null where it has no value. */
  readonly read: (frame: Frame) => unknown
  readonly absent: CelError
  readonly convert: (value: unknown) => Value | CelError
}

function declaredMember(node: ASTNode): DeclaredMember | undefined {
  if (node.op !== '.' && node.op !== '[]') return undefined
  const [object, member] = node.args
  const name = typeof member === 'string' ? member : member.op === 'value' ? member.args : undefined
  const source = sourceOf(object)
  if (source === undefined || typeof name !== 'string') return undefined
  const field = POLICY_TYPES[source.type]?.[name]
  const read = MEMBERS[source.type]?.[name]
  if (field === undefined || read === undefined) return undefined
  const { read: readSource } = source
  return {
    type: field.type,
    read: (frame) => {
      const object = readSource(frame)
      return object instanceof CelError ? object : read(object as never)
    },
    absent: noSuchKey(name),
    convert: converterOf(field.type) ?? (() => invalid(field.type)),
  }
}

function sourceOf(node: ASTNode): Source | undefined {
  if (node.op === 'id') {
    const name = node.args
    const type = isRootName(name) ? POLICY_VARIABLES[name] : undefined
    if (type === undefined || POLICY_TYPES[type] === undefined) return undefined
    const absent = new CelError('cel_value_unknown', `Unknown variable: ${name}`)
    const read = ({ variables }: Frame) => objectOf(variables[name]) ?? absent
    return { type, read }
  }
  const member = declaredMember(node)
  if (member === undefined || POLICY_TYPES[member.type] === undefined) return undefined
  const { read, type, absent } = member
  return { type, read: (frame) => objectOf(read(frame)) ?? absent }
}

function objectOf(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null ? value : undefined
}

function invalid(type: string): CelError {
  return new CelError('cel_value_invalid', `The value is no ${type}`)
}

/** How a value of a declared type becomes one of CEL; what is of another type is an error. */
function converterOf(type: string): DeclaredMember['convert'] | undefined {
  const wrong = invalid(type)
  switch (type) {
    case 'bool':
      return (value) => (typeof value === 'boolean' ? value : wrong)
    case 'string':
      return (value) => (typeof value === 'string' ? value : wrong)
    case 'int':
      return (value) => (Number.isSafeInteger(value) ? BigInt(value as number) : wrong)
    case 'list<string>':
      return (value) => (isTextList(value) ? value : wrong)
    case TIMESTAMP:
      return (value) =>
        isTime(value) ? new Timestamp(BigInt(value.getTime()) * NANOS_OF_MS) : wrong
    case DYNAMIC_MAP:
      return (value) => (isObject(value) ? value : wrong)
  }
  return undefined
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isTime(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime())
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
