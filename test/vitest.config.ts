import { defineConfig } from 'vitest/config'

/** Group 0 is the suite; group 1 runs after it and reads which refusal reasons it has seen. */
export default defineConfig({
  test: {
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
