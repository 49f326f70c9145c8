import { defineConfig } from 'vitest/config'
import { SlowestReporter } from './support/slowest-reporter.ts'
import { listUnitTests } from './support/unit-tests.ts'

/** The tests that need no database and start no program: `npm run test:unit`. */
export default defineConfig({
  test: {
    include: [...listUnitTests()],
    testTimeout: 30_000,
    isolate: false,
    maxWorkers: '100%',
    reporters: ['default', new SlowestReporter()],
  },
})
