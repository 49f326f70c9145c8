import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { describePreview } from '../../../src/cli/policy/describe-preview.ts'
import { runPreview } from '../../../src/cli/policy/preview.ts'
import {
  type CheckedDocument,
  checkDocument,
} from '../../../src/operations/release/check-document.ts'
import { previewDocument } from '../../../src/operations/release/preview.ts'
import { createRulesReader } from '../../../src/operations/release/rules-in-force.ts'
import { BASELINE_POLICY } from '../../../src/policy/document/baseline.ts'
import { readLosses } from '../../../src/replay/preview/summary.ts'
import type { DocumentKind } from '../../../src/rollout/in-force.ts'
import { BUILT_IN_POLICY_HASH } from '../../../src/verifier/built-in-policy.ts'
import { HEALTHY, referenceValues, TEXTS } from '../../policy/healthy-device.ts'
import { at, attestationOf, newDeviceId } from '../../store/fixtures.ts'
import { putInForce } from '../../support/put-in-force.ts'
import { expectOk } from '../../support/refusal.ts'
import { createTestService, type TestService, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const DEVICES = 1_200
const NOW = at(1_800)

let database: TestDatabase
let service: TestService

beforeAll(async () => {
  database = await openTestDatabase()
  service = await createTestService({ database, clock: testClock(NOW) })
  const { hash, document } = referenceValues()
  const text = { author: 'test', reason: 'test', now: NOW }
  await putInForce(database.store, {
    kind: 'reference-values',
    hash,
    body: document as never,
    ...text,
  })
  const deviceId = newDeviceId()
  const recorded = attestationOf({ deviceId, claims: HEALTHY })
  // Of the built-in verifier: what a verifier said that is not pinned counts for nothing.
  const ours = {
    issuer: service.services.config.publicUrl,
    attestationPolicyHash: BUILT_IN_POLICY_HASH,
  }
  await database.store.recordAttestation({
    ...recorded,
    attestation: { ...recorded.attestation, ...ours },
  })
  await database.query(`
    insert into device (device_id, key_kind, device_key_hash, enrolment, owner, labels, ring,
      attestation_id, attested_at, valid_until, issuer, policy_hash, confirmation_key, claims,
      verdict, reasons, first_failed_at, created_at, updated_at)
    select ('dev_' || md5(i::text)), key_kind, device_key_hash, enrolment, owner,
      case when i % 10 = 0 then array['kiosk'] else '{}' end, i % 100,
      attestation_id, attested_at, valid_until, issuer, policy_hash, confirmation_key,
      claims || jsonb_build_object('bootCounter', i, 'depPolicy', i % 4), verdict, reasons,
      first_failed_at, created_at, updated_at
    from device cross join generate_series(1, ${DEVICES - 1}) as i`)
})
afterAll(() => database?.close())

const withClause = (require: string, when?: string) => {
  const clause = { id: 'added', require, severity: 'enforce', texts: TEXTS }
  return {
    ...BASELINE_POLICY,
    clauses: [...BASELINE_POLICY.clauses, when === undefined ? clause : { ...clause, when }],
  }
}
type Options = Partial<Parameters<typeof previewDocument>[1]>
const checked = (body: unknown, kind: DocumentKind = 'policy') =>
  expectOk(checkDocument(kind, body))
const preview = (document: CheckedDocument, options: Options = {}) => {
  const { store } = service.services
  const rules = createRulesReader(store, { clock: service.clock.now })
  const dependencies = { store, rules, requiresHardware: false, clock: service.clock.now }
  return previewDocument(dependencies, { document, by: 'test', ...options })
}
const previews = () => database.query('select hash, by, summary from preview')

describe('a preview over the recorded fleet', () => {
  test('finds who would be denied, and is on record as it was answered', async () => {
    const progress: number[] = []
    const spared = checked(withClause('attestation.depPolicy != 3', '"kiosk" in device.labels'))
    const summary = await preview(spared, {
      onProgress: ({ devices, total }) => {
        expect(total).toBe(DEVICES)
        progress.push(devices)
      },
    })
    // Every tenth is a kiosk and of a multiple of ten no remainder by four is 3.
    expect(summary.newly_denied.devices).toBe(0)
    expect(progress).toEqual([500, 1000, 1200])
    const denied = await preview(
      checked(withClause('attestation.depPolicy != 2', '"kiosk" in device.labels')),
    )
    expect(denied.newly_denied.devices).toBe(60)
    expect(denied.by_label.keys).toMatchObject([{ key: 'kiosk', newly_denied: 60, compared: 119 }])
    const stored = await service.services.store.preview('policy', denied.candidate.policy)
    expect(stored).toMatchObject({
      at: NOW,
      by: 'test',
      policyHash: denied.in_force.policy,
      referenceValuesHash: denied.in_force.reference_values,
    })
    expect(stored?.summary).toEqual(JSON.parse(JSON.stringify(denied)))
    expect(readLosses(stored?.summary)).toBe(60)
  })

  test('of reference values is one of the same kind', async () => {
    const summary = await preview(checked({ enclaves: [] }, 'reference-values'))
    expect(summary.newly_denied).toMatchObject({ devices: DEVICES, undecidable: DEVICES })
    expect(summary.candidate.policy).toBe(summary.in_force.policy)
    const { reference_values: hash } = summary.candidate
    expect(await service.services.store.preview('reference-values', hash)).not.toBeNull()
  })

  test('that is ended leaves nothing on record', async () => {
    const before = await previews()
    const ending = new AbortController()
    const candidate = checked(withClause('attestation.depPolicy != 0'))
    const onProgress = () => ending.abort(new Error('stopped by hand'))
    const running = preview(candidate, { signal: ending.signal, onProgress })
    await expect(running).rejects.toThrow('stopped by hand')
    await expect(preview(candidate, { signal: ending.signal })).rejects.toThrow('stopped by hand')
    expect(await previews()).toEqual(before)
  })
})

describe('for people', () => {
  test('a preview says who, how many, how sure, and what to do next', async () => {
    const clause = withClause('attestation.bootMgrSvn > 1', '"kiosk" in device.labels')
    const text = describePreview(await preview(checked(clause)))
    expect(text).toContain('Of 1,200 devices 1,200 can be compared.')
    expect(text).toMatch(/newly denied +119 +9\.9 %/)
    expect(text).toMatch(/added +119 +9\.9 % +119: No such key: bootMgrSvn +dev_/)
    expect(text).toMatch(/kiosk +119 +100\.0 % +0/)
    expect(text).toContain('100.0 % within 1 hour')
    expect(text).toContain('Next: 119 devices would lose access.')
  })

  test('one that changes nothing says so', async () => {
    const text = describePreview(await preview(checked(BASELINE_POLICY)))
    expect(text).toContain('Next: nobody who is allowed now would lose access')
    expect(text).not.toContain('would be denied by')
  })

  test('the command says with its exit code whether anybody would lose access', async () => {
    const written: string[] = []
    const keep = (text: unknown) => written.push(String(text)) > 0
    const out = vi.spyOn(process.stdout, 'write').mockImplementation(keep)
    vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
    vi.useFakeTimers({ now: NOW, toFake: ['Date'] })
    try {
      const { store } = service.services
      const { signal } = new AbortController()
      const input = { store, by: 'command line', requiresHardware: false, json: true, signal }
      expect(await runPreview({ ...input, document: checked(BASELINE_POLICY) })).toBe(0)
      expect(await runPreview({ ...input, document: checked(withClause('false')) })).toBe(3)
      expect(written.map((line) => readLosses(JSON.parse(line)))).toEqual([0, DEVICES])
      expect(out).toHaveBeenCalledTimes(2)
    } finally {
      vi.useRealTimers()
      vi.restoreAllMocks()
    }
  })
})
