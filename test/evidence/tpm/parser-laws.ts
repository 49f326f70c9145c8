import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Result } from '../../../src/base/result.ts'
import { PARSE_REASONS, type ParseFailure } from '../../../src/evidence/bytes.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

/** What every parser of a TPM structure owes, given one valid encoding of it. */
export function parserLaws<T>(subject: {
  parse: (bytes: Uint8Array) => Result<T, ParseFailure>
  valid: () => Uint8Array
  maxBytes: number
}): void {
  const { parse, valid, maxBytes } = subject

  test('reads the valid bytes', () => {
    expectOk(parse(valid()))
  })

  test('refuses to read bytes that end at any earlier offset', () => {
    const bytes = valid()
    for (let length = 0; length < bytes.length; length++) {
      expectRefusal(parse(bytes.subarray(0, length)), 'truncated')
    }
  })

  test('refuses one byte too many', () => {
    expectRefusal(parse(Buffer.concat([valid(), Uint8Array.of(0)])), 'trailing_bytes')
  })

  test('refuses oversized input before reading it', () => {
    expectRefusal(parse(new Uint8Array(maxBytes + 1).fill(0xff)), 'length_over_limit')
  })

  test('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => expectDeclared(parse(bytes))),
    )
  })

  test('never throws on mutations of the valid bytes', () => {
    const bytes = valid()
    const mutation = fc.record({
      position: fc.nat(bytes.length - 1),
      value: fc.nat(255),
      cut: fc.nat(bytes.length),
    })
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        const mutated = Uint8Array.from(bytes)
        for (const { position, value } of mutations) mutated[position] = value
        expectDeclared(parse(mutated))
        expectDeclared(parse(mutated.subarray(mutations[0]?.cut)))
      }),
    )
  })
}

function expectDeclared<T>(result: Result<T, ParseFailure>): void {
  if (!result.ok) expect(PARSE_REASONS).toContain(result.failure.reason)
}
