import { beforeEach, describe, expect, test } from 'vitest'
import type {
  KeyToPublish,
  NewSigningKey,
  StoredSigningKey,
} from '../../../src/store/system/stored-signing-keys.ts'
import { at, newId, type StoreUnderTest } from '../fixtures.ts'

/** The rows of our own keys and of sealed secrets, as the functions of the database move them. */
export function signingKeysContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const keyOf = (signsFrom: Date, now: Date, changes: Partial<NewSigningKey> = {}) => ({
    kid: newId('kid-'),
    use: 'device-token' as const,
    algorithm: 'ES256',
    publicJwk: { kty: 'EC', crv: 'P-256' },
    certificate: null,
    sealedPrivateKey: newId('sealed-'),
    createdAt: now,
    signsFrom,
    ...changes,
  })
  const publish = async (
    generation: number,
    changes: Partial<KeyToPublish> & { readonly signsFrom?: Date } = {},
  ) => {
    const { now = at(0), signsFrom = now } = changes
    const key = keyOf(signsFrom, now)
    const previousAcceptedUntil = at(5000)
    const change = { key, generation, previousAcceptedUntil, by: 'test', now, ...changes }
    return { answer: await store().publishSigningKey(change), kid: change.key.kid }
  }
  const retire = (kid: string, now: Date) =>
    store().retireSigningKey({
      ...{ kid, replacement: keyOf(now, now), by: 'test', reason: 'it leaked', now },
    })
  const row = async (kid: string): Promise<Partial<StoredSigningKey>> =>
    (await store().listSigningKeys()).find((key) => key.kid === kid) ?? {}
  const noted = async (kid: string) => ({
    audits: await subject().query(
      `select action, actor, detail from audit where action like 'signing-key.%' and detail->>'kid' = '${kid}' order by action`,
    ),
    events: await subject().query(
      `select type, payload from outbox where type like 'signing-key-%' and payload->>'kid' = '${kid}' order by type`,
    ),
  })
  /** The first key signs since 0; the second is announced at 100 and signs from 1000. */
  const rotated = async () => {
    const first = await publish(1)
    const second = await publish(2, { now: at(100), signsFrom: at(1000) })
    expect([first.answer, second.answer]).toEqual(['applied', 'applied'])
    return [first.kid, second.kid] as const
  }

  beforeEach(() => subject().query('delete from signing_key'))

  describe('the first key of a use', () => {
    test('is one, of many that are made at once', async () => {
      const made = await Promise.all(Array.from({ length: 8 }, () => publish(1)))
      const [winner, ...others] = made.filter(({ answer }) => answer === 'applied')
      expect(others).toEqual([])
      const keys = await store().listSigningKeys()
      expect(keys.map(({ kid }) => kid)).toEqual([winner?.kid])
      expect(keys[0]).toMatchObject({
        generation: 1,
        createdAt: at(0),
        signsFrom: at(0),
        signsUntil: null,
        acceptedUntil: null,
        retiredAt: null,
      })
    })

    test('is in the audit, and no event, since nobody knew another', async () => {
      const { kid } = await publish(1)
      const { audits, events } = await noted(kid)
      expect(audits).toMatchObject([
        { action: 'signing-key.published', actor: 'test', detail: { kid, use: 'device-token' } },
      ])
      expect(events).toEqual([])
    })
  })

  describe('the next key', () => {
    test('ends the time of the one before, in the same statement, with audit and event', async () => {
      const [first, second] = await rotated()
      expect(await row(first)).toMatchObject({ signsUntil: at(1000), acceptedUntil: at(5000) })
      expect(await row(second)).toMatchObject({ signsFrom: at(1000), signsUntil: null })
      const { audits, events } = await noted(second)
      expect(audits).toMatchObject([{ detail: { previousKid: first } }])
      expect(events).toMatchObject([
        { type: 'signing-key-published', payload: { use: 'device-token' } },
      ])
    })

    test('waits until the one before has begun to sign', async () => {
      const [, second] = await rotated()
      expect((await publish(3, { now: at(999) })).answer).toBe('under_way')
      expect(await row(second)).toMatchObject({ signsUntil: null, acceptedUntil: null })
      expect((await publish(3, { now: at(1000), signsFrom: at(2000) })).answer).toBe('applied')
    })

    test('is one, of many that are made at once or again after an answer was lost', async () => {
      await publish(1)
      const again = keyOf(at(1000), at(100))
      const change = { key: again, now: at(100) }
      const made = await Promise.all([
        ...Array.from({ length: 8 }, () => publish(2, { now: at(100), signsFrom: at(1000) })),
        ...Array.from({ length: 8 }, () => publish(2, change)),
      ])
      expect(made.filter(({ answer }) => answer === 'applied')).toHaveLength(1)
      expect(await store().listSigningKeys()).toHaveLength(2)
      expect((await publish(2, change)).answer).toBe('superseded')
    })

    test('does not take a name that another key has, of whatever use, and changes nothing', async () => {
      const { kid } = await publish(1)
      const receipt = keyOf(at(0), at(0), { use: 'receipt' })
      expect((await publish(1, { key: receipt })).answer).toBe('applied')
      const before = await store().listSigningKeys()
      for (const taken of [kid, receipt.kid]) {
        const key = keyOf(at(1000), at(100), { kid: taken })
        expect((await publish(2, { key, now: at(100) })).answer).toBe('superseded')
      }
      expect(await store().listSigningKeys()).toEqual(before)
    })

    test('destroys private halves that ended a month ago, and no others', async () => {
      const [first, second] = await rotated()
      const day = 86_400
      await publish(3, {
        now: at(29 * day),
        signsFrom: at(29 * day),
        previousAcceptedUntil: at(60 * day),
      })
      expect((await row(first)).sealedPrivateKey).not.toBeNull()
      await publish(4, {
        now: at(31 * day),
        signsFrom: at(31 * day),
        previousAcceptedUntil: at(60 * day),
      })
      expect((await row(first)).sealedPrivateKey).toBeNull()
      expect((await row(second)).sealedPrivateKey).not.toBeNull()
    })
  })

  describe('a key that is retired', () => {
    const living = async () =>
      (await store().listSigningKeys()).filter(({ retiredAt }) => retiredAt === null)

    test('ends at once with its private half, in the same statement with audit and event', async () => {
      const { kid } = await publish(1)
      expect(await retire(kid, at(50))).toBe('applied')
      expect(await row(kid)).toMatchObject({ retiredAt: at(50), sealedPrivateKey: null })
      const { audits, events } = await noted(kid)
      const [signer] = await living()
      expect(audits[1]).toMatchObject({
        action: 'signing-key.retired',
        detail: { reason: 'it leaked', signingKid: signer?.kid },
      })
      expect(events).toMatchObject([{ type: 'signing-key-retired' }])
    })

    test('is followed at once where it was the only one', async () => {
      const { kid } = await publish(1)
      await retire(kid, at(50))
      expect(await living()).toMatchObject([
        { generation: 2, signsFrom: at(50), signsUntil: null, acceptedUntil: null },
      ])
    })

    test('is followed early by one that was announced', async () => {
      const [first, second] = await rotated()
      await retire(first, at(200))
      expect(await living()).toMatchObject([{ kid: second, signsFrom: at(200) }])
    })

    test('leaves the one before in its place where it was only announced', async () => {
      const [first, second] = await rotated()
      await retire(second, at(200))
      expect(await living()).toMatchObject([{ kid: first, signsUntil: null, acceptedUntil: null }])
      expect((await publish(3, { now: at(300), signsFrom: at(2000) })).answer).toBe('applied')
      expect(await row(first)).toMatchObject({ signsUntil: at(2000), acceptedUntil: at(5000) })
    })

    test('is followed by a new one where it had begun to sign', async () => {
      const [first, second] = await rotated()
      await retire(second, at(1500))
      expect(await living()).toMatchObject([
        { kid: first, signsUntil: at(1000), acceptedUntil: at(5000) },
        { generation: 3, signsFrom: at(1500) },
      ])
    })

    test('changes nothing else where it had signed before', async () => {
      const [first, second] = await rotated()
      await publish(3, { now: at(1500), signsFrom: at(3000) })
      const before = (await living()).filter(({ kid }) => kid !== first)
      await retire(first, at(1600))
      expect(await living()).toEqual(before)
      expect(before[0]?.kid).toBe(second)
    })

    test('is retired once, of many at once, and none that nobody knows', async () => {
      const { kid } = await publish(1)
      const answers = await Promise.all(Array.from({ length: 8 }, () => retire(kid, at(50))))
      expect(answers.filter((answer) => answer === 'applied')).toHaveLength(1)
      expect(answers.filter((answer) => answer === 'unchanged')).toHaveLength(7)
      expect(await store().listSigningKeys()).toHaveLength(2)
      expect(await retire(newId('kid-'), at(60))).toBe('key_unknown')
    })

    test('and rotated at the same moment leaves one key that signs', async () => {
      const { kid } = await publish(1)
      await Promise.all([
        retire(kid, at(50)),
        ...[2, 3].map((generation) => publish(generation, { now: at(50), signsFrom: at(1000) })),
      ])
      const open = (await living()).filter(({ signsUntil }) => signsUntil === null)
      expect(open).toHaveLength(1)
      expect(await row(kid)).toMatchObject({ retiredAt: at(50) })
    })
  })

  describe('sealed secrets', () => {
    test('are made once, of many at once', async () => {
      const name = newId('secret-')
      expect(await store().sealedSecret(name)).toBeNull()
      const made = await Promise.all(
        Array.from({ length: 8 }, (_, at_) =>
          store().insertSealedSecretIfAbsent({ name, sealed: `sealed ${at_}`, now: at(0) }),
        ),
      )
      expect(made.filter(Boolean)).toHaveLength(1)
      expect(await store().sealedSecret(name)).toBe(`sealed ${made.indexOf(true)}`)
    })

    test('are sealed anew together, and only what is as it was', async () => {
      const name = newId('secret-')
      await store().insertSealedSecretIfAbsent({ name, sealed: 'old', now: at(0) })
      const { kid } = await publish(1)
      const sealed = (await row(kid)).sealedPrivateKey ?? ''
      const change = {
        signingKeys: [{ name: kid, from: sealed, to: 'new key' }],
        secrets: [{ name, from: 'old', to: 'new' }],
        by: newId('resealer-'),
        now: at(9),
      }
      expect(await store().reseal(change)).toBe('applied')
      expect(await store().reseal(change)).toBe('unchanged')
      expect((await row(kid)).sealedPrivateKey).toBe('new key')
      expect(await store().sealedSecret(name)).toBe('new')
      const audits = await subject().query(
        `select action, detail from audit where actor = '${change.by}'`,
      )
      expect(audits).toEqual([
        { action: 'secrets.resealed', detail: { signingKeys: 1, secrets: 1 } },
      ])
    })
  })
}
