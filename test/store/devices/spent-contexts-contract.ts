import { expect, test } from 'vitest'
import { at, type StoreUnderTest } from '../fixtures.ts'

let contexts = 0

export function spentContextsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const context = (expiresAt = at(300)) => {
    contexts += 1
    return { contextId: `context ${contexts} of ${process.pid}`, expiresAt }
  }

  test('of any number of uses at once exactly one is the first, and no later one', async () => {
    const used = context()
    const uses = await Promise.all(Array.from({ length: 32 }, () => store().spendContext(used)))
    expect(uses.filter((isFirst) => isFirst)).toHaveLength(1)
    expect(await store().spendContext(used)).toBe(false)
    expect(await store().spendContext(context())).toBe(true)
  })

  test('goes when its partition does, where every clock refuses it for its age alone', async () => {
    const now = new Date('2036-01-10T12:00:00Z')
    const keep = (before: Date) => store().keepPartitions({ table: 'spent_context', before, now })
    await keep(new Date(0))
    const used = context(new Date('2036-01-10T23:59:59Z'))
    const next = context(new Date('2036-01-11T00:00:00Z'))
    for (const one of [used, next]) expect(await store().spendContext(one)).toBe(true)
    expect((await keep(used.expiresAt)).dropped).toBeNull()
    expect(await store().spendContext(used)).toBe(false)
    expect((await keep(next.expiresAt)).dropped).toBe('spent_context_2036011000')
    expect(await store().spendContext(used)).toBe(true)
    expect(await store().spendContext(next)).toBe(false)
  })
}
