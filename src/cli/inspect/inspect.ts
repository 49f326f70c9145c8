import { group } from '../framework/command.ts'
import { inspectEar } from './ear.ts'
import { inspectLog } from './log.ts'
import { inspectQuote } from './quote.ts'
import { inspectReport } from './report.ts'
import { inspectRequest } from './request.ts'
import { inspectToken } from './token.ts'

export const command = group({
  about: 'Reads a piece of evidence, says what is in it, and whether it can be verified.',
  verbs: {
    request: inspectRequest,
    token: inspectToken,
    log: inspectLog,
    quote: inspectQuote,
    report: inspectReport,
    ear: inspectEar,
  },
})
