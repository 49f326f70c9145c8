import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { COMMAND } from '../../base/command.ts'
import { plural } from '../../base/words.ts'
import { ensureDocuments } from '../../compose/first-documents.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import { importEntities } from '../../operations/entities/import-entities.ts'
import type { Store } from '../../store/store.ts'
import { describeCounts } from '../entities/import.ts'
import { EXIT, group, verb } from '../framework/command.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { describeCode } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import { isRefused, releaseByCommand } from '../policy/gate.ts'
import { lintCandidate } from '../policy/read-document.ts'
import { FIXTURE_FILES } from './fixture-files.ts'

export const command = group({
  about: 'For whoever runs the conformance suite of the OpenID Foundation against this service.',
  verbs: {
    fixture: verb({
      summary: 'load the subjects, records and rules that the suite asks about',
      about: `The fixture is a policy and an import file like any other: with --dir they are written there, to be
read, and to be loaded by hand. Without it they are loaded into the database, as policy apply and
entities import would. The policy grants users of the scenario without looking at a device, so that
a database with devices in it is refused.`,
      database: 'made',
      options: { dir: text('DIR', 'write the two files there, and load nothing') },
      json: 'what was loaded: hash of the policy, and counts of entities',
      exits: { refused: 'there are devices on record' },
      run({ dir, json }) {
        if (dir !== undefined) return writeFiles(dir, json)
        return (store, config) =>
          load(store, { json, requiresHardware: requiresHardware(config), now: new Date() })
      },
    }),
  },
})

function writeFiles(dir: string, json: boolean): number {
  const written = Object.entries(FIXTURE_FILES).map(([name, content]) => {
    const path = join(dir, name)
    try {
      mkdirSync(dir, { recursive: true })
      writeFileSync(path, content)
    } catch (error) {
      throw new UsageError(`cannot write ${path}${describeCode(error)}`)
    }
    return path
  })
  if (json) printJson({ written })
  else {
    printText(`Written. To load them into a database that has no devices:
  ${COMMAND} policy apply ${written[0]} --reason certification
  ${COMMAND} entities import ${written[1]}\n`)
  }
  return EXIT.done
}

async function load(
  store: Store,
  options: { readonly json: boolean; readonly requiresHardware: boolean; readonly now: Date },
): Promise<number> {
  const { json, requiresHardware, now } = options
  const { devices } = await store.counts(now)
  const recorded = Object.values(devices).reduce((sum, count) => sum + count, 0)
  if (recorded > 0) {
    const message = `there ${recorded === 1 ? 'is' : 'are'} ${plural(recorded, 'device')} on record, which this policy would not look at: take an empty database`
    if (json) printJson({ outcome: 'refused', devices: recorded })
    else printText(`Nothing was loaded: ${message}.\n`)
    return EXIT.refused
  }
  await ensureDocuments(store, now)
  const label = 'policy.json'
  const document = lintCandidate({ kind: 'policy', label, text: FIXTURE_FILES[label], now })
  const clock = () => now
  const released = await releaseByCommand(store, {
    ...{ document, requiresHardware, json, clock, showsPreview: false },
    reason: 'AuthZEN certification',
    ...{ acceptedDenials: 0, maxAgeMs: 0, way: { kind: 'at_once' } },
  })
  if (isRefused(released)) throw new Error(`the policy was not released: ${released.outcome}`)
  const counts = await importEntities(store, fixtureLines, {
    ...{ source: 'authzen fixture', by: COMMAND_LINE, clock, onProgress() {} },
    signal: new AbortController().signal,
  })
  const policy = document.checked?.compiled.hash
  if (json) printJson({ outcome: released.outcome, policy, entities: counts })
  else {
    printText(`The policy ${policy} is in force. Entities: ${describeCounts(counts)}
A client for the suite:
  ${COMMAND} clients create --name certification --scope access.evaluate
Its configuration wants that id and secret, and the metadata of this service:
  /.well-known/authzen-configuration below PUBLIC_URL\n`)
  }
  return EXIT.done
}

async function* fixtureLines(): AsyncGenerator<string> {
  yield* FIXTURE_FILES['entities.jsonl'].split('\n')
}
