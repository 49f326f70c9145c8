import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Failure, Result } from '../../src/base/result.ts'

/**
 * Asserts that `result` was refused for `reason` and notes that this reason has been seen, so that
 * test/reasons.test.ts can name the reasons that no test produces.
 */
export function expectRefusal<T, F extends Failure, R extends F['reason']>(
  result: Result<T, F>,
  reason: R,
): Extract<F, { reason: R }> | F {
  if (result.ok) expect.fail(`accepted, but should be refused as ${reason}`)
  expect(result.failure.reason).toBe(reason)
  noteReason(reason)
  return result.failure
}

/**
 * For reasons that are seen from outside, such as the `code` of a problem document. Inside workerd
 * there is no folder to note them in; the same tests do so on Node.
 */
export function noteReason(reason: string): void {
  const folder = process.env.SEEN_REASONS_DIR
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, reason), '')
}

/** The value of a result that must have been accepted. */
export function expectOk<T, F extends Failure>(result: Result<T, F>): T {
  if (!result.ok) expect.fail(`refused: ${JSON.stringify(result.failure)}`)
  return result.value
}
