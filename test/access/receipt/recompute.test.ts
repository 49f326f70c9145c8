import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueDeviceToken } from '../../../src/access/device-token.ts'
import { digestInput } from '../../../src/access/receipt/inputs.ts'
import { recomputeReceipt } from '../../../src/access/receipt/recompute.ts'
import { HEALTHY, NOW, VALID_UNTIL } from '../../policy/healthy-device.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { BASELINE, QUARANTINE, recordOf } from '../rules.ts'
import { verifiedToken } from '../verified-token.ts'
import {
  createSigning,
  ISSUER,
  KID,
  leavesOf,
  type Made,
  makeReceipt,
  otherValue,
  type Path,
  QUESTION,
  type Signing,
  signJws,
  verified,
  withChange,
} from './receipt-fixture.ts'

let signing: Signing
let made: Made

beforeAll(async () => {
  signing = await createSigning()
  made = await makeReceipt(signing)
})

async function recompute({ text, inputs }: Made, signer: Signing = signing) {
  const receipt = await verified(signer, text)
  return recomputeReceipt({ receipt, inputs, keys: signer.keys })
}

/** The same receipt with another payload, signed by its issuer. */
async function resigned(change: (payload: Record<string, unknown>) => object): Promise<Made> {
  const { payload } = await verified(signing, made.text)
  return { ...made, text: await signJws(signing, change({ ...payload })) }
}

describe('a decision comes out again', () => {
  test.each([
    ['of clauses', {}],
    ['of a trusted device', { record: recordOf() }],
    ['of the baseline', { record: recordOf(), rules: BASELINE }],
    ['of a device that fails it', { record: recordOf({}), rules: BASELINE }],
    ['of a quarantined device', { record: recordOf(HEALTHY, { quarantine: QUARANTINE }) }],
    ['of a pending device', { record: recordOf(HEALTHY, { enrolment: 'pending' as const }) }],
    ['of a device that never attested', { record: recordOf(HEALTHY, { attestation: null }) }],
    ['of a stale device', { record: recordOf(), now: VALID_UNTIL }],
    ['of a device that nobody knows', { record: null }],
    [
      'of no device',
      { record: null, question: { ...QUESTION, subject: { type: 'user', id: 'alice' } } },
    ],
  ])('%s', async (_name, change) => {
    const decided = await makeReceipt(signing, change)
    const { claims } = await verified(signing, decided.text)
    const decision = expectOk(await recompute(decided))
    expect(decision.decision).toBe(claims.decision)
    expect(decision.context.verdict).toBe(claims.verdict)
  })

  test('however often it is decided, on any record and request', async () => {
    const claims = fc.record(
      {
        secureBootEnabled: fc.boolean(),
        hvciEnabled: fc.boolean(),
        enclaveSvn: fc.nat(),
        elamDrivers: fc.array(fc.string({ unit: 'grapheme' })),
      },
      { requiredKeys: [] },
    )
    const record = fc.record({
      labels: fc.array(fc.constantFrom('finance', 'vip', 'ä')),
      ring: fc.integer({ min: 0, max: 99 }),
      owner: fc.option(fc.string({ unit: 'grapheme' })),
      enrolment: fc.constantFrom('admitted', 'pending'),
      quarantine: fc.constantFrom(null, QUARANTINE),
      createdAt: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }),
    })
    const risk = fc.oneof(
      fc.nat(9),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string(),
    )
    await fc.assert(
      fc.asyncProperty(claims, record, risk, async (said, changes, value) => {
        const question = { ...QUESTION, context: { receipt: true, risk: value } }
        const decided = await makeReceipt(signing, { record: recordOf(said, changes), question })
        expectOk(await recompute(decided))
      }),
      { numRuns: 100 },
    )
  })
})

describe('inputs that are not those of the receipt', () => {
  const MEMBER_OF: Readonly<Record<string, string>> = {
    device: 'device_digest',
    evidence: 'evidence_digest',
    policy: 'policy_hash',
    reference_values: 'reference_values_hash',
    request: 'request_digest',
  }

  /** Everything that can be changed about an input, one thing at a time. */
  async function expectEveryChangeRefused(change: (value: unknown) => unknown) {
    for (const path of leavesOf(made.inputs)) {
      const failure = await refusalOf({ ...made, inputs: withChange(made.inputs, path, change) })
      expectNamed(failure, path)
    }
  }

  async function refusalOf(changed: Made) {
    const result = await recompute(changed)
    if (result.ok) expect.fail('recomputed from other inputs')
    return result.failure
  }

  function expectNamed(failure: Awaited<ReturnType<typeof refusalOf>>, path: Path) {
    const input = String(path[0])
    if (failure.reason === 'receipt_inputs_malformed') {
      expect(failure.at.split('.')[0]).toBe(input)
    } else {
      expect(failure).toMatchObject({
        reason: 'receipt_inputs_differ',
        input,
        member: MEMBER_OF[input],
      })
    }
  }

  test('in any one value are refused, by the name of the input', async () => {
    await expectEveryChangeRefused(otherValue)
    expectRefusal(
      await recompute({ ...made, inputs: withChange(made.inputs, ['device', 'ring'], otherValue) }),
      'receipt_inputs_differ',
    )
  })

  test('in the type of any one value are refused', async () => {
    await expectEveryChangeRefused((value) => (value === null ? false : null))
  })

  test('for want of any one value are refused', async () => {
    await expectEveryChangeRefused(() => undefined)
  })

  test('for a member too many are refused', async () => {
    for (const path of [
      [],
      ['device'],
      ['evidence'],
      ['evidence', 'claims'],
      ['policy'],
    ] as const) {
      const add = (value: unknown) => ({ ...(value as object), more: 1 })
      expect(
        await recompute({ ...made, inputs: withChange(made.inputs, path, add) }),
      ).toMatchObject({
        ok: false,
      })
    }
  })

  test('that are no inputs at all are refused', async () => {
    for (const inputs of [null, [], 'x', {}, { ...made.inputs, policy: [] }]) {
      expectRefusal(await recompute({ ...made, inputs }), 'receipt_inputs_malformed')
    }
  })

  test('that this version cannot evaluate are refused, though they are the right ones', async () => {
    const inputs = { ...made.inputs, policy: { name: 'later', version: 2 } }
    const policy_hash = digestInput(inputs.policy)
    const { text } = await resigned((payload) => ({ ...payload, policy_hash }))
    const failure = expectRefusal(await recompute({ text, inputs }), 'receipt_inputs_malformed')
    expect(failure).toMatchObject({ at: 'policy', because: 'policy_document_invalid' })
  })
})

describe('a receipt that its issuer signed wrongly', () => {
  test('is found out by any member that does not follow from the inputs', async () => {
    const { payload } = await verified(signing, made.text)
    // The issuer's word, all of it: of `mode` there is one value, and the others are what the
    // decision was made in, as its time is.
    const made_in = ['reliefs', 'rollouts', 'device_key', 'hardware_required']
    const free = ['iss', 'jti', 'mode', ...made_in]
    for (const path of leavesOf(payload)) {
      const member = String(path[0])
      if (free.includes(member)) continue
      const text = await signJws(signing, withChange(payload, path, validOther) as object)
      const result = await recompute({ ...made, text })
      if (result.ok) expect.fail(`${path.join('.')} does not matter`)
      expect(result.failure).toMatchObject({ member: member === 'decided_at' ? 'iat' : member })
    }
  })

  /** Another value that is well-formed in its place. */
  function validOther(value: unknown): unknown {
    if (Array.isArray(value)) return [{ kind: 'allowance', until: '2027-01-01T00:00:00.000Z' }]
    if (typeof value !== 'string') return otherValue(value)
    if (/^[0-9a-f]{64}$/.test(value)) return value.replace(/^./, value.startsWith('0') ? '1' : '0')
    if (value === 'unknown') return 'trusted'
    if (value === 'pass' || value === 'undecidable') return 'fail'
    return otherValue(value)
  }

  test('is found out by a member too many or too few', async () => {
    const more = await resigned((payload) => ({ ...payload, grace: null }))
    expect(expectRefusal(await recompute(more), 'receipt_decision_differs')).toMatchObject({
      member: 'grace',
    })
    const less = await resigned(({ ring: _, ...payload }) => payload)
    expect(expectRefusal(await recompute(less), 'receipt_decision_differs')).toMatchObject({
      member: 'ring',
      recomputed: 42,
    })
  })

  test('is found out when it grants what is denied', async () => {
    const granted = await resigned((payload) => ({
      ...payload,
      decision: true,
      verdict: 'trusted',
      reasons: [],
    }))
    expect(expectRefusal(await recompute(granted), 'receipt_decision_differs')).toMatchObject({
      member: 'decision',
      receipt: true,
      recomputed: false,
    })
  })

  test('is found out when the request is about another device', async () => {
    const subject = { type: 'device', id: 'dev_b' }
    const about = await makeReceipt(signing, { question: { ...QUESTION, subject } })
    expect(expectRefusal(await recompute(about), 'receipt_decision_differs')).toMatchObject({
      member: 'device_id',
      receipt: 'dev_a',
      recomputed: 'dev_b',
    })
  })
})

describe('a device token in the request', async () => {
  const SAYS = { deviceId: 'dev_a', confirmationKey: 'thumbprint', generation: 1 }
  const TOKEN = await verifiedToken(SAYS)
  async function tokenOf(token: string | typeof SAYS, expiresAt: Date, signer: Signing = signing) {
    const named = typeof token === 'string' ? { ...SAYS, deviceId: token } : token
    const claims = { ...named, issuedAt: NOW, expiresAt, jti: 'j' }
    return issueDeviceToken(claims, { issuer: ISSUER, signer: { kid: KID, sign: signer.sign } })
  }
  const later = (ms: number) => new Date(NOW.getTime() + ms)
  const ask = (device_token: unknown) => ({
    ...QUESTION,
    subject: { type: 'user', id: 'alice', properties: { device_token } },
  })

  test('names the device again', async () => {
    const question = ask(await tokenOf('dev_a', later(60_000)))
    expectOk(await recompute(await makeReceipt(signing, { question, token: TOKEN })))
  })

  test('that ran out between its check and the decision names it too', async () => {
    const question = ask(await tokenOf('dev_a', NOW))
    expectOk(await recompute(await makeReceipt(signing, { question, token: TOKEN })))
  })

  test('that is refused is refused again', async () => {
    for (const token of [await tokenOf('dev_a', later(-60_000)), 'x', 7]) {
      const refused = { question: ask(token), token: null, record: null }
      expectOk(await recompute(await makeReceipt(signing, refused)))
    }
  })

  test.each([
    ['another key', { confirmationKey: 'other' }, 'device_token_key_replaced'],
    ['another generation', { generation: 2 }, 'device_token_superseded'],
  ])('of %s does not count again', async (_name, change, code) => {
    const says = { ...SAYS, ...change }
    const token = await verifiedToken(says)
    const question = ask(await tokenOf(says, later(60_000)))
    const made = await makeReceipt(signing, { question, token })
    const { decision, context } = expectOk(await recompute(made))
    expect(decision).toBe(false)
    expect(context.reasons).toMatchObject([{ code }])
    // Nor can it be said to have counted, or to have been of a device with another key.
    const granted = await makeReceipt(signing, { question, token: TOKEN })
    expectRefusal(await recompute(granted), 'receipt_decision_differs')
  })

  test('that could not have been believed is found out', async () => {
    const stranger = await createSigning()
    for (const token of [
      await tokenOf('dev_a', later(-60_000)),
      await tokenOf('dev_a', later(60_000), stranger),
      await tokenOf('dev_b', later(60_000)),
    ]) {
      const decided = await makeReceipt(signing, { question: ask(token), token: TOKEN })
      expectRefusal(await recompute(decided), 'receipt_decision_differs')
    }
  })

  test('that would have been believed cannot be said to have been refused', async () => {
    const question = ask(await tokenOf('dev_a', later(60_000)))
    const decided = await makeReceipt(signing, { question, token: null, record: null })
    expectRefusal(await recompute(decided), 'receipt_decision_differs')
  })
})
