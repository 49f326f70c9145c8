import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'

/**
 * What some tests need beyond Node and npm, since it is there to contradict us and so nobody here
 * wrote it: by name, and what brings it to a machine.
 */
export const WITNESSES = {
  vectors: 'real evidence and conformance cases: a folder of them, named by VECTORS_DIR',
  postgres: 'PostgreSQL: Debian package postgresql',
  pgbouncer: 'PgBouncer: Debian packages pgbouncer and postgresql',
  swtpm: 'a TPM: Debian packages swtpm, swtpm-tools, tpm2-tools and libtss2-tcti-swtpm0',
  openssl: 'OpenSSL: Debian package openssl',
} as const

export type Witness = keyof typeof WITNESSES

/** Name of the file, in the folder of a run, that says that groups were left out of it. */
const MARK = 'left-out'

/** Whether this run is to do as if `witness` were not on this machine: `TESTS_WITHOUT=vectors,…`. */
export function isDenied(witness: Witness): boolean {
  return (process.env.TESTS_WITHOUT ?? '').split(',').includes(witness)
}

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
