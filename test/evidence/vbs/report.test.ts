import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digest } from '../../../src/base/digest.ts'
import { toHex } from '../../../src/base/encoding.ts'
import { PARSE_REASONS } from '../../../src/evidence/bytes.ts'
import { readReportKey } from '../../../src/evidence/vbs/idks.ts'
import { isDebuggable, parseVbsReport, verifyVbsReport } from '../../../src/evidence/vbs/report.ts'
import { makeEnclaveReport } from '../../../src/simulator/enclave.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { describeVectors, vector } from '../../support/vectors.ts'

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const key = keys.publicKey.export({ format: 'jwk' })
const filled = (length: number, value: number) => new Uint8Array(length).fill(value)
const sample = await makeEnclaveReport({
  signingKey: keys.privateKey,
  enclaveData: filled(64, 7),
  identity: {
    ownerId: filled(32, 1),
    uniqueId: filled(32, 2),
    authorId: filled(32, 3),
    familyId: filled(16, 4),
    imageId: filled(16, 5),
    enclaveSvn: 6,
    secureKernelSvn: 7,
    platformSvn: 8,
    flags: 2,
    signingLevel: 9,
  },
  modules: [
    {
      uniqueId: filled(32, 2),
      authorId: filled(32, 3),
      familyId: filled(16, 4),
      imageId: filled(16, 5),
      svn: 6,
      name: 'agent-enclave.dll',
    },
  ],
})

/** Offsets in the package. */
const AT = { reserved: 20, vardataType: 248, vardataSize: 252, moduleName: 356 } as const

function withU32(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = Buffer.from(bytes)
  copy.writeUInt32LE(value, offset)
  return copy
}

describe('parseVbsReport', () => {
  test('reads identity, modules and what the enclave wanted signed', () => {
    const report = expectOk(parseVbsReport(sample))
    expect(report.enclaveData).toEqual(filled(64, 7))
    expect(report.identity).toMatchObject({ enclaveSvn: 6, secureKernelSvn: 7, platformSvn: 8 })
    expect(report.identity).toMatchObject({ flags: 2, signingLevel: 9, enclaveType: 0x10 })
    expect(toHex(report.identity.imageId)).toBe('05'.repeat(16))
    expect(report.modules.map(({ name, svn }) => [name, svn])).toEqual([['agent-enclave.dll', 6]])
    expect(report.signature).toHaveLength(256)
  })

  test('refuses truncation at every offset', () => {
    for (let length = 0; length < sample.length; length += 1) {
      expectRefusal(parseVbsReport(sample.subarray(0, length)), 'truncated')
    }
  })

  test('refuses a byte after the signature', () => {
    expectRefusal(parseVbsReport(Buffer.concat([sample, filled(1, 0)])), 'trailing_bytes')
  })

  test('refuses more bytes than the cap', () => {
    expectRefusal(parseVbsReport(new Uint8Array(65_537)), 'length_over_limit')
  })

  test.each([
    ['a package size that does not add up', 0, 9, 'unexpected_value'],
    ['another package version', 4, 2, 'unexpected_value'],
    ['another signature scheme', 8, 2, 'unexpected_value'],
    ['a statement of four gigabytes', 12, 0xffffffff, 'length_over_limit'],
    ['a signature of four gigabytes', 16, 0xffffffff, 'length_over_limit'],
    ['something in the reserved field', AT.reserved, 1, 'unexpected_value'],
    ['a report size that differs from the statement size', 24, 9, 'unexpected_value'],
    ['another report version', 28, 2, 'unexpected_value'],
    ['an invalid block', AT.vardataType, 0, 'unexpected_value'],
    ['a block of unknown kind', AT.vardataType, 2, 'unexpected_value'],
    ['a block smaller than its own header', AT.vardataSize, 7, 'unexpected_value'],
    ['a block of size 0, which would never end', AT.vardataSize, 0, 'unexpected_value'],
    ['a block too small for a module', AT.vardataSize, 64, 'truncated'],
    ['a block that runs past the statement', AT.vardataSize, 0x7fffffff, 'truncated'],
  ] as const)('refuses %s', (_, offset, value, reason) => {
    expectRefusal(parseVbsReport(withU32(sample, offset, value)), reason)
  })

  test('refuses a module name without an end and one with a tail', () => {
    const end = 24 + Buffer.from(sample).readUInt32LE(12)
    const endless = Buffer.from(sample).fill(0x41, AT.moduleName, end)
    expectRefusal(parseVbsReport(endless), 'unexpected_value')
    const tailed = Buffer.from(sample)
    tailed[end - 1] = 0x41
    expectRefusal(parseVbsReport(tailed), 'unexpected_value')
    const surrogate = Buffer.from(sample)
    surrogate.writeUInt16LE(0xd800, AT.moduleName)
    expectRefusal(parseVbsReport(surrogate), 'unexpected_value')
  })

  test('property: arbitrary and mutated bytes are refused for a declared reason or parsed', () => {
    const change = fc.record({ at: fc.nat(sample.length - 1), value: fc.nat(255) })
    const mutated = fc.array(change, { minLength: 1, maxLength: 8 }).map((changes) => {
      const bytes = Buffer.from(sample)
      for (const { at, value } of changes) bytes[at] = value
      return new Uint8Array(bytes)
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated), (bytes) => {
        const result = parseVbsReport(bytes)
        if (!result.ok) expect(PARSE_REASONS).toContain(result.failure.reason)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('verifyVbsReport', () => {
  test('accepts the report of the key that signed it', async () => {
    const { report } = expectOk(await verifyVbsReport({ package: sample, key }))
    expect(report.identity.enclaveSvn).toBe(6)
  })

  test("refuses a report under another machine's key", async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
    const result = await verifyVbsReport({ package: sample, key: other.export({ format: 'jwk' }) })
    expectRefusal(result, 'report_signature_invalid')
  })

  test('refuses a report whose debug flag was cleared on the way', async () => {
    const cleared = withU32(sample, 236, 0)
    expect(expectOk(parseVbsReport(cleared)).identity.flags).toBe(0)
    expectRefusal(await verifyVbsReport({ package: cleared, key }), 'report_signature_invalid')
  })

  test('refuses keys that are too short, of another kind or private', async () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
    const privateKey = keys.privateKey.export({ format: 'jwk' })
    const refused = [short.export({ format: 'jwk' }), ec.export({ format: 'jwk' }), privateKey, {}]
    for (const jwk of refused) {
      const result = await verifyVbsReport({ package: sample, key: jwk })
      expectRefusal(result, 'report_key_refused')
    }
  })

  test('refuses a malformed package before it looks at the key', async () => {
    expectRefusal(await verifyVbsReport({ package: new Uint8Array(3), key: {} }), 'truncated')
  })
})

test('an enclave is debuggable when any of its three debug flags is set', () => {
  expect([0, 1, 2, 4, 7, 8, 0x80000001].map(isDebuggable)).toEqual([
    false,
    true,
    true,
    true,
    true,
    false,
    true,
  ])
})

describeVectors('the VBS enclave report of a SQL Server of 2019', () => {
  const read = () => vector('vbs/vbs-enclave-report-package.bin')
  const healthKey = () => expectOk(readReportKey(vector('vbs/hgs-health-certificate.der')))

  test('is signed by the key of its health certificate', async () => {
    const { report } = expectOk(await verifyVbsReport({ package: read(), key: healthKey() }))
    expect(report.statement).toHaveLength(1088)
    expect(report.identity).toMatchObject({ flags: 0, platformSvn: 1, enclaveType: 0 })
    expect(isDebuggable(report.identity.flags)).toBe(false)
    expect(report.modules.map(({ name }) => name)).toEqual([
      'aetm-enclave.dll',
      'bcrypt.dll',
      'ucrtbase_enclave.dll',
      'vertdll.dll',
      'AzureAttest.dll',
      'bcryptPrimitives.dll',
    ])
    expect(report.modules[0]?.uniqueId).toEqual(report.identity.uniqueId)
  })

  test("binds the enclave's public key by its SHA-256", () => {
    const { enclaveData } = expectOk(parseVbsReport(read()))
    const bound = digest('sha256', vector('vbs/enclave-public-key-bcryptrsa.bin'))
    expect(toHex(enclaveData)).toBe(toHex(bound) + '00'.repeat(32))
  })

  test('is refused with any one byte of its signed statement flipped', async () => {
    const original = read()
    const jwk = healthKey()
    for (let offset = 24; offset < 1112; offset += 1) {
      const forged = Buffer.from(original)
      forged[offset] = (forged[offset] ?? 0) ^ 0x01
      const result = await verifyVbsReport({ package: forged, key: jwk })
      expect(result.ok, `byte ${offset}`).toBe(false)
    }
  })

  test('is refused with any one byte of its header or signature flipped', async () => {
    const original = read()
    const jwk = healthKey()
    const offsets = Array.from({ length: 24 + 256 }, (_, at) => (at < 24 ? at : 1112 + at - 24))
    for (const offset of offsets) {
      const forged = Buffer.from(original)
      forged[offset] = (forged[offset] ?? 0) ^ 0x80
      const result = await verifyVbsReport({ package: forged, key: jwk })
      expect(result.ok, `byte ${offset}`).toBe(false)
    }
  })

  test('is refused cut short at any offset', () => {
    const original = read()
    for (let length = 0; length < original.length; length += 1) {
      expectRefusal(parseVbsReport(original.subarray(0, length)), 'truncated')
    }
  })
})
