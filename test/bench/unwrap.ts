import type { Failure, Result } from '../../src/base/result.ts'

/** The value of a result; a bench has no use for anything else. */
export function unwrap<T, F extends Failure>(result: Result<T, F>): T {
  if (result.ok) return result.value
  throw new Error(`refused: ${JSON.stringify(result.failure)}`)
}
