import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Result } from '../../src/base/result.ts'
import { type ParseFailure, parse } from '../../src/evidence/bytes.ts'
import { parseSipaElements } from '../../src/evidence/event-log/sipa.ts'
import { SIPA } from '../../src/evidence/event-log/sipa-names.ts'
import { parseIdentityKey } from '../../src/evidence/event-log/sipa-payloads.ts'
import { parsePlatformStatement } from '../../src/evidence/tpm/platform-statement.ts'
import { parseTpmtSignature } from '../../src/evidence/tpm/signature.ts'
import { parseVbsReport } from '../../src/evidence/vbs/report.ts'
import { makeEnclaveReport } from '../../src/simulator/enclave.ts'
import { expectRefusal } from '../support/refusal.ts'
import { bytes, sipa, u32 } from './event-log/support.ts'

/**
 * Where a refusal points is where the field begins: held against the offsets of the tables that a vendor
 * builds by (docs/agent-evidence.md). The layouts themselves have their witnesses elsewhere: a real
 * report, real quotes and real logs that are read whole.
 */
const PAGE = readFileSync('docs/agent-evidence.md', 'utf8')

/** The offsets that the table of a section begins its rows with, of fields of four bytes. */
function offsetsOf(heading: string): readonly number[] {
  const section = PAGE.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...section.matchAll(/^\| (\d+) \| 4 \|/gm)].map(([, offset]) => Number(offset))
}

function withU32(whole: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = Buffer.from(whole)
  copy.writeUInt32LE(value, offset)
  return copy
}

const UNEXPECTED = 0xffff_fff0

/** Each field of four bytes, wrong by itself, is told at its own offset. */
function expectOwnOffsets(
  whole: Uint8Array,
  offsets: readonly number[],
  read: (bytes: Uint8Array) => Result<unknown, ParseFailure>,
): void {
  for (const offset of offsets) {
    const refused = read(withU32(whole, offset, UNEXPECTED))
    if (refused.ok) expect.fail(`nothing is wrong with offset ${offset}`)
    const { failure } = refused
    expect(failure, `offset ${offset}`).toMatchObject({ offset })
    expect([failure.expected, failure.found]).not.toContain(undefined)
  }
}

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const filled = (length: number) => new Uint8Array(length).fill(7)
const ids = {
  uniqueId: filled(32),
  authorId: filled(32),
  familyId: filled(16),
  imageId: filled(16),
}
const report = await makeEnclaveReport({
  signingKey: keys.privateKey,
  enclaveData: filled(64),
  identity: {
    ...{ ...ids, ownerId: filled(32), enclaveSvn: 6, secureKernelSvn: 7, platformSvn: 8 },
    ...{ flags: 0, signingLevel: 9 },
  },
  modules: [{ ...ids, svn: 6, name: 'agent-enclave.dll' }],
})

describe('the place of a fault is where the field begins', () => {
  test('in the header of a statement of version 1', () => {
    const pcrs = 24 * 32
    const head = bytes(u32(0x414c5054), u32(0), u32(11), u32(9), u32(5), u32(pcrs))
    const whole = bytes(head, filled(9), filled(5), filled(pcrs))
    const offsets = offsetsOf('The statement of version 1')
    expect(offsets).toHaveLength(6)
    expectOwnOffsets(whole, offsets, parsePlatformStatement)
  })

  test('in the headers of a report', () => {
    // Before the statement's first field of another length: after it any value is taken.
    const offsets = offsetsOf('The report of a VBS enclave').slice(0, 8)
    expect(offsets).toEqual([0, 4, 8, 12, 16, 20, 24, 28])
    expectOwnOffsets(report, offsets, parseVbsReport)
  })

  test('in the header of a module of a report', () => {
    const modules = /^\| (\d+) \| … \|.*modules up to/m.exec(PAGE)?.[1]
    const at = Number(modules)
    expect(at).toBeGreaterThan(0)
    expectOwnOffsets(report, [at, at + 4], parseVbsReport)
  })

  test('of a setting of a boot log, where its value begins, with what it may be', () => {
    const event = sipa(SIPA.bootDebugging, Uint8Array.of(2))
    const failure = expectRefusal(parseSipaElements(event), 'unexpected_value')
    expect(failure).toMatchObject({ field: 'BOOTDEBUGGING', offset: 8 })
    expect(failure).toMatchObject({ expected: '0 or 1, in 1 byte', found: '1 byte: 02' })
  })

  test('of a length that is refused only once what follows was read', () => {
    const key = bytes(u32(1), u32(4096), u32(3), u32(256), Uint8Array.of(1, 0, 1), filled(256))
    const failure = expectRefusal(parseIdentityKey(key), 'unexpected_value')
    expect(failure).toMatchObject({ field: 'keyBitLength', offset: 4, found: '0x00001000 (4096)' })
  })

  test('of a number big-endian, as a TPM writes it', () => {
    const failure = expectRefusal(parseTpmtSignature(Uint8Array.of(0, 0x40)), 'unexpected_value')
    expect(failure).toMatchObject({ field: 'sigAlg', offset: 0, found: '0x0040 (64)' })
  })

  test('of a repeated field, at the one that is wrong', () => {
    const refused = parse('X', Uint8Array.of(1, 1, 9), 3, (reader) => {
      for (let item = 0; item < 3; item++) {
        if (reader.u8('item') !== 1) reader.fail('unexpected_value', 'item', '1')
      }
    })
    expect(expectRefusal(refused, 'unexpected_value')).toMatchObject({ offset: 2 })
  })

  test('and what was read stays as it was, of a Buffer, too', () => {
    const whole = Buffer.from(u32(0x01020304))
    expectRefusal(parseIdentityKey(whole), 'unexpected_value')
    expect(whole).toEqual(Buffer.from(u32(0x01020304)))
  })
})
