import { expect, test } from 'vitest'
import { openMemoryStore } from '../../../src/store/drivers/embedded.ts'

test('calls that wait for the one session of the embedded database are bounded, for every use', async () => {
  const store = await openMemoryStore()
  const jobs = store.forUse('jobs')
  const asked = Array.from({ length: 2100 }, (_, n) => (n % 2 === 0 ? store : jobs).ping())
  const ends = await Promise.allSettled(asked)
  const faults = ends.map((one) => (one.status === 'rejected' ? one.reason.fault : 'answered'))
  expect(faults).toEqual([...Array(2048).fill('answered'), ...Array(52).fill('queue_full')])
  await store.ping()
  await store.close()
})
