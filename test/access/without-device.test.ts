import { describe, expect, test } from 'vitest'
import { decide } from '../../src/access/decide.ts'
import { DEVICE_NAME_REASONS, type DeviceNameFailure } from '../../src/access/device-of-request.ts'
import { explainClauses } from '../../src/access/explain-clauses.ts'
import type { TrustRecord } from '../../src/access/trust-record.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import { HEALTHY, NOW, REQUEST, referenceValues, TEXTS } from '../policy/healthy-device.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { QUARANTINE, recordOf } from './rules.ts'

/** What a policy says to questions that name no device; that there may be such questions is ours. */
type Clause = { readonly require: string; readonly when?: string; readonly severity?: string }

function rulesOf(device: string | undefined, ...clauses: readonly Clause[]) {
  const document = {
    name: 'Test',
    ...(device !== undefined && { device }),
    clauses: clauses.map((one, index) => {
      return { id: `c${index}`, severity: 'enforce', texts: TEXTS, ...one }
    }),
  }
  return { policy: expectOk(compilePolicy(document)), referenceValues: referenceValues() }
}

const RELIEFS = { policySince: new Date(0), holds: [], allowedUntil: null, outageGraceMs: 0 }

function ask(
  rules: ReturnType<typeof rulesOf>,
  more: { record?: TrustRecord | null; unnamed?: DeviceNameFailure['reason'] | undefined } = {
    unnamed: 'device_not_named',
  },
) {
  const { record = null, unnamed } = more
  return decide({ rules, record, unnamed, request: REQUEST, reliefs: RELIEFS, now: NOW })
}

const OPEN = 'resource.type == "device"'

describe('without a device', () => {
  test.each([undefined, 'always'])('a policy that demands one (%s) denies', (device) => {
    const { decision } = ask(rulesOf(device, { require: 'true' }))
    expect(decision).toMatchObject({
      decision: false,
      context: { reasons: [{ code: 'device_not_named' }] },
    })
    expect(decision.context).not.toHaveProperty('device_demanded')
  })

  test('one that demands none is held against all clauses, and says that nobody looked', () => {
    const { decision } = ask(rulesOf(OPEN, { require: 'subject.id != ""' }))
    expect(decision).toMatchObject({
      decision: true,
      context: { verdict: 'unknown', reasons: [], device_demanded: false },
    })
    const denied = ask(rulesOf(OPEN, { require: 'subject.id == "nobody"' })).decision
    expect(denied).toMatchObject({
      decision: false,
      context: { reasons: [{ code: 'clause_failed', clause: 'c0' }], device_demanded: false },
    })
  })

  test('a condition that cannot be decided demands one', () => {
    const { decision } = ask(rulesOf('context.nothing == 1', { require: 'true' }))
    expect(decision.context.reasons).toMatchObject([{ code: 'device_not_named' }])
  })

  test.each([
    ['reads the attestation', 'attestation.secureBootEnabled'],
    ['reads the device', '"vip" in device.labels'],
    ['has another way out in CEL', 'subject.id != "" || attestation.secureBootEnabled'],
    ['asks whether it is there', '!has(attestation.secureBootEnabled)'],
    ['takes the other branch', 'subject.id != "" ? true : device.ring == 1'],
  ])('no clause passes that %s', (_name, require) => {
    const { decision } = ask(rulesOf(OPEN, { require }))
    expect(decision.decision).toBe(false)
    expect(decision.context.reasons).toMatchObject([{ code: 'clause_undecidable', clause: 'c0' }])
  })

  test('a `when` about the request passes a clause over, one about the device does not', () => {
    const require = 'attestation.secureBootEnabled'
    const over = ask(rulesOf(OPEN, { require, when: 'resource.id == "elsewhere"' }))
    expect(over.decision.decision).toBe(true)
    for (const when of ['device.ring < 0', 'attestation.enclaveSvn > 3 && resource.id == "x"']) {
      expect(ask(rulesOf(OPEN, { require: 'true', when })).decision.decision).toBe(false)
    }
  })

  test('the baseline denies, whatever its condition', () => {
    const policy = expectOk(compilePolicy({ ...BASELINE_POLICY, device: 'false' }))
    const { decision } = ask({ policy, referenceValues: referenceValues() })
    expect(decision.decision).toBe(false)
  })

  test('a clause that only reports does not decide', () => {
    const rules = rulesOf(OPEN, { require: 'attestation.vbsEnabled', severity: 'report' })
    const { decision } = ask(rules)
    expect(decision).toMatchObject({ decision: true, context: { reported: ['c0'] } })
  })

  test('is explained clause by clause', () => {
    const decided = ask(
      rulesOf(OPEN, { require: 'subject.type == "user"' }, { require: 'device.ring == 1' }),
    )
    expect(explainClauses(decided)).toMatchObject([
      { clause: 'c0', reads: { 'subject.type': REQUEST.subject.type } },
      { clause: 'c1', status: 'undecidable', cause: 'No device', reads: { 'device.ring': null } },
    ])
  })
})

describe('a device that is there', () => {
  const rules = rulesOf('false', { require: 'subject.id != ""' })

  test('is judged although none is demanded: quarantine is not moot', () => {
    const quarantined = recordOf(HEALTHY, { quarantine: QUARANTINE })
    const { decision } = ask(rules, { record: quarantined })
    expect(decision).toMatchObject({ decision: false, context: { verdict: 'quarantined' } })
    expect(ask(rules, { record: recordOf() }).decision.decision).toBe(true)
  })

  test('and is unknown is denied', () => {
    expect(ask(rules, { record: null }).decision).toMatchObject({
      decision: false,
      context: { reasons: [{ code: 'device_unknown' }] },
    })
  })

  test.each(DEVICE_NAME_REASONS.filter((reason) => reason !== 'device_not_named'))(
    'and cannot be told (%s) is no device that is left out',
    (unnamed) => {
      expect(ask(rules, { unnamed }).decision).toMatchObject({
        decision: false,
        context: { reasons: [{ code: unnamed }] },
      })
    },
  )
})

test.each([
  'device.ring == 1',
  'attestation.vbsEnabled',
  'now > timestamp("2026-01-01T00:00:00Z")',
])('a condition that reads more than the request is refused: %s', (device) => {
  const document = {
    name: 'Test',
    device,
    clauses: [{ id: 'a', severity: 'enforce', require: 'true', texts: TEXTS }],
  }
  expectRefusal(compilePolicy(document), 'policy_device_not_of_request')
})
