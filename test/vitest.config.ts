import { defineConfig } from 'vitest/config'

const report = process.env.VITEST_JSON_REPORT

/**
 * Group 1 is the suite; group 2 runs after it and reads which refusal reasons it has seen. Not 0:
 * that group runs last where there is one worker.
 */
export default defineConfig({
  test: {
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    globalSetup: ['test/support/global-setup.ts'],
    projects: [
      {
        test: {
          name: 'suite',
          include: ['test/**/*.test.ts'],
          exclude: ['test/reasons.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          maxWorkers: '100%',
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: { name: 'reasons', include: ['test/reasons.test.ts'], sequence: { groupOrder: 2 } },
      },
    ],
  },
})
