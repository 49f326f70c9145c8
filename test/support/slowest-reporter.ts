import type { Reporter, TestCase, TestModule } from 'vitest/node'

const SHOWN = 10

/** The ten tests that took longest, in one short list after a run of many. */
export class SlowestReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules
      .flatMap((module) => [...module.children.allTests()])
      .filter((test) => test.result().state !== 'skipped')
    if (tests.length <= SHOWN) return
    const slowest = tests.toSorted((a, b) => durationOf(b) - durationOf(a)).slice(0, SHOWN)
    console.log('Slowest tests:')
    for (const test of slowest) {
      const seconds = (durationOf(test) / 1000).toFixed(1).padStart(6)
      console.log(`${seconds} s  ${test.module.relativeModuleId}: ${test.name}`)
    }
  }
}

function durationOf(test: TestCase): number {
  return test.diagnostic()?.duration ?? 0
}
