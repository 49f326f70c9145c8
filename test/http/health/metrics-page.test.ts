import { readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { createTestService } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database })
afterAll(() => database.close())

test('metrics are all on the page about them, and say what they are of', async () => {
  const page = readFileSync('docs/monitoring.md', 'utf8')
  const told = [...page.matchAll(/^\| `(countersign_\w+)` \| (\w+) \|/gm)]
  const metrics = await service.services.metrics.registry.getMetricsAsJSON()
  expect(told.map(([, name]) => name).sort()).toEqual(metrics.map(({ name }) => name).sort())
  for (const { name, type, help } of metrics) {
    const [, , of] = told.find(([, one]) => one === name) ?? []
    const isOfAll = help.startsWith('Of the whole deployment:')
    expect(of, name).toBe(isOfAll ? 'deployment' : 'process')
    // Whatever is added up over processes is a counter or a histogram.
    if (isOfAll) expect(type.toString()).toBe('gauge')
  }
})
