import type { Reporter, TestModule } from 'vitest/node'
import { POSTGRES_BINARIES } from './postgres-binaries.ts'

/**
 * The last line of a run: which groups were left out and what brings each. In CI nothing may be
 * left out, for whatever reason, and the run fails where something was.
 */
export class LeftOutReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const groups = new Map<string, number>()
    if (POSTGRES_BINARIES === undefined) {
      groups.set('services inside workerd (they need PostgreSQL too)', 1)
    }
    let unexplained = 0
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const { note } = test.result() as { readonly note?: string | undefined }
        if (note === undefined) unexplained += 1
        else groups.set(note, (groups.get(note) ?? 0) + 1)
      }
    }
    if (unexplained > 0) groups.set('without a reason', unexplained)
    if (groups.size === 0) return
    const told = [...groups].map(([note, count]) =>
      count === 1 ? note : `${note} (${count} groups)`,
    )
    console.log(`Left out: ${told.join('; ')}.`)
    if (process.env.CI) {
      console.error('In CI nothing may be left out.')
      process.exitCode = 1
    }
  }
}
