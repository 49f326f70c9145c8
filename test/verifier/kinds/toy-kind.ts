import { createHmac } from 'node:crypto'
import { digest, equalBytes } from '../../../src/base/digest.ts'
import { toUtf8 } from '../../../src/base/encoding.ts'
import { inMember } from '../../../src/base/located.ts'
import { err, ok } from '../../../src/base/result.ts'
import { type ParseFailure, parse } from '../../../src/evidence/bytes.ts'
import { defineKind } from '../../../src/verifier/kinds/kind.ts'
import { invalid } from '../../../src/verifier/protocol/wire-answers.ts'
import { takeStep } from '../../../src/verifier/steps/trace.ts'

export type ToyFailure = { readonly reason: 'toy_report_forged' } | ParseFailure

const KEY = digest('sha256', toUtf8('key of the toy'))
const MAX_REPORT_BYTES = 64
const MAC_BYTES = 32

/** A level from 0 to 255 and an HMAC-SHA256 over it and the text that the request is about. */
export function makeToyReport(level: number, boundText: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(level), macOf(level, boundText)])
}

/** A kind of evidence that nothing in `src` knows: only the seam brings it into a verifier. */
export const toyKind = defineKind<ToyFailure>({
  name: 'toy',
  requestType: 'toy',
  boundMember: 'toy_signed',
  steps: ['toy_report'],
  parts: ['toy_report'],
  claims: { azure: [], own: ['toyLevel', 'toyReportPresent'], absent: { toyReportPresent: false } },
  answers: { toy_report_forged: invalid('The toy is not as it was.', 'Send it unchanged.') },
  read({ type, data, signed, accept }) {
    if (type !== 'toy') return undefined
    const bytes = data.bytes('toy_report', MAX_REPORT_BYTES)
    const parsed = parse('TOY_REPORT', bytes, MAX_REPORT_BYTES, (reader) => ({
      level: reader.u8('level'),
      mac: reader.bytes(MAC_BYTES, 'mac'),
    }))
    const report = accept(inMember(data.at('toy_report'), parsed))
    const { text } = signed
    return {
      kind: 'toy',
      content: report,
      parts: { toy_report: bytes },
      verify: ({ trace }) =>
        takeStep(trace, 'toy_report', () =>
          equalBytes(report.mac, macOf(report.level, text))
            ? ok({ claims: { toyLevel: report.level, toyReportPresent: true, aikValidated: true } })
            : err({ reason: 'toy_report_forged' }),
        ),
    }
  },
})

function macOf(level: number, text: string): Uint8Array {
  return createHmac('sha256', KEY).update(Uint8Array.of(level)).update(text).digest()
}
