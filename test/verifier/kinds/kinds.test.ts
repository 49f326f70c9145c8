import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { independentKeys } from '../../../src/simulator/key-source.ts'
import { startVirtualDevice, type VirtualDevice } from '../../../src/simulator/virtual-device.ts'
import {
  BUILT_IN_KINDS,
  type BuiltInFailure,
  EVIDENCE_PARTS,
} from '../../../src/verifier/kinds/built-in.ts'
import { type EvidenceKind, listIssuedClaims } from '../../../src/verifier/kinds/kind.ts'
import { createMessageReaders } from '../../../src/verifier/protocol/attest-message.ts'
import { createWireErrors } from '../../../src/verifier/protocol/errors.ts'
import { describeIssuer } from '../../../src/verifier/protocol/metadata.ts'
import { createVerifier } from '../../../src/verifier/verifier.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import {
  makeRequest,
  makeVerifier,
  NOW,
  type Payload,
  payloadOf,
  readData,
  signRequest,
  spendInMemory,
  type TestVerifier,
} from '../harness.ts'
import { makeToyReport, type ToyFailure, toyKind } from './toy-kind.ts'

type Kinds = readonly EvidenceKind<BuiltInFailure | ToyFailure>[]
const kinds: Kinds = [...BUILT_IN_KINDS, toyKind]
const withToy = createVerifier(kinds)

let verifier: TestVerifier
let device: VirtualDevice

beforeAll(async () => {
  verifier = await makeVerifier()
  device = await startVirtualDevice({ name: 'toy', keys: independentKeys() })
})

function send(request: string, by = withToy) {
  return by.handleAttestMessage({
    message: JSON.stringify({
      data: toBase64Url(toUtf8(JSON.stringify({ payload: { request } }))),
    }),
    apiVersion: '2025-06-01',
    keys: verifier.keys,
    config: verifier.config,
    spendContext: spendInMemory(),
    now: NOW,
    random: (length) => digest('sha512', toUtf8('random')).subarray(0, length),
  })
}

/** A request of the toy's type, whose report is over the text of what it is about. */
async function makeToyRequest(
  makeReport: (text: string) => Uint8Array,
  edit?: (data: Payload) => void,
) {
  const honest = await makeRequest(device, await verifier.challenge(), { withoutEnclave: true })
  const data = payloadOf(honest).att_data
  const text = JSON.stringify(data)
  edit?.(data)
  const report = toBase64Url(makeReport(text))
  const payload = { att_type: 'toy', att_data: { toy_signed: data, toy_report: report } }
  return signRequest(device.requestKey, 2, payload)
}

describe('a kind of evidence that only a list names', () => {
  test('is read, verified and stands in the token with the claims of the others', async () => {
    const answer = expectOk(await send(await makeToyRequest((text) => makeToyReport(3, text))))
    if (answer.kind !== 'report') expect.fail('no report')
    const claims = decodeJwt(readData(answer.data).payload.report)
    const boot = { secureBootEnabled: true, aikPubHash: device.deviceKey }
    expect(claims).toMatchObject({ toyLevel: 3, toyReportPresent: true, ...boot })
    expect(claims.vbsReportPresent).toBe(false)
    expect(Object.keys(answer.digests)).toEqual(['quote', 'boot_log', 'toy_report'])
    expect(answer.trace.at(-1)).toEqual({ step: 'toy_report', outcome: 'passed', detail: '' })
  })

  test('issues no claim that it has not declared', async () => {
    // The toy says `aikValidated`, which is not its to say, and no anchor vouches for the key.
    const answer = expectOk(await send(await makeToyRequest((text) => makeToyReport(3, text))))
    expect(decodeJwt(readData(answer.data).payload.report).aikValidated).toBe(false)
  })

  test('says so where a request carries none of it', async () => {
    const request = await makeRequest(device, await verifier.challenge())
    const answer = expectOk(await send(request))
    const claims = decodeJwt(readData(answer.data).payload.report)
    expect(claims).toMatchObject({ toyReportPresent: false, vbsReportPresent: true })
    expect(claims).not.toHaveProperty('toyLevel')
  })

  test('refuses a report that was made over another text, as attributable to its device', async () => {
    const request = await makeToyRequest(
      (text) => makeToyReport(3, text),
      (data) => {
        data.rp_data = 'b3RoZXI'
      },
    )
    const refused = await send(request)
    expectRefusal(refused, 'toy_report_forged')
    if (refused.ok) return
    expect(refused.failure.provenAik?.isVouched).toBe(false)
    expect(refused.failure.trace.at(-1)).toMatchObject({ step: 'toy_report', outcome: 'failed' })
    const { body } = createWireErrors(kinds)(refused.failure, 'req_1')
    expect(body.error).toMatchObject({
      message: 'The toy is not as it was. Send it unchanged.',
      innererror: { code: 'toy_report_forged', request_id: 'req_1' },
    })
  })

  test.each([
    ['cut short', (report: Uint8Array) => report.subarray(0, -1), 'truncated'],
    [
      'with more behind it',
      (report: Uint8Array) => Buffer.concat([report, report]),
      'message_member_too_long',
    ],
    [
      'with a byte behind it',
      (report: Uint8Array) => Buffer.concat([report, Buffer.of(0)]),
      'trailing_bytes',
    ],
  ] as const)('refuses a report %s', async (_, change, reason) => {
    const request = await makeToyRequest((text) => change(makeToyReport(3, text)))
    expectRefusal(await send(request), reason)
  })

  test('is unknown to a verifier whose list does not name it', async () => {
    const request = await makeToyRequest((text) => makeToyReport(3, text))
    expectRefusal(await verifier.send({ request }), 'message_member_invalid')
  })

  test('whose request carries none of it is refused: nothing else might bind the key', async () => {
    const unread: Kinds = [...BUILT_IN_KINDS, { ...toyKind, read: () => undefined }]
    const request = await makeToyRequest((text) => makeToyReport(3, text))
    expectRefusal(await send(request, createVerifier(unread)), 'message_member_missing')
  })

  test('is in what the issuer says that it supports', () => {
    const { claims_supported } = describeIssuer('https://verifier.example', kinds)
    expect(claims_supported).toEqual(expect.arrayContaining(['toyLevel', 'secureBootEnabled']))
    expect(describeIssuer('https://verifier.example').claims_supported).not.toContain('toyLevel')
  })
})

describe('a list of kinds', () => {
  test('names each kind, each type of request, each part and each claim once', () => {
    const names = BUILT_IN_KINDS.map(({ name }) => name)
    const types = BUILT_IN_KINDS.map(({ requestType }) => requestType)
    for (const list of [names, types, EVIDENCE_PARTS, listIssuedClaims(BUILT_IN_KINDS)]) {
      expect(new Set(list).size).toBe(list.length)
    }
  })

  test('in which two kinds would issue one claim makes no verifier', () => {
    const claims = { azure: ['vbsEnabled'], own: [] }
    const double: Kinds = [...BUILT_IN_KINDS, { ...toyKind, claims }]
    expect(() => createVerifier(double)).toThrow(TypeError)
  })

  test('of which none answers the challenge is a mistake of ours and never a token', async () => {
    const alone = createVerifier([toyKind])
    const request = await makeToyRequest((text) => makeToyReport(3, text))
    const { config, keys } = verifier
    const { readRequest } = createMessageReaders([toyKind])
    await expect(
      alone.verifyRequest(expectOk(readRequest(request)), {
        ...{ config, keys: keys.serviceContext, spendContext: spendInMemory(), now: NOW },
      }),
    ).rejects.toThrow(TypeError)
  })

  test('leaves no reason of a kind without an answer', () => {
    const toWire = createWireErrors(kinds)
    for (const { answers } of kinds) {
      for (const reason of Object.keys(answers)) {
        const failure = { reason } as Parameters<typeof toWire>[0]
        expect(toWire(failure, 'req_1').status).toBeGreaterThan(399)
      }
    }
  })
})
