import { describe, expect, test } from 'vitest'
import type { EntityChange } from '../../../src/store/directory/entities.ts'
import { at, attestationOf, newDeviceId, type StoreUnderTest } from '../fixtures.ts'

/** That names are compared by their bytes is what PostgreSQL says of the collation "C" (§24.2.2.1). */
export function entitiesContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  let types = 0
  /** A type that no other test uses. */
  const newType = () => `type ${types++}`
  const of = (type: string, id: string, properties: object | null = { a: 1 }): EntityChange => {
    const name = { kind: 'subject', type, id } as const
    return properties === null
      ? { ...name, properties }
      : { ...name, properties: { ...properties }, source: 'test' }
  }
  const change = (...changes: EntityChange[]) =>
    store().changeEntities({ changes, by: 'tester', now: at(1) })
  const page = (type: string, after?: string, limit = 10) =>
    store().entityPage({
      kind: 'subject',
      type,
      ...(after !== undefined && { after: { kind: 'subject', type, id: after } }),
      limit,
    })
  const auditOf = async (type: string) => {
    const query = { since: at(0), until: at(2), limit: 100, actor: 'tester' }
    const { entries } = await store().auditEntries(query)
    return entries.filter(({ detail }) => Object(detail).type === type)
  }

  test('a change is answered in its place, and repeated it changes nothing', async () => {
    const type = newType()
    const changes = [of(type, 'b'), of(type, 'a', { role: 'x' }), of(type, 'gone', null)]
    expect(await change(...changes)).toEqual(['added', 'added', 'absent'])
    expect(await change(...changes)).toEqual(['unchanged', 'unchanged', 'absent'])
    expect(await change(of(type, 'a', { role: 'y' }))).toEqual(['changed'])
    expect((await page(type)).map(({ id, properties }) => [id, properties])).toEqual([
      ['a', { role: 'y' }],
      ['b', { a: 1 }],
    ])
    expect(await change(of(type, 'a', null))).toEqual(['removed'])
    expect((await page(type)).map(({ id }) => id)).toEqual(['b'])
  })

  test('each change has its audit row, with what was there before; one that changes nothing none', async () => {
    const type = newType()
    await change(of(type, 'a'))
    await change(of(type, 'a'))
    await change(of(type, 'a', { a: 2 }))
    await change(of(type, 'a', null))
    const told = (await auditOf(type)).map(({ action, detail }) => ({ action, ...Object(detail) }))
    const name = { kind: 'subject', type, id: 'a', source: 'test' }
    expect(told).toHaveLength(3)
    expect(told).toEqual(
      expect.arrayContaining([
        { action: 'entity.added', ...name, before: null, properties: { a: 1 } },
        { action: 'entity.changed', ...name, before: { a: 1 }, properties: { a: 2 } },
        { action: 'entity.removed', ...name, before: { a: 2 }, properties: null },
      ]),
    )
  })

  test('two changes of one entity are done in their order', async () => {
    const type = newType()
    const twice = [of(type, 'a', { a: 1 }), of(type, 'a', { a: 2 }), of(type, 'a', null)]
    expect(await change(...twice)).toEqual(['added', 'changed', 'removed'])
  })

  test('32 of the same at once add it once, and never wait for each other in a circle', async () => {
    const type = newType()
    const ids = ['a', 'b', 'c', 'd']
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, turn) => {
        return change(...(turn % 2 ? ids : ids.toReversed()).map((id) => of(type, id)))
      }),
    )
    const outcomes = answers.flat()
    expect(outcomes.filter((outcome) => outcome === 'added')).toHaveLength(4)
    expect(await page(type)).toHaveLength(4)
    expect(await auditOf(type)).toHaveLength(4)
  })

  test('entities come in the order of their bytes, behind the last one', async () => {
    const type = newType()
    const ids = ['b', 'B', 'a', 'é', 'e\u0301', 'z', '\u{1F600}', 'e']
    await change(...ids.map((id) => of(type, id)))
    const inOrder = ids.toSorted((one, other) =>
      Buffer.compare(Buffer.from(one), Buffer.from(other)),
    )
    expect((await page(type)).map(({ id }) => id)).toEqual(inOrder)
    expect((await page(type, inOrder[2], 3)).map(({ id }) => id)).toEqual(inOrder.slice(3, 6))
    expect(await page(type, inOrder.at(-1))).toEqual([])
  })

  describe('with the trust record', () => {
    test('entities are read, and what is not there is not among them', async () => {
      const type = newType()
      await change(of(type, 'a', { role: 'x' }))
      const names = ['a', 'b', 'A'].map((id) => ({ kind: 'subject', type, id }) as const)
      const deviceId = newDeviceId()
      await store().recordAttestation(attestationOf({ deviceId }))
      const found = await store().trustRecord(deviceId, names)
      expect(found.record?.deviceId).toBe(deviceId)
      expect([...(found.entries ?? [])]).toEqual([
        [JSON.stringify(['subject', type, 'a']), { role: 'x' }],
      ])
      const many = await store().trustRecords([deviceId, newDeviceId()], names)
      expect(many.entries).toEqual(found.entries)
      // Without a device, with one that nobody knows, or with that one first.
      for (const ids of [[], [newDeviceId()], [newDeviceId(), deviceId]]) {
        expect((await store().trustRecords(ids, names)).entries).toEqual(found.entries)
      }
      expect((await store().trustRecord('', names)).entries).toEqual(found.entries)
      expect(await store().directoryEntries(names)).toEqual(found.entries)
    })

    test('none are where none were asked for', async () => {
      const deviceId = newDeviceId()
      expect(await store().trustRecord(deviceId)).not.toHaveProperty('entries')
      expect(await store().trustRecords([deviceId], [])).not.toHaveProperty('entries')
    })

    test('members of any name come back as they were', async () => {
      const type = newType()
      const properties = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2, "": "\\"\\u202e"}')
      await change({ kind: 'subject', type, id: '__proto__', properties, source: 'test' })
      const names = [{ kind: 'subject', type, id: '__proto__' } as const]
      const [found] = [...(await store().directoryEntries(names)).values()]
      expect(JSON.stringify(Object.entries(found ?? {}).sort())).toBe(
        JSON.stringify(Object.entries(properties).sort()),
      )
      expect((await page(type))[0]?.properties).toEqual(properties)
    })
  })
}
