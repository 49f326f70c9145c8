import { describe, expect, test } from 'vitest'
import type { Documents } from '../../src/access/assess.ts'
import { assess } from '../../src/access/assess.ts'
import { decide } from '../../src/access/decide.ts'
import { DEVICE_NAME_REASONS } from '../../src/access/device-of-request.ts'
import { explainToDevice } from '../../src/access/explain.ts'
import { readLanguages } from '../../src/access/language.ts'
import { BUILT_IN_TEXTS } from '../../src/access/texts.ts'
import type { TrustRecord } from '../../src/access/trust-record.ts'
import type { RequestFacts } from '../../src/policy/language/input.ts'
import {
  HEALTHY,
  NOW,
  policyOf,
  REQUEST,
  VALID_UNTIL,
  withoutClaim,
} from '../policy/healthy-device.ts'
import { BASELINE, QUARANTINE, recordOf } from './rules.ts'

/** Nothing keeps access open. */
const NO_RELIEFS = {
  policySince: new Date(0),
  holds: [],
  allowedUntil: null,
  outageGraceMs: 0,
}

function answer(
  record: TrustRecord | null,
  more: { request?: RequestFacts; rules?: Documents; now?: Date; language?: string } = {},
) {
  const { request = REQUEST, rules = BASELINE, now = NOW, language } = more
  return decide({ rules, record, request, reliefs: NO_RELIEFS, now }, { language }).decision
}

test('a trusted device is granted, with what the answer rests on', () => {
  expect(answer(recordOf())).toEqual({
    decision: true,
    context: {
      verdict: 'trusted',
      reasons: [],
      reported: [],
      policy: BASELINE.policy.hash,
      reference_values: BASELINE.referenceValues.hash,
      device_id: 'dev_a',
      attestation_id: 'att_a',
      attested_at: '2026-05-04T09:00:00.000Z',
      valid_until: '2026-05-05T09:00:00.000Z',
      cnf: { jkt: 'thumbprint' },
    },
  })
})

test('a deny says why and how to repair it, to the administrator and to the person', () => {
  const { decision, context } = answer(recordOf({ ...HEALTHY, secureBootEnabled: false }))
  expect(decision).toBe(false)
  expect(context.verdict).toBe('untrusted')
  expect(context.reasons).toEqual([
    {
      code: 'clause_failed',
      clause: 'secure_boot_on',
      title: 'Secure Boot is off',
      repair: expect.stringContaining('restart'),
      measured_at: 'boot',
    },
  ])
  expect(context.reason_admin).toEqual({ '403': 'untrusted: clause_failed secure_boot_on' })
  expect(context.reason_user?.['403']).toMatch(/^Secure Boot is off\. Turn on Secure Boot/)
})

test('an undecidable clause is not told as a failed one', () => {
  const { context } = answer(recordOf(withoutClaim('vbsEnabled')))
  expect(context.verdict).toBe('unknown')
  expect(context.reasons[0]).toMatchObject({
    code: 'clause_undecidable',
    clause: 'vbs_on',
    title: BUILT_IN_TEXTS.clause_undecidable.en.title,
  })
  expect(context.reason_admin?.['403']).toBe(
    'unknown: clause_undecidable vbs_on (No such key: vbsEnabled)',
  )
})

test('a report clause is told and denies nothing', () => {
  const { decision, context } = answer(
    recordOf({ ...withoutClaim('iommuEnabled'), bitlockerEnabled: false }),
  )
  expect(decision).toBe(true)
  expect(context.reported).toEqual(['dma_protection_on', 'bitlocker_on'])
})

describe('denied before any clause', () => {
  test.each([
    ['quarantined', recordOf(HEALTHY, { quarantine: QUARANTINE }), NOW],
    ['enrolment_pending', recordOf(HEALTHY, { enrolment: 'pending' }), NOW],
    ['never_attested', recordOf(HEALTHY, { attestation: null }), NOW],
    ['stale', recordOf(), VALID_UNTIL],
    ['device_unknown', null, NOW],
  ] as const)('%s', (code, record, now) => {
    const { decision, context } = answer(record, { now })
    expect(decision).toBe(false)
    expect(context.reasons.map((reason) => reason.code)).toEqual([code])
    expect(context.reason_user?.['403']).toContain(BUILT_IN_TEXTS[code].en.repair)
  })

  test.each(DEVICE_NAME_REASONS)('%s', (reason) => {
    const asked = { rules: BASELINE, record: null, request: REQUEST, reliefs: NO_RELIEFS, now: NOW }
    const { decision, context } = decide({ ...asked, unnamed: reason }).decision
    expect(decision).toBe(false)
    expect(context).toMatchObject({ verdict: 'unknown', reasons: [{ code: reason }] })
    expect(context).not.toHaveProperty('device_id')
  })
})

describe('clauses about requests', () => {
  const rules = {
    ...BASELINE,
    policy: policyOf('attestation.vbsEnabled', 'action.name != "delete"', 'context.mfa == true'),
  }
  const ask = (name: string, context: Record<string, unknown>) =>
    answer(recordOf(), {
      rules,
      request: { ...REQUEST, action: { name, properties: {} }, context },
    })

  test('deny the request and leave the device trusted', () => {
    expect(ask('read', { mfa: true }).decision).toBe(true)
    const denied = ask('delete', { mfa: true })
    expect(denied.decision).toBe(false)
    expect(denied.context.verdict).toBe('trusted')
    expect(denied.context.reasons).toMatchObject([{ code: 'clause_failed', clause: 'clause_1' }])
  })

  test('deny when the caller does not say what they need', () => {
    const denied = ask('read', {})
    expect(denied.decision).toBe(false)
    expect(denied.context.reasons).toMatchObject([
      { code: 'clause_undecidable', clause: 'clause_2' },
    ])
  })

  test('never make an untrusted device good', () => {
    const record = recordOf({ ...HEALTHY, vbsEnabled: false })
    const { decision, context } = answer(record, {
      rules,
      request: { ...REQUEST, context: { mfa: true } },
    })
    expect(decision).toBe(false)
    expect(context.reasons).toMatchObject([{ clause: 'clause_0' }])
  })
})

describe('language', () => {
  const title = (language?: string, context = {}) =>
    answer(recordOf(HEALTHY, { quarantine: QUARANTINE }), {
      request: { ...REQUEST, context },
      ...(language !== undefined && { language }),
    }).context.reasons[0]?.title
  const { en, de } = BUILT_IN_TEXTS.quarantined

  test('the best of the header, and English else', () => {
    expect(title()).toBe(en.title)
    expect(title('de-AT,en;q=0.5')).toBe(de?.title)
    expect(title('en;q=0.5, de;q=0.9')).toBe(de?.title)
    expect(title('fr, *;q=0.1')).toBe(en.title)
    expect(title('de;q=0')).toBe(en.title)
    expect(title('__proto__,constructor,;;q=,')).toBe(en.title)
  })

  test('the language in the context of the request goes first', () => {
    expect(title('en', { language: 'de' })).toBe(de?.title)
    expect(title('de', { language: 7 })).toBe(de?.title)
  })

  test('every built-in text is there in English and in German', () => {
    for (const texts of Object.values(BUILT_IN_TEXTS))
      expect(Object.keys(texts)).toEqual(['en', 'de'])
  })
})

describe('what the device is told about itself', () => {
  const explain = (record: TrustRecord, now = NOW, language?: string) =>
    explainToDevice(
      { verdict: assess({ ...BASELINE, record, now }), coming: [] },
      BASELINE.policy,
      readLanguages(language),
    )

  test('a trusted device has nothing to do', () => {
    expect(explain(recordOf())).toEqual({
      code: 'trusted',
      restart: false,
      reasons: [],
      coming: [],
    })
  })

  test('what to repair, in its language', () => {
    const told = explain(recordOf({ ...HEALTHY, testSigningDisabled: false }), NOW, 'de')
    expect(told.code).toBe('repair')
    expect(told.restart).toBe(true)
    expect(told.reasons.map(({ title }) => title)).toEqual([
      'Der Testsignaturmodus ist eingeschaltet',
    ])
  })

  test('an enclave update needs no restart', () => {
    expect(explain(recordOf({ ...HEALTHY, enclaveFlags: 1 })).restart).toBe(false)
  })

  test('what is missing is told once', () => {
    const told = explain(recordOf({}))
    expect(told.code).toBe('attest')
    expect(new Set(told.reasons.map(({ title }) => title)).size).toBe(1)
  })

  test('each standing has its own code', () => {
    expect(explain(recordOf(HEALTHY, { quarantine: QUARANTINE })).code).toBe('blocked')
    expect(explain(recordOf(HEALTHY, { enrolment: 'pending' })).code).toBe('wait')
    expect(explain(recordOf(HEALTHY, { attestation: null })).code).toBe('attest')
    expect(explain(recordOf(), VALID_UNTIL).code).toBe('attest')
  })
})
