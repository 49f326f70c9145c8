import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfig } from '../../../src/config/config.ts'
import { importKeySet } from '../../../src/evidence/jws/key-set.ts'
import { ofExpiry } from '../../../src/operations/alerts/find-alarms.ts'
import { createClient } from '../../../src/operations/clients/create-client.ts'
import { rotateClient } from '../../../src/operations/clients/rotate-client.ts'
import { EXPIRY_KINDS, EXPIRY_TEXTS, type Expiry } from '../../../src/operations/expiry/expiry.ts'
import { listExpiries } from '../../../src/operations/expiry/list-expiries.ts'
import { agent } from '../../policy/healthy-device.ts'
import { newId } from '../../store/fixtures.ts'
import { issueCertificate, issueChain, toPem } from '../../support/certificates.ts'
import { describeOpenssl, openssl } from '../../support/openssl.ts'
import { expectOk } from '../../support/refusal.ts'
import { openTestDatabase } from '../../support/test-database.ts'
import { allow, attestAll, openSubject, type Subject } from '../jobs/swept-fleet.ts'
import { bodyOf } from '../release/documents.ts'

const DAY_MS = 86_400_000
let fleet: Subject
let chain: Awaited<ReturnType<typeof issueChain>>
const now = () => fleet.service.clock.now()
const later = (days: number) => new Date(now().getTime() + days * DAY_MS)

beforeAll(async () => {
  fleet = await openSubject(openTestDatabase)
  chain = await issueChain({ key: { kind: 'rsa', bits: 2048 } })
})
afterAll(() => fleet.close())

async function list(change: Partial<Parameters<typeof listExpiries>[0]> = {}) {
  const { store } = fleet
  return listExpiries({ ...fleet.service.services, store, ...change })
}
const kindsOf = (expiries: readonly Expiry[]) => new Set(expiries.map(({ kind }) => kind))
const random = (length: number) => crypto.getRandomValues(new Uint8Array(length))

describe('what ends', () => {
  test('is there of every kind that there is, the earliest first, and with what to do', async () => {
    const { store, service } = fleet
    const { clock } = service
    const root = await issueCertificate({
      ...{ subject: 'Root of the values', ca: true },
      ...{ notBefore: later(-100), notAfter: later(1000) },
    })
    await fleet.activate(
      bodyOf('reference-values', {
        enclaves: [agent({ valid_until: later(40).toISOString() }), agent({ name: 'for ever' })],
        azure_policies: [
          {
            issuer: 'https://contoso.weu.attest.azure.net',
            hash: Buffer.alloc(32, 5).toString('base64url'),
            valid_until: later(50).toISOString(),
          },
        ],
        trust_anchors: [{ name: 'listed', certificate: Buffer.from(root.der).toString('base64') }],
      }),
    )
    const [device = ''] = await attestAll(fleet, 1)
    await allow(fleet, device, 3600)
    const policy = await store.activeDocument('policy')
    if (policy === null) throw new TypeError('there is a policy')
    const pin = { action: 'pin', kind: 'policy', hash: policy.hash } as const
    await store.createOverride({
      ...{ overrideId: newId('ovr_'), target: { kind: 'label', name: 'lab' }, what: pin },
      ...{ reason: 'because', author: 'test', expiresAt: later(2), now: now() },
    })
    await fleet.hold({ kind: 'clause', clause: 'secure_boot_on' }, 7200)
    const secretExpiresAt = later(90)
    await createClient(
      { store, random },
      { name: 'pipeline', scopes: ['access.evaluate'], secretExpiresAt, by: 'test', now: now() },
    )
    await store.keepIssuerCertificate({
      ...{ fingerprint: 'kept', keyId: null, nameHash: 'name', anchor: 'root', most: 5 },
      certificate: Buffer.from(chain.intermediate.der).toString('base64'),
      ...{ validUntil: later(20), now: now() },
    })
    const pems = [chain.root, chain.intermediate].map(({ der }) => toPem(der)).join('\n')
    const key = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
    const exp = later(15).getTime() / 1000
    const config = expectOk(
      parseConfig({
        AK_TRUST_ANCHORS: pems,
        BREAK_GLASS_KEYS: JSON.stringify({ keys: [{ ...key, kid: 'anna', exp }] }),
        BREAK_GLASS_THRESHOLD: '1',
      }),
    )
    const x5c = [chain.leaf, chain.intermediate].map(({ der }) =>
      Buffer.from(der).toString('base64'),
    )
    const provider = expectOk(await importKeySet({ keys: [{ kty: 'RSA', kid: 'p', x5c }] }))
    const providerKeys = () => new Map([['https://contoso.weu.attest.azure.net', provider]])
    const found = await list({ config, providerKeys, clock: clock.now })
    expect([...kindsOf(found)].sort()).toEqual([...EXPIRY_KINDS].sort())
    const times = found.map(({ at }) => at.getTime())
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    for (const one of found) expect(one).toMatchObject(EXPIRY_TEXTS[one.kind])
    const at = (kind: Expiry['kind'], source?: string) =>
      found.filter((one) => one.kind === kind && (source ?? one.source) === one.source)
    expect(at('enclave')).toMatchObject([{ name: 'agent', at: later(40), since: null }])
    expect(at('azure_policy')).toMatchObject([{ at: later(50) }])
    expect(at('client_secret')).toMatchObject([
      { name: 'pipeline', at: secretExpiresAt, since: now() },
    ])
    expect(at('break_glass_key')).toMatchObject([{ name: 'anna', at: later(15) }])
    // What stands in a setting is listed although it has ended.
    expect(at('trust_anchor', 'AK_TRUST_ANCHORS')).toHaveLength(1)
    expect(at('trust_anchor', 'AK_TRUST_ANCHORS')[0]?.at.getTime()).toBeLessThan(now().getTime())
    expect(at('signing_key').length).toBeGreaterThan(0)
  })

  test('is no client that is disabled, and no entry that has ended or has not begun', async () => {
    const { store } = fleet
    const made = { scopes: ['access.evaluate'], by: 'test', now: now() } as const
    const client = { ...made, name: 'gone', secretExpiresAt: later(1) }
    const { clientId } = await createClient({ store, random }, client)
    await store.disableClient({ clientId, by: 'test', now: now() })
    await fleet.activate(
      bodyOf('reference-values', {
        enclaves: [
          agent({ name: 'was', valid_until: later(-1).toISOString() }),
          agent({
            name: 'will',
            valid_from: later(1).toISOString(),
            valid_until: later(9).toISOString(),
          }),
          agent({ name: 'is' }),
        ],
      }),
    )
    const found = await list()
    expect(found.filter(({ kind }) => kind === 'enclave')).toEqual([])
    expect(found.map(({ name }) => name)).not.toContain('gone')
  })
})

describeOpenssl('the end of a certificate', () => {
  test('is what OpenSSL reads in it', async () => {
    const pems = [chain.root, chain.intermediate].map(({ der }) => toPem(der))
    const config = expectOk(parseConfig({ EK_TRUST_ANCHORS: pems.join('\n') }))
    const found = (await list({ config })).filter(({ source }) => source === 'EK_TRUST_ANCHORS')
    const read = pems.map((pem) => {
      const text = openssl(['x509', '-noout', '-enddate', '-in'], pem).toString()
      return new Date(text.trim().replace('notAfter=', ''))
    })
    expect(found.map(({ at }) => at).toSorted()).toEqual(read.toSorted())
    expect(found.map(({ kind }) => kind).toSorted()).toEqual(['intermediate', 'trust_anchor'])
  })
})

describe('the secret of a client', () => {
  const idOf = async (lifetimeDays: number) => {
    const { store } = fleet
    const secretExpiresAt = later(lifetimeDays)
    const about = { name: 'short', scopes: ['access.evaluate'] as const, secretExpiresAt }
    const made = await createClient({ store, random }, { ...about, by: 'test', now: now() })
    return { id: made.clientId, secret: made.secret ?? '' }
  }
  const verify = (client: { readonly id: string; readonly secret: string }) =>
    fleet.service.services.clients.verify(client)

  test('counts until its end, and not from then on', async () => {
    const client = await idOf(1)
    expectOk(await verify(client))
    fleet.service.clock.advance(86_400)
    const refused = await verify(client)
    expect(refused).toMatchObject({ ok: false, failure: { reason: 'client_secret_expired' } })
  })

  test('is followed by one that counts as long, and counts no longer itself for that', async () => {
    const { store } = fleet
    const client = await idOf(10)
    fleet.service.clock.advance(9.5 * 86_400)
    const change = { clientId: client.id, overlapMs: 5 * DAY_MS, by: 'test', now: now() }
    const { expiresAt, secret } = expectOk(await rotateClient({ store, random }, change))
    expect(expiresAt).toEqual(later(10))
    expectOk(await verify(client))
    fleet.service.clock.advance(0.5 * 86_400)
    expect((await verify(client)).ok).toBe(false)
    expectOk(await verify({ id: client.id, secret }))
  })

  test('that has no end gets none by a rotation', async () => {
    const { store } = fleet
    const about = { name: 'long', scopes: ['access.evaluate'] as const, by: 'test', now: now() }
    const { clientId } = await createClient({ store, random }, about)
    const rotated = expectOk(
      await rotateClient({ store, random }, { clientId, overlapMs: 0, by: 'test', now: now() }),
    )
    expect(rotated.expiresAt).toBeNull()
  })
})

describe('the alarm about it', () => {
  const at = new Date('2026-06-01T00:00:00Z')
  const expiry = (change: Partial<Expiry> = {}): Expiry => ({
    ...{ kind: 'client_secret', id: 'cli_1', name: 'pipeline', source: 'clients' },
    ...{ since: new Date('2025-06-01T00:00:00Z'), at, ...EXPIRY_TEXTS.client_secret },
    ...change,
  })
  const level = (days: number, change?: Partial<Expiry>) =>
    ofExpiry(expiry(change), [30, 7, 1], new Date(at.getTime() - days * DAY_MS))?.level

  test.each([
    [31, undefined],
    [30, '30d'],
    [8, '30d'],
    [7, '7d'],
    [1, '1d'],
    [0.5, '1d'],
    [0, 'ended'],
    [-3, 'ended'],
  ])('%d days before its end is at level %s', (days, wanted) => {
    expect(level(days)).toBe(wanted)
  })

  test('is none of warnings that are longer than what it is about lives', () => {
    const since = new Date(at.getTime() - 10 * DAY_MS)
    expect(level(9, { since })).toBeUndefined()
    expect(level(7, { since })).toBe('7d')
  })

  test('is none of what renews itself, unless it is a day overdue', () => {
    expect(level(0, { renewal: 'automatic' })).toBeUndefined()
    expect(level(-0.9, { renewal: 'automatic' })).toBeUndefined()
    expect(level(-1, { renewal: 'automatic' })).toBe('overdue')
  })
})
