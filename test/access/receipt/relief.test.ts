import { beforeAll, describe, expect, test } from 'vitest'
import type { Documents } from '../../../src/access/assess.ts'
import { MAX_RECEIPT_CHARS } from '../../../src/access/receipt/limits.ts'
import { recomputeReceipt } from '../../../src/access/receipt/recompute.ts'
import { verifyReceipt } from '../../../src/access/receipt/verify.ts'
import type { Reliefs } from '../../../src/access/relief.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { MAX_CLAUSE_ID_CHARS, MAX_CLAUSES } from '../../../src/policy/limits.ts'
import { HEALTHY, NOW, TEXTS, VALID_UNTIL } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { recordOf } from '../rules.ts'
import {
  createSigning,
  ISSUER,
  type Made,
  makeReceipt,
  RULES,
  type Signing,
  signJws,
  verified,
} from './receipt-fixture.ts'

const HOUR = 3_600_000
const later = (ms: number) => new Date(NOW.getTime() + ms)
const verifier = 'https://verifier.example'

/** Three clauses that fail: one has grace, and one is held. */
function rulesOf(...clauses: readonly object[]): Documents {
  const whole = clauses.map((clause) => ({ severity: 'enforce', texts: TEXTS, ...clause }))
  return { ...RULES, policy: expectOk(compilePolicy({ name: 'Relieved', clauses: whole })) }
}

const FAILING = [
  { id: 'graceful', require: 'attestation.secureBootEnabled', grace_seconds: 7200 },
  { id: 'held', require: 'attestation.vbsEnabled' },
]
const CLAIMS = { ...HEALTHY, secureBootEnabled: false, vbsEnabled: false }
const NOTED = { graceful: later(-HOUR).toISOString(), held: later(-1000).toISOString() }
const RELIEVED: Reliefs = {
  policySince: later(-24 * HOUR),
  outageGraceMs: HOUR,
  allowedUntil: null,
  holds: [
    { cause: { kind: 'clause', clause: 'held' }, covers: later(-HOUR), until: later(HOUR) },
    { cause: { kind: 'stale', issuer: verifier }, covers: new Date(0), until: later(48 * HOUR) },
  ],
}

let signing: Signing
beforeAll(async () => {
  signing = await createSigning()
})

const makeRelieved = (changes: { reliefs?: Reliefs; now?: Date } = {}) =>
  makeReceipt(signing, {
    rules: rulesOf(...FAILING),
    record: recordOf(CLAIMS, { firstFailedAt: NOTED }),
    reliefs: RELIEVED,
    ...changes,
  })

async function recompute({ text, inputs }: Made) {
  const keys = signing.keys
  const receipt = expectOk(await verifyReceipt(text, { keys, issuer: ISSUER }))
  return recomputeReceipt({ receipt, inputs, keys })
}

/** Signed by the issuer with other reliefs than there were. */
async function resigned(
  made: Made,
  change: (reliefs: Json) => Json,
): Promise<Awaited<ReturnType<typeof recompute>>> {
  const { payload } = await verified(signing, made.text)
  const { reliefs } = payload as { reliefs: Json }
  const text = await signJws(signing, { ...payload, reliefs: change(reliefs) })
  return recompute({ ...made, text })
}

describe('the receipt of a decision that was relieved', () => {
  test('says of what, until when, and from which reliefs that follows', async () => {
    const made = await makeRelieved()
    const { claims } = await verified(signing, made.text)
    expect(claims).toMatchObject({
      decision: true,
      verdict: 'trusted',
      reasons: [],
      relief: [
        { kind: 'grace', reason: 'graceful', until: later(HOUR).toISOString() },
        { kind: 'hold', reason: 'held', until: later(HOUR).toISOString() },
      ],
    })
    expectOk(await recompute(made))
  })

  test('of a device that is allowed, or whose verifier is away, can be recomputed', async () => {
    const allowed = await makeRelieved({
      reliefs: { ...RELIEVED, holds: [], allowedUntil: later(HOUR) },
    })
    expect((await verified(signing, allowed.text)).claims.relief).toEqual([
      { kind: 'allowance', until: later(HOUR).toISOString() },
    ])
    expectOk(await recompute(allowed))
    const stale = await makeReceipt(signing, {
      rules: rulesOf({ id: 'any', require: 'true' }),
      record: recordOf(),
      reliefs: RELIEVED,
      now: VALID_UNTIL,
    })
    expect((await verified(signing, stale.text)).claims.relief).toMatchObject([
      { kind: 'outage_grace', reason: 'stale' },
    ])
    expectOk(await recompute(stale))
  })

  test('does not hold with reliefs that do not relieve it', async () => {
    const made = await makeRelieved()
    const changes: readonly ((reliefs: Json) => Json)[] = [
      (all) => ({ ...all, holds: [] }),
      (all) => ({
        ...all,
        first_failed_at: { ...all.first_failed_at, held: '2020-01-01T00:00:00.000Z' },
      }),
      (all) => ({ ...all, first_failed_at: { graceful: '2020-01-01T00:00:00.000Z' } }),
      (all) => ({
        ...all,
        holds: all.holds.map((one: Json) => ({ ...one, until: NOW.toISOString() })),
      }),
      (all) => ({
        ...all,
        holds: all.holds.map((one: Json) => ({ ...one, covers: NOW.toISOString() })),
      }),
    ]
    for (const change of changes) {
      expectRefusal(await resigned(made, change), 'receipt_decision_differs')
    }
  })

  test('does not hold with another relief than there was', async () => {
    const made = await makeRelieved()
    const longer = { until: later(2 * HOUR).toISOString() }
    const lengthened = (all: Json) => {
      return { ...all, holds: all.holds.map((one: Json) => ({ ...one, ...longer })) }
    }
    expect(await resigned(made, lengthened)).toMatchObject({
      ok: false,
      failure: { reason: 'receipt_decision_differs', member: 'relief' },
    })
    const allowed = (all: Json) => ({ ...all, allowed_until: later(HOUR).toISOString() })
    expect((await resigned(made, allowed)).ok).toBe(false)
  })

  test('of as much relief as there can be is within the limit', async () => {
    const clauses = Array.from({ length: MAX_CLAUSES }, (_, index) => ({
      id: `c${index}_`.padEnd(MAX_CLAUSE_ID_CHARS, 'x'),
      require: 'attestation.bootCounter == 1',
      grace_seconds: 7200,
    }))
    const noted = clauses.map(({ id }) => [id, later(-1000).toISOString()])
    const made = await makeReceipt(signing, {
      rules: rulesOf(...clauses),
      record: recordOf(HEALTHY, { firstFailedAt: Object.fromEntries(noted) }),
      reliefs: RELIEVED,
    })
    const { claims } = await verified(signing, made.text)
    expect(claims.relief).toHaveLength(MAX_CLAUSES)
    expect(made.text.length).toBeLessThan(MAX_RECEIPT_CHARS)
    expectOk(await recompute(made))
  })
})
