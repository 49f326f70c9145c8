import { describe, expect, test } from 'vitest'
import type { DocumentHash } from '../../../src/base/document-hash.ts'
import { namedHash } from '../../support/document-hash.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { at, newId, type StoreUnderTest } from '../fixtures.ts'

export function documentsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const countOf = async (table: string, condition: string) => {
    const [row] = await subject().query(
      `select count(*)::integer as rows from ${table} where ${condition}`,
    )
    return row?.rows
  }

  describe('documents', () => {
    const documentOf = (hash: DocumentHash) => ({
      kind: 'policy' as const,
      hash,
      body: { clauses: [{ id: 'a', require: 'true' }] },
      author: 'cli_admin',
      reason: 'because',
      now: at(3),
    })

    test('name the one before, and whoever returns to it has none to return to', async () => {
      const [before, after] = [namedHash(newId('hash-')), namedHash(newId('hash-'))]
      const seen = async (hash: DocumentHash) => {
        await putInForce(store(), documentOf(hash))
        return (await store().activeDocument('policy'))?.previous
      }
      await seen(before)
      expect(await seen(after)).toBe(before)
      expect(await seen(before)).toBeNull()
      expect(await seen(after)).toBe(before)
    })

    test('are kept and made active in one step, with audit and event', async () => {
      const hash = namedHash(newId('hash-'))
      const parent = (await store().activeDocument('policy'))?.hash ?? null
      expect(await putInForce(store(), documentOf(hash))).toBe('applied')
      expect(await store().activeDocument('policy')).toEqual({
        kind: 'policy',
        hash,
        parent,
        previous: parent,
        body: { clauses: [{ id: 'a', require: 'true' }] },
        author: 'cli_admin',
        reason: 'because',
        createdAt: at(3),
        activatedAt: at(3),
        activatedBy: 'cli_admin',
      })
      const mine = `payload ->> 'hash' = '${hash}' and device_id = 'service'`
      expect(await countOf('outbox', mine)).toBe(1)
      expect(await countOf('audit', `detail ->> 'hash' = '${hash}'`)).toBe(1)
      expect(await putInForce(store(), documentOf(hash))).toBe('unchanged')
      expect(await countOf('outbox', mine)).toBe(1)
    })

    test('stay when another becomes active, and can become so again', async () => {
      const [first, second] = [namedHash(newId('hash-')), namedHash(newId('hash-'))]
      await putInForce(store(), documentOf(first))
      await putInForce(store(), documentOf(second))
      expect(await store().document('policy', first)).toMatchObject({ hash: first })
      expect(await store().document('reference-values', first)).toBeNull()
      const again = { ...documentOf(first), author: 'other', now: at(9) }
      expect(await putInForce(store(), again)).toBe('applied')
      expect(await store().activeDocument('policy')).toMatchObject({
        hash: first,
        author: 'cli_admin',
        activatedBy: 'other',
      })
    })

    test('become active in the place of the expected one only: of two changes at once one counts', async () => {
      const first = namedHash(newId('hash-'))
      await putInForce(store(), documentOf(first))
      const changes = Array.from({ length: 8 }, () => documentOf(namedHash(newId('hash-'))))
      const answers = await Promise.all(
        changes.map((change) => putInForce(store(), { ...change, expected: first })),
      )
      expect(answers.toSorted()).toEqual(['applied', ...Array(7).fill('superseded')])
      const winner = changes[answers.indexOf('applied')]
      expect((await store().inForce()).policyHash).toBe(winner?.hash)
      const losers = changes.filter((change) => change !== winner)
      for (const { hash } of losers) {
        expect(await store().document('policy', hash)).toBeNull()
        expect(await countOf('outbox', `payload ->> 'hash' = '${hash}'`)).toBe(0)
      }
    })

    test('become active beside the expected one of the other kind only: of both at once one counts', async () => {
      const [policy, values] = [namedHash(newId('hash-')), namedHash(newId('hash-'))]
      const valuesOf = (hash: DocumentHash) => ({
        ...documentOf(hash),
        kind: 'reference-values' as const,
      })
      await putInForce(store(), documentOf(policy))
      await putInForce(store(), valuesOf(values))
      const answers = await Promise.all([
        putInForce(store(), {
          ...documentOf(namedHash(newId('hash-'))),
          expected: policy,
          beside: values,
        }),
        putInForce(store(), {
          ...valuesOf(namedHash(newId('hash-'))),
          expected: values,
          beside: policy,
        }),
      ])
      expect(answers.toSorted()).toEqual(['applied', 'superseded'])
    })

    test('can be kept before they are in force, once, with audit and no event', async () => {
      const [now, next] = [namedHash(newId('hash-')), namedHash(newId('hash-'))]
      await putInForce(store(), documentOf(now))
      expect(await store().proposeDocument(documentOf(next))).toBe('applied')
      expect(await store().proposeDocument(documentOf(next))).toBe('unchanged')
      expect(await store().document('policy', next)).toMatchObject({ hash: next, parent: now })
      expect((await store().inForce()).policyHash).toBe(now)
      expect(await countOf('audit', `detail ->> 'hash' = '${next}'`)).toBe(1)
      expect(await countOf('outbox', `payload ->> 'hash' = '${next}'`)).toBe(0)
      const listed = await store().listDocuments('policy', 1000)
      expect(listed.find(({ hash }) => hash === next)).toEqual({
        kind: 'policy',
        hash: next,
        parent: now,
        author: 'cli_admin',
        reason: 'because',
        createdAt: at(3),
      })
      expect(await store().listDocuments('policy', 1)).toHaveLength(1)
    })

    test('have the newest preview kept of each, with audit', async () => {
      const hash = namedHash(newId('hash-'))
      const names = {
        kind: 'policy',
        hash,
        policyHash: namedHash('p'),
        referenceValuesHash: namedHash('r'),
      } as const
      const previewAt = (minute: number) => {
        return { ...names, at: at(minute), by: 'cli_admin', summary: { denied: minute } }
      }
      expect(await store().preview('policy', hash)).toBeNull()
      expect(await store().recordPreview(previewAt(5))).toBe('applied')
      expect(await store().recordPreview(previewAt(4))).toBe('unchanged')
      expect(await store().preview('policy', hash)).toEqual(previewAt(5))
      expect(await store().recordPreview(previewAt(6))).toBe('applied')
      expect(await store().preview('policy', hash)).toEqual(previewAt(6))
      expect(await store().preview('reference-values', hash)).toBeNull()
      expect(await countOf('audit', `detail ->> 'hash' = '${hash}'`)).toBe(2)
    })

    test('that the first start brings do not replace an active one', async () => {
      const hash = namedHash(newId('hash-'))
      await putInForce(store(), documentOf(hash))
      const baseline = documentOf(namedHash(newId('hash-')))
      expect(await store().ensureActiveDocument(baseline)).toBe('unchanged')
      expect(await store().document('policy', baseline.hash)).toBeNull()
      expect((await store().inForce()).policyHash).toBe(hash)
    })

    test('become active once when many processes start for the first time', async () => {
      await subject().query(`delete from active_document where kind = 'policy'`)
      const documents = Array.from({ length: 8 }, () => documentOf(namedHash(newId('hash-'))))
      const answers = await Promise.all(documents.map(store().ensureActiveDocument))
      expect(answers.filter((answer) => answer === 'applied')).toHaveLength(1)
      const winner = documents[answers.indexOf('applied')]
      expect((await store().inForce()).policyHash).toBe(winner?.hash)
    })
  })

  describe('clients', () => {
    const create = async () => {
      const clientId = newId('cli_')
      const scopes = ['access.evaluate', 'admin.read'] as const
      const secretHash = 'hash-of-a-secret'
      await store().createClient({
        ...{ clientId, secretHash, scopes },
        ...{ name: 'gateway', by: 'console', now: at(0) },
      })
      return clientId
    }

    test('are found with the hash of their secret, and listed without', async () => {
      const clientId = await create()
      expect(await store().findClient(clientId)).toEqual({
        clientId,
        name: 'gateway',
        secretHash: 'hash-of-a-secret',
        scopes: ['access.evaluate', 'admin.read'],
        createdAt: at(0),
        disabledAt: null,
        secretChangedAt: null,
        secretExpiresAt: null,
        secretUsedAt: null,
        previousSecretHash: null,
        previousSecretUntil: null,
        previousSecretUsedAt: null,
        keys: null,
        generation: 1,
        revokedTokens: {},
      })
      const listed = (await store().listClients()).find((entry) => entry.clientId === clientId)
      expect(listed).toMatchObject({ name: 'gateway' })
      expect(listed).not.toHaveProperty('secretHash')
      expect(listed).not.toHaveProperty('previousSecretHash')
      expect(await countOf('audit', `detail::text like '%hash-of-a-secret%'`)).toBe(0)
      expect(await countOf('audit', `detail ->> 'clientId' = '${clientId}'`)).toBe(1)
    })

    test('are disabled once', async () => {
      const clientId = await create()
      const disable = { clientId, by: 'console', now: at(7) }
      expect(await store().disableClient(disable)).toBe('applied')
      expect(await store().disableClient({ ...disable, now: at(8) })).toBe('unchanged')
      expect((await store().findClient(clientId))?.disabledAt).toEqual(at(7))
      const unknown = { ...disable, clientId: newId('cli_') }
      expect(await store().disableClient(unknown)).toBe('client_unknown')
    })
  })
}
