import { globSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EDGE_TESTS } from '../support/edge/edge-tests.ts'
import { NODE_ONLY } from '../support/edge/node-only.ts'

test('every file that is kept from workerd is one that would run there', () => {
  const files = globSync([...EDGE_TESTS])
  for (const path of Object.keys(NODE_ONLY)) expect(files).toContain(path)
})
