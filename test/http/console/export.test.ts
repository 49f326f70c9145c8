import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ConsoleWorld, makeDevices, openConsoleWorld } from './pages-world.ts'

/** Exports while they are sent: on Node as inside workerd, where the answer is there before its rows are read. */

let world: ConsoleWorld
let ids: readonly string[]
beforeAll(async () => {
  world = await openConsoleWorld()
  ids = (await makeDevices(world.fleet, 650, { ring: 7 })).toSorted()
})
afterAll(() => world.close())

test('as JSON lines has the devices that the filters say, in the order of their ids', async () => {
  const answer = await world.get('/console/devices/export.jsonl?ring=7')
  expect(answer.headers.get('content-type')).toBe('application/jsonl; charset=UTF-8')
  const lines = (await answer.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ device_id }) => device_id)).toEqual(ids)
  const none = await world.get('/console/devices/export.jsonl?ring=8')
  expect(await none.text()).toBe('')
})

test('reads a page of the fleet when it is asked for, and no more', async () => {
  const { calls } = world.fleet.service
  const pages = () => calls.filter((name) => name === 'listDevices').length
  calls.length = 0
  const answer = await world.get('/console/devices/export.csv')
  const reader = answer.body?.getReader() ?? expect.unreachable()
  await reader.read()
  expect(pages()).toBeLessThanOrEqual(3)
  let chunk = await reader.read()
  while (!chunk.done) chunk = await reader.read()
  expect(pages()).toBe(4)
})

test('ends with whoever goes away', async () => {
  const { calls } = world.fleet.service
  calls.length = 0
  const answer = await world.get('/console/devices/export.csv')
  await answer.body?.cancel()
  const then = calls.length
  await world.get('/console/devices?ring=8')
  expect(calls.slice(then).filter((name) => name === 'listDevices').length).toBeLessThanOrEqual(2)
})

test('of what cannot be searched for is refused before anything is sent', async () => {
  const answer = await world.get('/console/devices/export.csv?ring=ninety')
  expect(answer.status).toBe(400)
  expect(answer.headers.get('content-disposition')).toBeNull()
})
