import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from '../../src/evidence/bytes.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)

describe('ByteReader', () => {
  test('reads integers in the byte order of their name', () => {
    const value = parse('X', bytes(1, 2, 1, 2, 1, 0, 0, 0, 0, 0, 0, 1), 12, (r) => [
      r.u16be('a'),
      r.u16le('b'),
      r.u32le('c'),
      r.u32be('d'),
    ])
    expect(expectOk(value)).toEqual([0x0102, 0x0201, 1, 1])
  })

  test('a length that points past the end is refused and says where', () => {
    const failure = expectRefusal(
      parse('X', bytes(0, 9, 1), 16, (r) => r.sized16be(64, 'body')),
      'truncated',
    )
    const told = { expected: '9 bytes', found: '1 byte' }
    expect(failure).toMatchObject({ structure: 'X', field: 'body', offset: 0, ...told })
  })

  test('a length above its cap is refused before anything is read', () => {
    expectRefusal(
      parse('X', bytes(0xff, 0xff), 16, (r) => r.sized16be(64, 'body')),
      'length_over_limit',
    )
  })

  test('an input above its cap is refused without calling the parser', () => {
    let called = false
    const result = parse('X', bytes(1, 2, 3), 2, () => {
      called = true
    })
    expectRefusal(result, 'length_over_limit')
    expect(called).toBe(false)
  })

  test('bytes left over are refused, also inside a nested reader', () => {
    expectRefusal(
      parse('X', bytes(1, 2), 16, (r) => r.u8('a')),
      'trailing_bytes',
    )
    const nested = parse('X', bytes(1, 2, 3), 16, (r) => {
      const inner = r.sub(3, 'inner')
      inner.u8('a')
      inner.end('inner')
    })
    expect(expectRefusal(nested, 'trailing_bytes').offset).toBe(1)
  })

  test('a parser can refuse a value', () => {
    expectRefusal(
      parse('X', bytes(7), 16, (r) => (r.u8('tag') === 1 ? 1 : r.fail('unexpected_value', 'tag'))),
      'unexpected_value',
    )
  })

  test('a fault of our own is not turned into a refusal', () => {
    expect(() =>
      parse('X', bytes(), 16, () => {
        throw new TypeError('bug')
      }),
    ).toThrow(TypeError)
  })

  test('no sequence of reads ever gets past the end', () => {
    const step = fc.constantFrom('u8', 'u16be', 'u32le', 'u64be', 'sized16be', 'sized32le')
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.array(step, { maxLength: 12 }),
        (data, steps) => {
          const result = parse('X', data, 64, (r) => {
            for (const name of steps) {
              if (name === 'sized16be' || name === 'sized32le') r[name](32, name)
              else r[name](name)
              expect(r.offset).toBeLessThanOrEqual(data.length)
            }
          })
          if (!result.ok) expect(result.failure.offset).toBeLessThanOrEqual(data.length)
        },
      ),
    )
  })
})
