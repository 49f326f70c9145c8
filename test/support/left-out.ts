import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { isDenied, WITNESSES, type Witness } from './witnesses.ts'

/** Name of the file, in the folder of a run, that says that groups were left out of it. */
const MARK = 'left-out'

/**
 * A suite that runs where `witness` is. Elsewhere `suite` is not even collected: one skipped test
 * with what brings the witness stands for it, and the reporter says so at the end. In CI it fails.
 */
export function describeWith(
  witness: Witness,
  isPresent: boolean,
  name: string,
  suite: () => void,
): void {
  if (isPresent && !isDenied(witness)) {
    describe(name, suite)
    return
  }
  noteLeftOut()
  test(name, (context) => {
    if (process.env.CI) throw new Error(`left out, which CI must not: ${WITNESSES[witness]}`)
    context.skip(WITNESSES[witness])
  })
}

/** Where a run notes that it is not whole; `undefined` inside workerd, which has no files. */
export function leftOutMark(): string | undefined {
  const folder = process.env.TEST_RUN_DIR
  return folder === undefined ? undefined : join(folder, MARK)
}

function noteLeftOut(): void {
  const mark = leftOutMark()
  if (mark === undefined) return
  mkdirSync(join(mark, '..'), { recursive: true })
  writeFileSync(mark, '')
}
