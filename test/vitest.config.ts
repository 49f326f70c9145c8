import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig, type TestUserConfig } from 'vitest/config'
import { ALONE } from './support/alone.ts'
import { bundledPackage } from './support/edge/bundled-package.ts'
import { isClosedDatabaseSocket } from './support/edge/closed-socket.ts'
import { EDGE_TESTS } from './support/edge/edge-tests.ts'
import { NODE_ONLY } from './support/edge/node-only.ts'
import { LeftOutReporter } from './support/left-out-reporter.ts'
import { LongestFirst } from './support/longest-first.ts'
import { POSTGRES_BINARIES } from './support/postgres-binaries.ts'
import { SlowestReporter } from './support/slowest-reporter.ts'

/** More than there are processors: half of what tests do is to wait for another process, or for a time. */
const WORKERS = availableParallelism() * 2
/** With a whole processor to themselves tests take a tenth of it; some machines do more besides. */
const timeouts = { testTimeout: 60_000, hookTimeout: 120_000 }

/**
 * Group 1 is the suite; group 2 runs after it and reads which refusal reasons it has seen. Not 0:
 * that group runs last where there is one worker.
 */
export default defineConfig({
  test: {
    reporters: reporters(),
    globalSetup: ['test/support/global-setup.ts'],
    sequence: { sequencer: LongestFirst },
    onUnhandledError: (error) => !isClosedDatabaseSocket(error),
    projects: [
      {
        test: {
          name: 'suite',
          include: ['test/**/*.test.ts'],
          exclude: ['test/reasons.test.ts', ...Object.keys(ALONE)],
          ...timeouts,
          maxWorkers: WORKERS,
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'alone',
          include: Object.keys(ALONE),
          ...timeouts,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        plugins: [
          bundledPackage('pg'),
          bundledPackage('prom-client'),
          cloudflareTest({
            miniflare: {
              compatibilityDate: readCompatibilityDate(),
              compatibilityFlags: ['nodejs_compat'],
            },
          }),
        ],
        test: {
          name: 'edge',
          // Without PostgreSQL there is no database for them: the global setup says so in CI.
          include: POSTGRES_BINARIES === undefined ? [] : [...EDGE_TESTS],
          exclude: Object.keys(NODE_ONLY),
          globalSetup: ['test/support/edge/global-setup.ts'],
          ...timeouts,
          maxWorkers: WORKERS,
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'reasons',
          include: ['test/reasons.test.ts'],
          ...timeouts,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})

/** For people; for CI, which counts; what took longest; and last of all what was left out. */
function reporters(): NonNullable<TestUserConfig['reporters']> {
  const outputFile = process.env.VITEST_JSON_REPORT
  const ends = [new SlowestReporter(), new LeftOutReporter()]
  return outputFile === undefined
    ? ['default', ...ends]
    : ['default', ['json', { outputFile }], ...ends]
}

/** Whose behaviour of the runtime the deployed Worker asks for. */
function readCompatibilityDate(): string {
  const settings = readFileSync('wrangler.toml', 'utf8')
  const [, date] = /^compatibility_date = "(.+)"$/m.exec(settings) ?? []
  if (date === undefined) throw new TypeError('no compatibility_date in wrangler.toml')
  return date
}
