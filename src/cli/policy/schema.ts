import { schemaOf, type WrittenKind } from '../../operations/release/document-schema.ts'
import { printText } from '../framework/output.ts'

/** Prints the JSON Schema of what people write, indented, as a file of it is. */
export function printSchema(kind: WrittenKind): number {
  printText(`${JSON.stringify(schemaOf(kind), null, 2)}\n`)
  return 0
}
