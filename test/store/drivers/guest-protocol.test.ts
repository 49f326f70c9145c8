import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  encodeLine,
  type GuestRequest,
  type GuestResponse,
  readRequest,
  readResponse,
} from '../../../src/store/drivers/guest-protocol.ts'

const id = fc.maxSafeInteger()
const requests: fc.Arbitrary<GuestRequest> = fc.record({
  id,
  sql: fc.string({ unit: 'binary' }),
  params: fc.array(fc.jsonValue()),
  asArrays: fc.boolean(),
})
const responses: fc.Arbitrary<GuestResponse> = fc.oneof(
  fc.record({ id, rows: fc.array(fc.jsonValue()) }),
  fc.record({
    id,
    error: fc.record({ message: fc.string(), code: fc.string() }, { requiredKeys: ['message'] }),
  }),
)

test('each side reads what the other writes, in one line', () => {
  fc.assert(
    fc.property(requests, responses, (request, response) => {
      for (const line of [encodeLine(request), encodeLine(response)]) {
        expect(line.indexOf('\n')).toBe(line.length - 1)
      }
      const asRead = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
      expect(readRequest(asRead(request))).toEqual(asRead(request))
      expect(readResponse(asRead(response))).toEqual(asRead(response))
    }),
  )
})

test('any other JSON is neither a request nor a response, and never throws', () => {
  const member = fc.oneof(fc.jsonValue(), fc.constant(undefined))
  const near = fc.record({ id: member, sql: member, params: member, rows: member, error: member })
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), near), (value) => {
      const isObject = typeof value === 'object' && value !== null
      if (readRequest(value) !== undefined) expect(isObject).toBe(true)
      if (readResponse(value) !== undefined) expect(isObject).toBe(true)
    }),
  )
  for (const value of [null, 5, 'x', [], {}, { id: '1', rows: [] }, { id: 1, error: 'x' }]) {
    expect([readRequest(value), readResponse(value)]).toEqual([undefined, undefined])
  }
})
