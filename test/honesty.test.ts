import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** What measures how long something takes. A machine that is busy makes anything take longer. */
const STOPWATCH = [
  /\bperformance\.now\(/,
  /\bprocess\.(hrtime|cpuUsage)\(/,
  /\bexpect\([^\n]*Date\.now\(\) ?-/,
]

test('no test asserts on elapsed time: it counts the work, or belongs to the bench', () => {
  const found = globSync('test/**/*.test.ts').filter((file) => {
    const code = readFileSync(file, 'utf8')
    return STOPWATCH.some((pattern) => pattern.test(code))
  })
  expect(found.filter((file) => !file.startsWith('test/bench/')).sort()).toEqual([])
})
