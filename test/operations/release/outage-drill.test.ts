import { afterAll, beforeAll, expect, test } from 'vitest'
import { drillOutage } from '../../../src/operations/release/outage-drill.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import type { Outage } from '../../../src/replay/outage/outage.ts'
import type { DrillSummary } from '../../../src/replay/outage/summary.ts'
import type { Store } from '../../../src/store/store.ts'
import { BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { HEALTHY, TEXTS } from '../../policy/healthy-device.ts'
import { at, attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import { namedHash } from '../../support/document-hash.ts'
import { openEmbeddedDatabase } from '../../support/embedded-database.ts'
import { enforce, enforceFleetDocuments } from '../../support/recorded-fleet.ts'
import type { Query } from '../../support/test-database.ts'

const DEVICES = 1_200
const HOUR_SECONDS = 3600
const NOW = at(1_800)
const OTHER = 'https://other.example'

let store: Store
let query: Query
let close: () => Promise<void>

/** One device a minute comes to its end: from 60 minutes after the start on, every tenth a kiosk's. */
beforeAll(async () => {
  const database = await openEmbeddedDatabase()
  ;({ store, query, close } = database)
  await enforceFleetDocuments(store, NOW)
  const recorded = attestationOf({ deviceId: newDeviceId(), claims: HEALTHY })
  const attestation = { ...recorded.attestation, attestationPolicyHash: BUILT_IN_POLICY_HASH }
  await store.recordAttestation({ ...recorded, attestation })
  await query(`
    insert into device (device_id, key_kind, device_key_hash, enrolment, owner, labels, ring,
      attestation_id, attested_at, valid_until, issuer, policy_hash, confirmation_key, claims,
      verdict, reasons, first_failed_at, created_at, updated_at)
    select ('dev_' || md5(i::text)), key_kind, device_key_hash, enrolment, owner,
      case when i % 10 = 0 then array['kiosk'] else '{}' end, i % 100,
      attestation_id, attested_at, valid_until + make_interval(mins => i),
      case when i % 4 = 0 then '${OTHER}' else issuer end, policy_hash, confirmation_key,
      claims || jsonb_build_object('bootCounter', i), verdict, reasons,
      first_failed_at, created_at, updated_at
    from device cross join generate_series(1, ${DEVICES - 1}) as i`)
})
afterAll(() => close?.())

const OUTAGE: Outage = {
  verifier: undefined,
  from: NOW,
  until: new Date(NOW.getTime() + 10 * HOUR_SECONDS * 1000),
  stepMs: HOUR_SECONDS * 1000,
  graceMs: 4 * HOUR_SECONDS * 1000,
}
type Options = Partial<Outage> & Pick<Parameters<typeof drillOutage>[0], 'onProgress' | 'signal'>

function rehearse(options: Options = {}): Promise<DrillSummary> {
  const { onProgress, signal, ...outage } = options
  return drillOutage({
    store,
    now: NOW,
    outage: { ...OUTAGE, ...outage },
    outageGraceMs: OUTAGE.graceMs,
    onProgress,
    signal,
  })
}

test('a drill walks the whole recorded fleet and tells who is denied when', async () => {
  const progress: number[] = []
  const summary = await rehearse({
    onProgress: ({ devices, total }) => {
      expect(total).toBe(DEVICES)
      progress.push(devices)
    },
  })
  expect(progress).toEqual([500, 1000, 1200])
  expect(summary).toMatchObject({
    devices: DEVICES,
    trusted: DEVICES,
    // It is half an hour after the start: 31 have ended after an hour, then sixty in each.
    without_grace: { devices: 571, first: at(HOUR_SECONDS).toISOString() },
    with_grace: { devices: 331, first: at(5 * HOUR_SECONDS).toISOString(), half_by: null },
    by_reason: [{ reason: 'stale', without_grace: 571, with_grace: 331 }],
  })
  expect(summary.steps.map((step) => step.without_grace).slice(0, 4)).toEqual([0, 31, 91, 151])
  expect(summary.steps.map((step) => step.with_grace).slice(4, 7)).toEqual([0, 31, 91])
  const [kiosk] = summary.by_label.keys.filter(({ key }) => key === 'kiosk')
  expect(kiosk).toMatchObject({ trusted: 119, without_grace: 57, with_grace: 33 })
  expect(summary.by_verifier.keys.map(({ trusted }) => trusted)).toEqual([901, 299])
})

test('of one verifier, and from later on', async () => {
  const from = new Date(NOW.getTime() + 2 * HOUR_SECONDS * 1000)
  const summary = await rehearse({ verifier: OTHER, from })
  expect(summary.not_counted).toMatchObject({ other_verifier: 901, before_outage: 22 })
  expect(summary.trusted).toBe(277)
})

test('under what is in force for each device: a pin, an allowance and the documents', async () => {
  const denying = {
    ...BASELINE_POLICY,
    clauses: [
      ...BASELINE_POLICY.clauses,
      { id: 'added', require: 'attestation.bootCounter > 600', severity: 'enforce', texts: TEXTS },
    ],
  } as const
  const baseline = (await store.activeDocument('policy'))?.hash ?? namedHash('')
  await enforce(store, 'policy', { body: denying, now: NOW })
  // The first device has no boot counter.
  expect((await rehearse()).not_counted.denied).toBe(601)
  const made = { reason: 'test', author: 'test', now: NOW }
  const kiosks = { kind: 'label', name: 'kiosk' } as const
  const expiresAt = new Date(NOW.getTime() + 90 * 60_000)
  const exception = { ...made, overrideId: newId('ovr_'), target: kiosks, expiresAt }
  const pin = { action: 'pin', kind: 'policy', hash: baseline } as const
  expect(await store.createOverride({ ...exception, what: pin })).toBe('applied')
  const pinned = await rehearse()
  expect(pinned.not_counted.denied).toBe(541)
  // They meet the clause when the pin is over: with the grace none comes to its end before.
  const reasons = pinned.by_reason.map(({ reason, with_grace }) => [reason, with_grace])
  expect(reasons).toContainEqual(['added', 60])
  await store.endOverride({ overrideId: exception.overrideId, by: 'test', reason: '', now: NOW })
  await enforce(store, 'policy', { body: BASELINE_POLICY, now: NOW })
  expect((await rehearse()).trusted).toBe(DEVICES)
})

test('that is ended rejects with the reason, and writes nothing', async () => {
  const rows = () => query('select count(*)::int as rows from audit')
  const before = await rows()
  const ending = new AbortController()
  const onProgress = () => ending.abort(new Error('stopped by hand'))
  await expect(rehearse({ signal: ending.signal, onProgress })).rejects.toThrow('stopped by hand')
  await expect(rehearse({ signal: ending.signal })).rejects.toThrow('stopped by hand')
  await rehearse()
  expect(await rows()).toEqual(before)
})
