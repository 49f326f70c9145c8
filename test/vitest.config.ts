import { defineConfig } from 'vitest/config'

const report = process.env.VITEST_JSON_REPORT

/** Group 0 is the suite; group 1 runs after it and reads which refusal reasons it has seen. */
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
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: { name: 'reasons', include: ['test/reasons.test.ts'], sequence: { groupOrder: 1 } },
      },
    ],
  },
})
