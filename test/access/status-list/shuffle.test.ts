import { createSecretKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { BLOCK_ENTRIES, indexOfPlace } from '../../../src/access/status-list/shuffle.ts'

const secret = createSecretKey(Buffer.alloc(32, 7))
const other = createSecretKey(Buffer.alloc(32, 8))
const PLACES = Array.from({ length: 3000 }, (_, place) => place)

test('no two places have the same index, and each stays within its block', () => {
  for (const from of [0, BLOCK_ENTRIES - PLACES.length, 5 * BLOCK_ENTRIES]) {
    const indices = PLACES.map((place) => indexOfPlace(from + place, secret))
    expect(new Set(indices).size).toBe(PLACES.length)
    const block = Math.floor(from / BLOCK_ENTRIES)
    expect(indices.every((index) => Math.floor(index / BLOCK_ENTRIES) === block)).toBe(true)
  }
})

test('places one after the other lie anywhere: as far from each other as two by chance', () => {
  const indices = PLACES.map((place) => indexOfPlace(place, secret))
  const distances = indices.slice(1).map((index, at) => Math.abs(index - (indices[at] ?? 0)))
  const mean = distances.reduce((sum, distance) => sum + distance, 0) / distances.length
  // Two points of a line by chance are a third of it from each other.
  expect(mean / BLOCK_ENTRIES).toBeGreaterThan(0.31)
  expect(mean / BLOCK_ENTRIES).toBeLessThan(0.357)
  const ascents = indices.slice(1).filter((index, at) => index > (indices[at] ?? 0))
  expect(ascents.length / distances.length).toBeGreaterThan(0.46)
  expect(ascents.length / distances.length).toBeLessThan(0.54)
})

test('the same place has another index under another secret, and in another block', () => {
  const same = PLACES.filter((place) => indexOfPlace(place, secret) === indexOfPlace(place, other))
  expect(same.length).toBeLessThan(5)
  const sameInBlock = PLACES.filter((place) => {
    const next = indexOfPlace(place + BLOCK_ENTRIES, secret)
    return indexOfPlace(place, secret) === next % BLOCK_ENTRIES
  })
  expect(sameInBlock.length).toBeLessThan(5)
})

test('what is no place is misuse', () => {
  for (const place of [-1, 0.5, Number.NaN]) {
    expect(() => indexOfPlace(place, secret)).toThrow(TypeError)
  }
})
