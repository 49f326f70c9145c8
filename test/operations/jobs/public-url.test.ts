import { afterAll, expect, test } from 'vitest'
import {
  claimPublicUrl,
  keepPublicUrl,
  yieldPublicUrl,
} from '../../../src/operations/jobs/public-url.ts'
import { testClock } from '../../support/service.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
afterAll(() => database.close())

const clock = testClock()
const processOf = (publicUrl: string) => ({
  store: database.store,
  config: { publicUrl },
  clock: clock.now,
})
const one = processOf('https://one.example')
const two = processOf('https://two.example')

test('processes with one URL share a database, and another URL waits until the last of them has ended', async () => {
  await claimPublicUrl(one)
  await claimPublicUrl(one)
  await expect(claimPublicUrl(two)).rejects.toThrow(
    /serves https:\/\/one\.example and PUBLIC_URL is https:\/\/two\.example/,
  )
  clock.advance(119)
  await claimPublicUrl(one)
  clock.advance(119)
  await expect(claimPublicUrl(two)).rejects.toMatchObject({ name: 'PublicUrlTakenError' })
  // The last one was killed, and said nothing any more.
  clock.advance(2)
  await claimPublicUrl(two)

  await yieldPublicUrl(one)
  await expect(claimPublicUrl(one)).rejects.toMatchObject({ name: 'PublicUrlTakenError' })
  await yieldPublicUrl(two)
  await claimPublicUrl(one)
})

test('a process that finds another URL in its place says so and goes on', async () => {
  const told: string[] = []
  const note = (event: string) => void told.push(event)
  const log = { debug: note, info: note, warn: note, error: note }
  await keepPublicUrl({ ...two, log })
  expect(told).toEqual(['public_url_taken'])
})
