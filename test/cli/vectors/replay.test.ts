import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../../../src/cli/vectors/exchange.ts'
import { type FixedService, openFixedService } from '../../../src/cli/vectors/fixed-service.ts'
import { makeVectors } from '../../../src/cli/vectors/make-vectors.ts'
import {
  type RefusedFile,
  type RunFile,
  readAgentVectors,
  readFolder,
  readRefusal,
} from '../../support/agent-vectors.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/*
 * The committed vectors and the real service, with the clock, keys and random bytes that they were made
 * with: on Node and inside workerd. What they are held against that nobody here wrote is in
 * `witnesses.test.ts`.
 */

const files = readAgentVectors()
const runs = readFolder<RunFile>(files, 'runs')
const refused = readFolder<RefusedFile>(files, 'refused')
const databases: TestDatabase[] = []

async function openService(): Promise<FixedService> {
  const database = await openTestDatabase()
  databases.push(database)
  const { store, serve } = database
  return openFixedService({ store, serve })
}

afterAll(async () => {
  for (const database of databases) await database.close()
})

/** Some seconds of arithmetic, where nobody else computes. */
const SLOW = 180_000

test(
  'the vectors that are made here are the committed ones, byte for byte',
  async () => {
    const made = await makeVectors(await openService())
    expect([...made.keys()].sort()).toEqual([...files.keys()].sort())
    for (const [path, text] of made) expect(text, path).toBe(files.get(path))
  },
  SLOW,
)

describe('the service', () => {
  let service: FixedService
  beforeAll(async () => {
    service = await openService()
  }, SLOW)

  test.each(runs)('answers every request of the run $name as it is written down', async (run) => {
    expect(run.exchanges.length).toBeGreaterThanOrEqual(2)
    for (const exchange of run.exchanges) {
      expect(await ask(service, exchange), exchange.step).toEqual(exchange.answer)
    }
  })

  test.each(refused)('refuses $name with its status, code and place', async (file) => {
    for (const exchange of file.exchanges) {
      expect(await ask(service, exchange), exchange.step).toEqual(exchange.answer)
    }
    const { status, code, where } = file.refused
    const answer = file.exchanges.at(-1)?.answer
    expect(answer?.status).toBe(status)
    expect(readRefusal(answer?.body)).toEqual({ code, where })
  })
})
