import { z } from 'zod'
import type { Json } from '../../store/json.ts'

/** What JSON makes of a value: times become text, marks of types fall away, and any JSON may be anything. */
export type AsJson<T> = [Json] extends [T] ? unknown : EachAsJson<T>

type EachAsJson<T> = T extends Date
  ? string
  : T extends string
    ? T extends object
      ? string
      : T
    : T extends readonly (infer Item)[]
      ? AsJson<Item>[]
      : T extends object
        ? { -readonly [Name in keyof T]: AsJson<T[Name]> }
        : T

/** `unknown` where each holds the other, which asks for nothing; else what tells them apart. */
type Agreement<Told, Form> = [Told] extends [Form]
  ? [Form] extends [Told]
    ? unknown
    : { readonly 'the schema allows what is never answered': Form }
  : { readonly 'the schema forbids what is answered': Told }

/**
 * Says that a schema is the form of `T` as it stands on the wire. It does not compile where a member of the
 * one is missing in the other, or has another type: so what answers hold is written down once, by the code
 * that makes them.
 */
export function formOf<T>() {
  return <S extends z.ZodType>(schema: S & Agreement<AsJson<T>, z.input<S>>): S => schema
}

/** One of the names of a map, such as that of everything that can be said. */
export function enumOf<Name extends string>(map: Readonly<Record<Name, unknown>>) {
  return z.enum(Object.keys(map) as Name[])
}
