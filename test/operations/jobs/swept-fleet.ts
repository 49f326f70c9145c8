import { expect } from 'vitest'
import type { Services } from '../../../src/compose/services.ts'
import { sweepFleet } from '../../../src/operations/jobs/sweep.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import type { Cause } from '../../../src/rollout/hold.ts'
import type { Json } from '../../../src/store/json.ts'
import type { Store } from '../../../src/store/store.ts'
import { BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { HEALTHY } from '../../policy/healthy-device.ts'
import { attestationOf, newDeviceId, newId } from '../../store/fixtures.ts'
import { putInForce } from '../../support/put-in-force.ts'
import type { TestDatabase } from '../../support/test-database.ts'
import { bodyOf, type Document } from '../release/documents.ts'
import { openSmallFleet, type SmallFleet, START } from '../release/small-fleet.ts'

/** What a device was told as, or is told as, in an event: `trusted stale`. */
type Told = string

export type Subject = SmallFleet & {
  /** What others were told since the beginning, in the order of its events, by device. */
  readonly told: (deviceId: string) => Promise<readonly Told[]>
  /** Attests again, as devices do in the real service, but with these claims. */
  readonly attest: (deviceId: string, attested?: Partial<Attested>) => Promise<void>
  readonly activate: (document: Document) => Promise<void>
  readonly hold: (cause: Cause, seconds: number) => Promise<void>
  /** Whole cycles. */
  readonly sweep: (services?: Services) => Promise<void>
  readonly servicesWith: (store: Partial<Store>) => Services
}

type Attested = { readonly svn: number; readonly verdict: 'trusted' | 'untrusted' | null }

export async function openSubject(open: () => Promise<TestDatabase>): Promise<Subject> {
  const fleet = await openSmallFleet({ open })
  const { service, store } = fleet
  const activate = async ({ body, ...document }: Document) => {
    const names = { author: 'test', reason: 'test', now: service.clock.now() }
    await putInForce(store, { ...document, body: body as Json, ...names })
  }
  await activate(bodyOf('policy', BASELINE_POLICY))
  const servicesWith = (changes: Partial<Store>): Services => {
    return { ...service.services, store: { ...service.services.store, ...changes } }
  }
  return {
    ...fleet,
    activate,
    servicesWith,
    async told(deviceId) {
      const rows = await service.query(`select payload ->> 'previousVerdict' as previous,
        payload ->> 'currentVerdict' as current from outbox
        where type = 'device-compliance-change' and device_id = '${deviceId}'
        order by created_at, xmin::text::bigint`)
      return rows.map(({ previous, current }) => `${previous} ${current}`)
    },
    async attest(deviceId, attested) {
      await store.recordAttestation(recordingOf(fleet, deviceId, attested))
    },
    async hold(cause, seconds) {
      const now = service.clock.now()
      const until = new Date(now.getTime() + seconds * 1000)
      const bounds = { most: 3, restMs: 0, lengthen: false }
      const input = { holdId: newId('hld_'), cause, covers: now, until, evidence: {} }
      expect(await store.beginHold({ ...input, ...bounds, now })).toBe('applied')
    },
    async sweep(services = service.services) {
      await sweepFleet(services, '')
    },
  }
}

/** As many devices as are wanted, attested now; what they were told as is known. */
export async function attestAll(
  fleet: Subject,
  count: number,
  attested?: Partial<Attested>,
): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, newDeviceId)
  for (const id of ids) await fleet.attest(id, attested)
  return ids
}

export function recordingOf(
  { service }: SmallFleet,
  deviceId: string,
  { svn = 8, verdict = 'trusted' }: Partial<Attested> = {},
) {
  const now = service.clock.now()
  const seconds = (now.getTime() - START.getTime()) / 1000 + AFTER_FIXTURES
  const claims = { ...HEALTHY, enclaveSvn: svn }
  const input = attestationOf({ deviceId, at: seconds, claims, announcedVerdict: verdict })
  const recorded = verdict ?? 'untrusted'
  const attestation = { ...input.attestation, attestationPolicyHash: BUILT_IN_POLICY_HASH }
  return { ...input, attestation, verdict: recorded } as const
}

/** Seconds from the start of the fixtures to that of a fleet. */
const AFTER_FIXTURES = 600

/** Services under which something happens between the page that is read and what it leads to. */
export function meanwhile(fleet: Subject, happen: () => Promise<unknown>): Services {
  let hasHappened = false
  return fleet.servicesWith({
    async fleetPage(query) {
      const rows = await fleet.store.fleetPage(query)
      if (!hasHappened) await happen()
      hasHappened = true
      return rows
    },
  })
}

export async function allow(fleet: Subject, deviceId: string, seconds: number): Promise<void> {
  const now = fleet.service.clock.now()
  const answer = await fleet.store.createOverride({
    overrideId: newId('ovr_'),
    target: { kind: 'device', name: deviceId },
    what: { action: 'allow' },
    reason: 'because',
    author: 'test',
    expiresAt: new Date(now.getTime() + seconds * 1000),
    now,
  })
  expect(answer).toBe('applied')
}
