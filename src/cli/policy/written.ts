import { WRITTEN_KINDS } from '../../operations/release/document-schema.ts'
import { verb } from '../framework/command.ts'
import { oneOf, preset, required, text } from '../framework/options.ts'
import { printClaims } from './claims.ts'
import { printLint } from './lint.ts'
import { FILE_HELP, KIND } from './options.ts'
import { readCandidate } from './read-document.ts'
import { printSchema } from './schema.ts'
import { testPolicy } from './tests.ts'

/* What helps to write documents, and asks no database. */

export const lint = verb({
  summary: 'say all that is wrong with a file, with line and column',
  arguments: { file: required(text('FILE', FILE_HELP)) },
  options: { kind: KIND },
  json: 'the findings',
  exits: { refused: 'the document has errors' },
  run: ({ file, kind, json }) =>
    printLint(readCandidate(kind, file, { now: new Date() }), { json }),
})

export const test = verb({
  summary:
    'run the tests of a policy: which device, asking for what, is granted or denied, and why',
  about: `They stand beside the policy, policy.test.json beside policy.json, and plan and apply run them
there. The reference values are those of the tests, or those in the folder of the policy.`,
  arguments: { file: required(text('FILE', 'the policy')) },
  options: { fixtures: text('FILE', 'the tests, if they stand elsewhere') },
  json: 'every case, and what is not as expected',
  exits: { refused: 'a case is not as expected, or the policy has errors' },
  run: (values) => testPolicy({ ...values, now: new Date() }),
})

export const schema = verb({
  summary: 'print the JSON Schema of a policy, of reference values, or of the tests of a policy',
  arguments: { kind: preset(oneOf('KIND', WRITTEN_KINDS.join(', '), WRITTEN_KINDS), 'policy') },
  json: { none: 'what it prints is JSON' },
  run: ({ kind }) => printSchema(kind),
})

export const claims = verb({
  summary: 'list the claims that an expression can read, and what they are made of',
  json: 'the claims',
  run: ({ json }) => printClaims({ json }),
})
