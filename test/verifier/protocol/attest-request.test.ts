import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { JSON_REASONS } from '../../../src/base/json/tree.ts'
import { ok } from '../../../src/base/result.ts'
import { PARSE_REASONS } from '../../../src/evidence/bytes.ts'
import { publicJwk } from '../../../src/simulator/attestation-request.ts'
import { independentKeys } from '../../../src/simulator/key-source.ts'
import { startVirtualDevice, type VirtualDevice } from '../../../src/simulator/virtual-device.ts'
import { MAX_CERTIFICATE_BYTES, MAX_CHAIN_CERTIFICATES } from '../../../src/verifier/limits.ts'
import { readAttestRequest } from '../../../src/verifier/protocol/attest-request.ts'
import { MESSAGE_REASONS } from '../../../src/verifier/protocol/message-reader.ts'
import { JWK_REASONS } from '../../../src/verifier/protocol/public-jwk.ts'
import { REQUEST_KEY_REASONS } from '../../../src/verifier/protocol/request-keys.ts'
import { inspectRequest } from '../../support/inspect-request.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { makeRequest, type Payload, payloadOf, payloadText, type Version } from '../harness.ts'

const challenge = { challenge: randomBytes(16), serviceContext: 'Y3R4' }
const texts = new Map<string, string>()
let device: VirtualDevice

beforeAll(async () => {
  device = await startVirtualDevice({ name: 'reader', keys: independentKeys() })
  for (const version of [1, 2] as const) {
    for (const withoutEnclave of [true, false]) {
      const request = await makeRequest(device, challenge, { version, withoutEnclave })
      texts.set(`${version} ${withoutEnclave ? 'basic' : 'vbs'}`, payloadText(request))
    }
  }
})

const textOf = (version: Version, type: 'basic' | 'vbs') => texts.get(`${version} ${type}`) ?? ''

/** What reading the payload does not look at. */
const UNSIGNED = { compact: '', signature: new Uint8Array() }

function readText(version: Version, text: string) {
  const read = readAttestRequest({ version, payload: text, ...UNSIGNED })
  return read.ok ? ok(inspectRequest(read.value)) : read
}

/** The basic request of a version, edited. */
function edited(version: Version, edit: (data: Payload, payload: Payload) => void) {
  const payload = JSON.parse(textOf(version, 'basic'))
  edit(payload.att_data, payload)
  return readText(version, JSON.stringify(payload))
}

function pathsIn(value: Payload, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  const inner = Object.entries(value).flatMap(([name, one]) => pathsIn(one, [...path, name]))
  return path.length === 0 ? inner : [path, ...inner]
}

const put = (holder: Payload, name: string) => {
  holder[name] = 'AAAA'
}

const current = (data: Payload) => data.tpm_att_data.current_attestation

describe('both versions', () => {
  test.each([
    [1, 'basic'],
    [1, 'vbs'],
    [2, 'basic'],
    [2, 'vbs'],
  ] as const)('version %d %s becomes one shape', (version, type) => {
    const evidence = expectOk(readText(version, textOf(version, type)))
    expect(evidence.version).toBe(version)
    expect(Buffer.from(evidence.challenge)).toEqual(challenge.challenge)
    expect(evidence.serviceContext).toBe(challenge.serviceContext)
    expect(evidence.current.logs.srtm).toEqual(Buffer.from(device.bootLog.bytes))
    expect(evidence.current.aik.publicKey).toEqual(publicJwk(device.tpm.attestationKey))
    expect(evidence.requestKey.jwk).toEqual(publicJwk(device.requestKey))
    const [bank] = evidence.current.statement.pcrs
    expect(bank?.algorithm).toBe('sha256')
    expect(bank?.values.size).toBe(24)
    expect(evidence.enclave === undefined).toBe(type === 'basic')
  })

  test.each<[string, Version, 'basic' | 'vbs', (data: Payload) => void, string]>([
    [
      'a boot log of version 1',
      2,
      'basic',
      (d) => put(d.tpm_att_data, 'srtm_boot_log'),
      'att_data.tpm_att_data.srtm_boot_log',
    ],
    [
      'a claim of version 1',
      2,
      'basic',
      (d) => put(d.tpm_att_data, 'current_claim'),
      'att_data.tpm_att_data.current_claim',
    ],
    [
      'a certificate outside',
      2,
      'basic',
      (d) => put(d.tpm_att_data, 'aik_cert'),
      'att_data.tpm_att_data.aik_cert',
    ],
    ['the key of version 1', 2, 'basic', (d) => put(d, 'attest_key'), 'att_data.attest_key'],
    ['the key of version 2', 1, 'basic', (d) => put(d, 'request_key'), 'att_data.request_key'],
    ['further keys', 1, 'basic', (d) => put(d, 'other_keys'), 'att_data.other_keys'],
    [
      'evidence of version 2',
      1,
      'basic',
      (d) => put(d.tpm_att_data, 'current_attestation'),
      'att_data.tpm_att_data.current_attestation',
    ],
    [
      'a report that nothing is bound to',
      2,
      'basic',
      (d) => put(d, 'vsm_report'),
      'att_data.vsm_report',
    ],
    [
      'what a report is made over',
      1,
      'basic',
      (d) => put(d, 'report_signed'),
      'att_data.report_signed',
    ],
    ['a nonce outside the report', 2, 'vbs', (d) => put(d, 'rp_data'), 'att_data.rp_data'],
    [
      'evidence outside the report',
      1,
      'vbs',
      (d) => put(d, 'tpm_att_data'),
      'att_data.tpm_att_data',
    ],
    [
      'the report inside what it is made over',
      1,
      'vbs',
      (d) => put(d.report_signed, 'vsm_report'),
      'att_data.report_signed.vsm_report',
    ],
  ])(
    '%s is refused in version %d %s, where nobody would look at it',
    (_, version, type, edit, member) => {
      const payload = JSON.parse(textOf(version, type))
      edit(payload.att_data)
      const refused = readText(version, JSON.stringify(payload))
      const failure = expectRefusal(refused, 'message_member_misplaced')
      expect(failure).toMatchObject({ member: `request.${member}` })
    },
  )

  test.each<[string, Version, Version, string, RegExp]>([
    ['a body of version 1', 2, 1, 'tpm_att_data.srtm_boot_log', /attReq as typ: version 1 has it/],
    ['a body of version 2', 1, 2, 'tpm_att_data.current_attestation', /attReqV2 as typ: only/],
  ])('%s under the typ of version %d is told both ways out', (_, typ, body, member, expected) => {
    const failure = expectRefusal(readText(typ, textOf(body, 'basic')), 'message_member_misplaced')
    expect(failure).toMatchObject({
      ...{ member: `request.att_data.${member}`, expected: expect.stringMatching(expected) },
    })
  })

  test('the key of the other version is told the name that it has here', () => {
    const swapped = (version: Version, here: string, there: string) =>
      edited(version, (data) => {
        data[there] = data[here]
        delete data[here]
      })
    for (const [version, here, there] of [
      [1, 'attest_key', 'request_key'],
      [2, 'request_key', 'attest_key'],
    ] as const) {
      const failure = expectRefusal(swapped(version, here, there), 'message_member_misplaced')
      expect(failure).toMatchObject({
        member: `request.att_data.${there}`,
        expected: `${here} in its place: typ says version ${version}`,
      })
    }
  })

  test.each([1, 2] as const)(
    'whichever member is missing, version %d says of what form it is',
    (version) => {
      const missing = new Set<string>()
      for (const path of pathsIn(JSON.parse(textOf(version, 'vbs')))) {
        const payload = JSON.parse(textOf(version, 'vbs'))
        const holder = path.slice(0, -1).reduce((at: Payload, name) => at[name], payload)
        delete holder[path.at(-1) ?? '']
        const read = readText(version, JSON.stringify(payload))
        if (read.ok || read.failure.reason !== 'message_member_missing') continue
        missing.add(read.failure.member ?? '')
        expect(read.failure.expected, path.join('.')).toMatch(/./)
      }
      expect(missing.size).toBeGreaterThan(10)
    },
  )

  test('a member that nobody knows is ignored, and so is a misplaced one that is empty', () => {
    const payload = JSON.parse(textOf(2, 'vbs'))
    Object.assign(payload, { future: 1 })
    Object.assign(payload.att_data, { future: {}, rp_data: '' })
    Object.assign(payload.att_data.report_signed.tpm_att_data, { future: [], srtm_boot_log: '' })
    expectOk(readText(2, JSON.stringify(payload)))
  })

  test.each([null, [], {}])(
    'a misplaced member is nothing as %j, as serializers write it',
    (nothing) => {
      const payload = JSON.parse(textOf(2, 'vbs'))
      Object.assign(payload.att_data.report_signed, { attest_key: nothing })
      expectOk(readText(2, JSON.stringify(payload)))
      for (const something of [0, false, [null], { kty: null }]) {
        Object.assign(payload.att_data.report_signed, { attest_key: something })
        expectRefusal(readText(2, JSON.stringify(payload)), 'message_member_misplaced')
      }
    },
  )

  test.each([1, 2] as const)('version %d: the bound text is the text on the wire', (version) => {
    const compactText = textOf(version, 'vbs')
    const spaced = compactText.replace('"report_signed":{', '"report_signed" : { ')
    const bound = expectOk(readText(version, spaced)).enclave?.boundText ?? ''
    expect(bound.startsWith('{ "rp_id"')).toBe(true)
    expect(spaced).toContain(bound)
  })

  test('members of a later client are ignored', () => {
    expectOk(
      edited(2, (data, payload) => {
        payload.later = {}
        data.later = [1]
        data.tpm_att_data.later = 'x'
        data.request_key.jwk.kid = 'x'
      }),
    )
  })

  test('empty texts stand for evidence that a client does not have', () => {
    const evidence = expectOk(
      edited(1, (data) => {
        Object.assign(data.tpm_att_data, { srtm_resume_log: '', drtm_boot_log: '', aik_cert: '' })
      }),
    )
    expect(evidence.beforeHibernation).toBeUndefined()
    expect(evidence.current.logs.drtm).toBeUndefined()
    expect(evidence.current.aik.certificate).toBeUndefined()
  })

  test('rp_data is optional and rp_id is only looked at', () => {
    const without = edited(2, (data) => {
      data.rp_data = undefined
      data.rp_id = undefined
    })
    expect(expectOk(without).rpData).toBeUndefined()
  })
})

describe.each([1, 2] as const)(
  'the certificates above that of the key, in version %d',
  (version) => {
    const withChain = (chain: unknown) =>
      edited(version, (data) => {
        const aik = version === 1 ? data.tpm_att_data : current(data)
        aik.aik_cert_chain = chain
      })

    test('are read as they came', () => {
      const { aik } = expectOk(withChain(['AQI', 'AwQF'])).current
      expect(aik.chain).toEqual([Buffer.from([1, 2]), Buffer.from([3, 4, 5])])
      expect(expectOk(withChain([])).current.aik.chain).toEqual([])
      expect(expectOk(withChain(undefined)).current.aik.chain).toEqual([])
    })

    test('are few, small, and nothing else', () => {
      expectRefusal(
        withChain(Array(MAX_CHAIN_CERTIFICATES + 1).fill('AQI')),
        'message_member_too_long',
      )
      expectRefusal(withChain(['A'.repeat(MAX_CERTIFICATE_BYTES * 2)]), 'message_member_too_long')
      for (const chain of ['AQI', {}, null, [1], [''], ['AQ='], [['AQI']], ['A']]) {
        expectRefusal(withChain(chain), 'message_member_invalid')
      }
    })
  },
)

describe('version 1 and hibernation', () => {
  test('with a resume log the fresh claim speaks of the resume', () => {
    const resumeLog = toBase64Url(toUtf8('resume'))
    const evidence = expectOk(
      edited(1, ({ tpm_att_data }) => {
        tpm_att_data.srtm_resume_log = resumeLog
        tpm_att_data.boot_claim = tpm_att_data.current_claim
      }),
    )
    expect(Buffer.from(evidence.current.logs.srtm).toString()).toBe('resume')
    expect(evidence.beforeHibernation?.logs.srtm).toEqual(Buffer.from(device.bootLog.bytes))
  })

  test('a resume log without a boot claim, or a DRTM resume log alone', () => {
    const resume = edited(1, ({ tpm_att_data }) => {
      tpm_att_data.srtm_resume_log = 'AAAA'
    })
    expectRefusal(resume, 'message_member_missing')
    const drtm = edited(1, ({ tpm_att_data }) => {
      tpm_att_data.drtm_resume_log = 'AAAA'
    })
    expectRefusal(drtm, 'message_member_missing')
  })

  test('a malformed boot claim, although nothing is read from it', () => {
    const read = edited(1, ({ tpm_att_data }) => {
      tpm_att_data.boot_claim = 'AAAAAAAA'
    })
    expectRefusal(read, 'unexpected_value')
  })

  test('an empty boot claim is none, as every empty text of bytes is', () => {
    const read = edited(1, ({ tpm_att_data }) => {
      tpm_att_data.boot_claim = ''
    })
    expect(expectOk(read).beforeHibernation).toBeUndefined()
  })

  test('a claim cut short', () => {
    const read = edited(1, ({ tpm_att_data }) => {
      tpm_att_data.current_claim = tpm_att_data.current_claim.slice(0, 400)
    })
    expectRefusal(read, 'truncated')
  })
})

describe('keys', () => {
  test.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])('a private member %s', (name) => {
    const requestKey = edited(2, (data) => {
      data.request_key.jwk[name] = 'AQAB'
    })
    expect(expectRefusal(requestKey, 'jwk_private')).toMatchObject({
      member: `request.att_data.request_key.jwk.${name}`,
    })
    const attestKey = edited(1, (data) => {
      data.attest_key[name] = []
    })
    expectRefusal(attestKey, 'jwk_private')
    const aik = edited(2, (data) => {
      current(data).aik_pub[name] = 'AQAB'
    })
    expect(expectRefusal(aik, 'jwk_private')).toMatchObject({
      member: `request.att_data.tpm_att_data.current_attestation.aik_pub.${name}`,
    })
  })

  test.each(['EC', 'OKP', 'oct', 'rsa'])('a request key of type %s', (kty) => {
    const read = edited(2, (data) => {
      data.request_key.jwk.kty = kty
    })
    expectRefusal(read, 'jwk_not_rsa')
  })

  test('a request key that nothing binds to the TPM', () => {
    for (const info of [undefined, {}, { vbs_ncrypt: {} }]) {
      const read = edited(2, (data) => {
        data.request_key.info = info
      })
      expectRefusal(read, 'request_key_unbound')
    }
  })

  test('a request key with two bindings', () => {
    const read = edited(2, (data) => {
      data.request_key.info.tpm_certify = {}
    })
    expectRefusal(read, 'request_key_binding_ambiguous')
  })

  test.each(['sha-1', 'sha1', 'SHA-256', ''])('a quote binding with hash %j', (hash) => {
    const read = edited(2, (data) => {
      data.request_key.info.tpm_quote.hash_alg = hash
    })
    expectRefusal(read, 'message_member_invalid')
  })

  test('more than two other keys, or one with a binding that only the request key can have', () => {
    const other = { jwk: publicJwk(device.requestKey) }
    const three = edited(2, (data) => {
      data.other_keys = [other, other, other]
    })
    expectRefusal(three, 'message_member_too_long')
    const quoted = edited(2, (data) => {
      data.other_keys = [{ ...other, info: { tpm_quote: { hash_alg: 'sha-256' } } }]
    })
    expectRefusal(quoted, 'message_member_invalid')
  })
})

describe('logs and PCRs of version 2', () => {
  const log = { type: 'TCG', log: 'AAAA' }

  test('an IMA log is let through, a second TCG log is the dynamic launch', () => {
    const read = edited(2, (data) => {
      current(data).logs.push({ type: 'IMA', log: 'AAAA' }, log)
    })
    const { logs } = expectOk(read).current
    expect(logs.hasIma).toBe(true)
    expect(logs.drtm).toHaveLength(3)
  })

  test.each([
    ['an unknown type', [{ ...log, type: 'CEL' }], 'message_member_invalid'],
    ['no log', [], 'message_member_missing'],
    ['an IMA log only', [{ ...log, type: 'IMA' }], 'message_member_missing'],
    ['three TCG logs', [log, log, log], 'message_member_too_long'],
    ['four logs', [log, log, log, log], 'message_member_too_long'],
    ['an empty log', [{ ...log, log: '' }], 'message_member_missing'],
    ['no list', 'AAAA', 'message_member_invalid'],
    ['a list of texts', ['AAAA'], 'message_member_invalid'],
  ] as const)('%s', (_, logs, reason) => {
    const read = edited(2, (data) => {
      current(data).logs = logs
    })
    expectRefusal(read, reason)
  })

  test.each([
    ['an unknown algorithm', { algorithm: 12_345, values: [] }],
    ['an algorithm by name', { algorithm: 'sha256', values: [] }],
    ['a negative index', { algorithm: 11, values: [{ index: -1, digest: 'AA' }] }],
    ['a broken index', { algorithm: 11, values: [{ index: 1.5, digest: 'AA' }] }],
    ['PCR 24', { algorithm: 11, values: [{ index: 24, digest: 'AA' }] }],
    ['a short digest', { algorithm: 11, values: [{ index: 0, digest: 'AA' }] }],
  ])('%s', (_, bank) => {
    const read = edited(2, (data) => {
      current(data).pcrs = [bank]
    })
    expectRefusal(read, 'message_member_invalid')
  })

  test('one PCR with two values', () => {
    const read = edited(2, (data) => {
      const [bank] = current(data).pcrs
      bank.values.push(bank.values[0])
    })
    expectRefusal(read, 'message_member_too_long')
    const twice = edited(2, (data) => {
      const [bank] = current(data).pcrs
      bank.values[5] = bank.values[4]
    })
    expectRefusal(twice, 'message_member_invalid')
  })
})

describe('shape', () => {
  test.each([
    ['att_type', 'vsm'],
    ['att_type', 1],
    ['att_data', []],
  ])('%s %j', (name, value) => {
    const read = edited(2, (_, payload) => {
      payload[name] = value
    })
    expectRefusal(read, 'message_member_invalid')
  })

  test('two report_signed members, of which the report binds one', () => {
    const text = textOf(2, 'vbs')
    const second = text.replace('"att_data":{', '"att_data":{"report_signed":{},')
    expectRefusal(readText(2, second), 'json_duplicate_member')
    const escaped = second.replace('"report_signed"', String.raw`"report\u005fsigned"`)
    expectRefusal(readText(2, escaped), 'json_duplicate_member')
  })

  test('the report of the other version', () => {
    const swap = (version: Version, report: unknown) => {
      const payload = JSON.parse(textOf(version, 'vbs'))
      payload.att_data.vsm_report = report
      return readText(version, JSON.stringify(payload))
    }
    expectRefusal(swap(1, { enclave: { report: 'AAAA' } }), 'message_member_invalid')
    for (const report of ['AAAA', {}, { enclave: 'AAAA' }]) {
      const read = swap(2, report)
      expect(read).toMatchObject({
        failure: { expected: 'vsm_report with enclave.report: typ says version 2' },
      })
    }
  })

  test('a bank by its name is told the numbers that there are', () => {
    for (const algorithm of ['sha256', 0x10000, 5]) {
      const read = edited(2, (data) => {
        current(data).pcrs[0].algorithm = algorithm
      })
      expect(expectRefusal(read, 'message_member_invalid')).toMatchObject({
        expected: 'the TPM_ALG_ID of a hash: 4, 11, 12 or 13',
      })
    }
  })

  test.each(['challenge', 'service_context', 'tpm_att_data'])('no %s', (name) => {
    for (const version of [1, 2] as const) {
      const read = edited(version, (data) => {
        delete data[name]
      })
      expectRefusal(read, 'message_member_missing')
    }
  })

  test('values over their limits', () => {
    const long = edited(2, (data) => {
      data.rp_data = 'A'.repeat(4_000)
    })
    expectRefusal(long, 'message_member_too_long')
    const log = edited(2, (data) => {
      current(data).logs[0].log = 'A'.repeat(800_000)
    })
    expectRefusal(log, 'message_member_too_long')
  })

  test('padding and other alphabets inside the request', () => {
    for (const challengeText of ['AAAAAAAAAAAAAAAAAAAAAA==', '+/+/', 'AAAAA']) {
      const read = edited(2, (data) => {
        data.challenge = challengeText
      })
      expectRefusal(read, 'message_member_invalid')
    }
  })

  test('custom claims that are no list of named values', () => {
    const read = edited(2, (data) => {
      data.custom_claims = [{ name: 1 }]
    })
    expectRefusal(read, 'message_member_invalid')
  })

  test('mutated requests never throw and are refused for declared reasons', () => {
    const reasons: readonly string[] = [
      ...[...MESSAGE_REASONS, ...JSON_REASONS, ...JWK_REASONS],
      ...[...REQUEST_KEY_REASONS, ...PARSE_REASONS],
    ]
    const version = fc.constantFrom<Version>(1, 2)
    const extra = fc.string({ unit: fc.constantFrom(...'{}[]",:\\0aA_-'.split('')), maxLength: 4 })
    fc.assert(
      fc.property(version, fc.nat(), fc.nat(8), extra, (which, at, removed, inserted) => {
        const text = textOf(which, 'vbs')
        const position = at % text.length
        const mutated = text.slice(0, position) + inserted + text.slice(position + removed)
        const read = readText(which, mutated)
        if (!read.ok) expect(reasons).toContain(read.failure.reason)
      }),
      { numRuns: 300 },
    )
  })
})

test('the payload of the simulator is what its JWS carries', async () => {
  const request = await makeRequest(device, challenge, { withoutEnclave: true })
  expect(payloadOf(request).att_type).toBe('basic')
})
