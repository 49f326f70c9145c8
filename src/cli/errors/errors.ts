import { COMMAND } from '../../base/command.ts'
import { group, verb } from '../framework/command.ts'
import { required, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { UsageError } from '../framework/usage-error.ts'
import { listCatalogue, writePage } from './catalogue.ts'

const CODE = required(text('CODE', 'a code or reason of an answer, of the log or of a trace'))

export const command = group({
  about: `Every code has one declaration in the source, from which the answer, this explanation and the page
docs/errors.md are made.`,
  verbs: {
    explain: verb({
      summary: 'say what a code means, who sees it, and what to change',
      arguments: { code: CODE },
      json: 'code, cause, change, status, told and seen_by, for each surface that has the code',
      run: ({ code, json }) => explain(code, json),
    }),
    page: verb({
      summary: 'print the catalogue of all codes in Markdown: docs/errors.md',
      json: { none: 'the page in Markdown' },
      run() {
        printText(writePage())
        return 0
      },
    }),
  },
})

function explain(code: string, json: boolean): number {
  const found = listCatalogue().flatMap(({ seenBy, entries }) =>
    entries.filter((entry) => entry.code === code).map((entry) => ({ ...entry, seenBy })),
  )
  if (found.length === 0) {
    throw new UsageError(`there is no code ${code}; ${COMMAND} errors page lists all of them`)
  }
  if (json) {
    printJson(found.map(({ seenBy: seen_by, ...entry }) => ({ ...entry, seen_by })))
    return 0
  }
  const texts = found.map(({ cause, change, told, seenBy }) => {
    const instead = told === undefined ? '' : `\ntold as  ${told}`
    return `cause    ${cause}\nchange   ${change}${instead}\nseen by  ${seenBy.replaceAll('`', '')}\n`
  })
  printText(texts.join('\n'))
  return 0
}
