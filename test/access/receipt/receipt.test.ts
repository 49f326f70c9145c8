import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueDeviceToken, verifyDeviceToken } from '../../../src/access/device-token.ts'
import { importReceiptKeys } from '../../../src/access/receipt/keys.ts'
import { MAX_RECEIPT_CHARS } from '../../../src/access/receipt/limits.ts'
import { readReceiptOrder } from '../../../src/access/receipt/order.ts'
import { RECEIPT_TYPE } from '../../../src/access/receipt/receipt.ts'
import { RECEIPT_REASONS, verifyReceipt } from '../../../src/access/receipt/verify.ts'
import { compilePolicy } from '../../../src/policy/document/compile.ts'
import { MAX_CLAUSE_ID_CHARS, MAX_CLAUSES } from '../../../src/policy/limits.ts'
import { NOW, policyOf, REQUEST, TEXTS } from '../../policy/healthy-device.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { QUARANTINE, recordOf } from '../rules.ts'
import {
  createSigning,
  ISSUER,
  JTI,
  KID,
  leavesOf,
  makeReceipt,
  otherValue,
  QUESTION,
  RULES,
  type Signing,
  signJws,
  verified,
  withChange,
} from './receipt-fixture.ts'

let signing: Signing
let text: string
let payload: Json

beforeAll(async () => {
  signing = await createSigning()
  text = (await makeReceipt(signing)).text
  payload = decodePart(1)
})

function decodePart(index: number) {
  return JSON.parse(Buffer.from(text.split('.')[index] ?? '', 'base64url').toString())
}

const verify = (jws: string, issuer: string | undefined = ISSUER) =>
  verifyReceipt(jws, { keys: signing.keys, issuer })

describe('a receipt', () => {
  test('says what was decided and names what it was decided from', async () => {
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/)
    const { claims, kid } = await verified(signing, text)
    expect(kid).toBe(KID)
    expect(claims).toEqual({
      iss: ISSUER,
      iat: NOW.getTime() / 1000,
      jti: JTI,
      decision: false,
      verdict: 'unknown',
      reasons: ['clause_undecidable'],
      mode: 'enforce',
      decided_at: NOW.toISOString(),
      reliefs: {
        policy_since: '2026-01-01T00:00:00.000Z',
        outage_grace_seconds: 14_400,
        allowed_until: null,
        first_failed_at: {},
        holds: [],
      },
      relief: [],
      rollouts: [],
      request_digest: hash,
      policy_hash: RULES.policy.hash,
      reference_values_hash: RULES.referenceValues.hash,
      hardware_required: false,
      clauses: [
        { id: 'clause_0', status: 'pass' },
        { id: 'clause_1', status: 'undecidable', cause: 'No such key: hvciEnabled' },
        { id: 'clause_2', status: 'pass' },
        { id: 'clause_3', status: 'pass' },
        { id: 'clause_4', status: 'pass' },
      ],
      device_id: 'dev_a',
      ring: 42,
      device_digest: hash,
      attestation_id: 'att_a',
      attested_at: '2026-05-04T09:00:00.000Z',
      valid_until: '2026-05-05T09:00:00.000Z',
      verifier: 'https://verifier.example',
      evidence_digest: hash,
      device_key: { jkt: 'thumbprint', generation: 1 },
    })
    expect(decodePart(0)).toEqual({ alg: 'ES256', kid: KID, typ: RECEIPT_TYPE })
  })

  test('holds nothing of the person who asked, and nothing that an error quotes', async () => {
    const policy = policyOf(
      'duration(string(context.name)) == duration("1s")',
      'subject.properties[string(context.name)] == 1',
      'int(string(context.name)) > 1',
      'timestamp(string(context.name)) < now',
      'device.owner.matches("x") && context[string(device.owner)] == 1',
      'context.missing == 1',
    )
    const question = { ...QUESTION, context: { receipt: true, name: 'secret' } }
    const record = recordOf(undefined, { owner: 'secret', labels: ['secret'] })
    const made = await makeReceipt(signing, { rules: { ...RULES, policy }, question, record })
    const { claims } = await verified(signing, made.text)
    expect(JSON.stringify(claims)).not.toMatch(/secret|alice|payroll/)
    expect(claims.clauses.at(-1)?.cause).toBe('No such key: missing')
    expect(claims.clauses[0]?.cause).toBe('… is no duration')
    expect(claims.clauses.filter(({ cause }) => cause !== undefined).length).toBeGreaterThan(3)
  })

  test.each([
    ['quarantined', recordOf(undefined, { quarantine: QUARANTINE })],
    ['enrolment_pending', recordOf(undefined, { enrolment: 'pending' })],
    ['never_attested', recordOf(undefined, { attestation: null })],
    ['device_unknown', null],
  ] as const)('of a device that is denied as %s says so', async (code, record) => {
    const { claims } = await verified(signing, (await makeReceipt(signing, { record })).text)
    expect(claims).toMatchObject({ decision: false, reasons: [code] })
    expect(claims.device_id).toBe(record?.deviceId)
    expect(claims.evidence_digest === undefined).toBe(!record?.attestation)
  })

  test('of a request that names no device has none', async () => {
    const question = { ...QUESTION, subject: { type: 'user', id: 'alice' } }
    const made = await makeReceipt(signing, { record: null, question })
    const { claims } = await verified(signing, made.text)
    expect(claims).toMatchObject({ verdict: 'unknown', reasons: ['device_not_named'], clauses: [] })
    expect(claims).not.toHaveProperty('device_id')
  })

  test('of the largest policy is below the limit', async () => {
    const clauses = Array.from({ length: MAX_CLAUSES }, (_, index) => ({
      id: `c${index}_`.padEnd(MAX_CLAUSE_ID_CHARS, 'x'),
      require: `context.${'m'.repeat(80)} == 1`,
      severity: 'enforce',
      texts: TEXTS,
    }))
    const policy = expectOk(compilePolicy({ name: 'Large', clauses }))
    const made = await makeReceipt(signing, { rules: { ...RULES, policy } })
    expect((await verified(signing, made.text)).claims.clauses).toHaveLength(MAX_CLAUSES)
    expect(made.text.length).toBeLessThan(MAX_RECEIPT_CHARS / 2)
  })
})

describe('a receipt is refused', () => {
  test('that is changed anywhere, by its signature', async () => {
    const [head = '', , signature = ''] = text.split('.')
    for (const path of leavesOf(payload)) {
      const changed = withChange(payload, path, otherValue)
      const body = Buffer.from(JSON.stringify(changed)).toString('base64url')
      expectRefusal(await verify(`${head}.${body}.${signature}`), 'receipt_signature_invalid')
    }
  })

  test('that is cut off at any byte', async () => {
    const body = text.lastIndexOf('.')
    for (let length = 0; length < text.length; length++) {
      const cut = await verify(text.slice(0, length))
      // A signature that is too short is well-formed base64url all the same.
      if (length <= body) expectRefusal(cut, 'receipt_malformed')
      else expect(cut).toMatchObject({ ok: false })
    }
    expectRefusal(await verify(text.slice(0, -2)), 'receipt_signature_invalid')
  })

  test('that goes on after its end, or spells the same bytes otherwise', async () => {
    for (const more of ['.', 'A', 'AA', '=', ' ', '\n', '.e30']) {
      expect(await verify(text + more)).toMatchObject({ ok: false })
    }
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = alphabet.indexOf(text.at(-1) ?? '')
    expectRefusal(await verify(text.slice(0, -1) + alphabet[last ^ 1]), 'receipt_malformed')
  })

  test('that is larger than any receipt', async () => {
    expectRefusal(await verify('a'.repeat(MAX_RECEIPT_CHARS + 1)), 'receipt_too_large')
  })

  test('that is unsigned, or signed by another algorithm', async () => {
    for (const alg of ['none', 'None', 'HS256', 'RS256', 'ES384', undefined, 1]) {
      const jws = await signJws(signing, payload, { alg })
      expectRefusal(await verify(jws), 'receipt_algorithm_refused')
    }
    const unsigned = (await signJws(signing, payload, { alg: 'none' })).replace(/[^.]*$/, '')
    expectRefusal(await verify(unsigned), 'receipt_algorithm_refused')
    expectRefusal(await verify(text.replace(/[^.]*$/, '')), 'receipt_signature_invalid')
  })

  test('of a key that is not in the set', async () => {
    for (const kid of ['other', undefined, 1, '__proto__']) {
      const jws = await signJws(signing, payload, { kid })
      expectRefusal(await verify(jws), 'receipt_key_unknown')
    }
  })

  test('of a stranger who names our key', async () => {
    const stranger = await createSigning()
    expectRefusal(await verify(await signJws(stranger, payload)), 'receipt_signature_invalid')
  })

  test('of another issuer, unless any is as good', async () => {
    const { issuer } = expectRefusal(
      await verify(text, 'https://other.example'),
      'receipt_issuer_differs',
    ) as { issuer: string }
    expect(issuer).toBe(ISSUER)
    expectOk(await verifyReceipt(text, { keys: signing.keys }))
  })

  test('with a header of more members than ours', async () => {
    for (const more of [{ crit: ['exp'] }, { jwk: {} }, { b64: false }, { cty: 'x' }]) {
      expectRefusal(await verify(await signJws(signing, payload, more)), 'receipt_malformed')
    }
  })

  test('that says a thing twice', async () => {
    const twice = JSON.stringify(payload).replace('"decision":false', '"decision":true,$&')
    expectRefusal(await verify(await signJws(signing, twice)), 'receipt_malformed')
  })

  test.each([
    ['iss', 1],
    ['iat', '1'],
    ['iat', -1],
    ['jti', 'rcp_x'],
    ['decision', 'true'],
    ['verdict', 'fine'],
    ['mode', 'audit'],
    ['decided_at', '2026-05-04'],
    ['request_digest', 'A'.repeat(64)],
    ['clauses', [{ id: 'a', status: 'unknown' }]],
    ['evidence_digest', null],
  ])('whose %s is ill-formed, though it is signed', async (member, value) => {
    const jws = await signJws(signing, { ...payload, [member]: value })
    const failure = expectRefusal(await verify(jws), 'receipt_malformed') as { at: string }
    expect(failure.at.split('.')[0]).toBe(member)
  })

  test('that is made up, for a declared reason and without a throw', async () => {
    const part = fc.oneof(
      fc.base64String(),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
    )
    const jws = fc.oneof(
      fc.string(),
      fc.tuple(part, part, part).map((parts) => parts.join('.')),
    )
    const reasons: readonly string[] = RECEIPT_REASONS
    await fc.assert(
      fc.asyncProperty(jws, async (made) => {
        const result = await verify(made)
        expect(!result.ok && reasons.includes(result.failure.reason)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('kinds of tokens', () => {
  const claims = {
    deviceId: 'dev_a',
    confirmationKey: 'thumb',
    generation: 1,
    issuedAt: NOW,
    expiresAt: new Date(NOW.getTime() + 3_600_000),
    jti: JTI,
  }
  const signer = () => ({ kid: KID, sign: signing.sign })
  const asDeviceToken = (jws: string) =>
    verifyDeviceToken(jws, {
      issuer: ISSUER,
      keyOf: (kid) => signing.keys.get(kid)?.cryptoKey,
      now: NOW,
    })

  test('a device token of the same key is no receipt', async () => {
    const token = await issueDeviceToken(claims, { issuer: ISSUER, signer: signer() })
    expectOk(await asDeviceToken(token))
    expectRefusal(await verify(token), 'receipt_type_wrong')
  })

  test('a receipt of the same key is no device token, whatever else it says', async () => {
    expectRefusal(await asDeviceToken(text), 'device_token_invalid')
    const exp = NOW.getTime() / 1000 + 60
    const rich = { ...payload, aud: ISSUER, sub: 'dev_a', exp, cnf: { jkt: 'thumb' } }
    expectRefusal(await asDeviceToken(await signJws(signing, rich)), 'device_token_invalid')
  })

  test.each(['JWT', 'dpop+jwt', 'countersign-device+jwt', 'secevent+jwt', undefined, 'RECEIPT'])(
    'what is typed as %s is no receipt',
    async (typ) => {
      expectRefusal(await verify(await signJws(signing, payload, { typ })), 'receipt_type_wrong')
    },
  )
})

describe('a key set', () => {
  test('gives the keys that can verify receipts, and passes over the others', async () => {
    const [own] = signing.jwks.keys
    const [other] = (await createSigning('other')).jwks.keys
    const set = [
      own,
      other,
      { ...other, kid: 'private', d: 'x' },
      { ...other, kid: 'encryption', use: 'enc' },
      { ...other, kid: 'algorithm', alg: 'ES384' },
      { ...other, kid: 'curve', crv: 'P-384' },
      { ...other, kid: 'point', y: own?.y },
      { ...other, kid: 7 },
      { kid: 'rsa', kty: 'RSA', n: 'AQAB', e: 'AQAB' },
      { ...other, kid: 'twice' },
      { ...other, kid: 'twice' },
      { ...other, kid: 'ambiguous' },
      { ...own, kid: 'ambiguous' },
      null,
    ]
    const keys = expectOk(await importReceiptKeys({ keys: set }))
    expect([...keys.keys()]).toEqual([KID, 'other', 'twice'])
  })

  test('of no use is refused', async () => {
    for (const json of [null, [], {}, { keys: {} }]) {
      expectRefusal(await importReceiptKeys(json), 'key_set_malformed')
    }
    const many = { keys: Array(65).fill(signing.jwks.keys[0]) }
    expectRefusal(await importReceiptKeys(many), 'key_set_too_large')
    expectRefusal(await importReceiptKeys({ keys: [] }), 'key_set_empty')
  })
})

describe('a request asks for a receipt', () => {
  test('by true in its context, and by nothing else', () => {
    const order = (receipt: unknown) =>
      expectOk(readReceiptOrder({ ...REQUEST, context: { receipt } }))
    expect(order(true)).toMatch(/^[0-9a-f]{64}$/)
    for (const other of [false, 'true', 1, null, undefined, {}])
      expect(order(other)).toBe(undefined)
  })

  test('and is refused when it has no canonical form', () => {
    for (const value of ['\ud800', Infinity, NaN]) {
      const request = { ...REQUEST, context: { receipt: true, value } }
      expectRefusal(readReceiptOrder(request), 'authzen_member_ill_typed')
      expectOk(readReceiptOrder({ ...REQUEST, context: { value } }))
    }
  })
})
