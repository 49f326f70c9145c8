import { expect, test } from 'vitest'
import { SPENT_NONCE_MARGIN_SECONDS } from '../../../src/store/system/retention.ts'
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
    expect(await store().spendContext({ ...used, expiresAt: at(900) })).toBe(false)
    expect(await store().spendContext(context())).toBe(true)
  })

  test('a row goes when every clock refuses its context for its age alone, and not before', async () => {
    const [old, young] = [context(at(-86_400)), context(at(-86_399))]
    for (const one of [old, young]) await store().spendContext(one)
    const now = at(-86_400 + SPENT_NONCE_MARGIN_SECONDS + 0.5)
    await store().removeSpentContexts(at(-86_400 + SPENT_NONCE_MARGIN_SECONDS), 100)
    expect(await store().spendContext(old)).toBe(false)
    expect(await store().removeSpentContexts(now, 100)).toBe(1)
    expect(await store().spendContext(old)).toBe(true)
    expect(await store().spendContext(young)).toBe(false)
  })
}
