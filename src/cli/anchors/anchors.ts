import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import type { Store } from '../../store/store.ts'
import { type Command, readArguments, readCount, UsageError } from '../framework/arguments.ts'
import { confirm } from '../framework/confirm.ts'
import { readDuration } from '../framework/duration.ts'
import { withDatabase } from '../framework/open-database.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'
import { INTERRUPTED, listenForStop } from '../framework/signals.ts'
import { countAnchors } from './count-fleet.ts'
import { importRoots } from './import.ts'
import { readRootsInForce } from './in-force.ts'
import { type Root, readRoots } from './read-roots.ts'
import { listRoots, showRoots } from './show.ts'

const OPTIONS = {
  reason: { type: 'string' },
  yes: { type: 'boolean', default: false },
  'accept-denials': { type: 'string' },
  'at-once': { type: 'boolean', default: false },
  'preview-max-age': { type: 'string' },
  json: { type: 'boolean', default: false },
  ...DATA_OPTION,
} as const

const PREVIEW_MAX_AGE = '1h'
const MOST_NAMES = 100

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign anchors list [FILE…]
       countersign anchors show [FILE…]
       countersign anchors import FILE… [--reason TEXT] [--yes] [--accept-denials N]
                                        [--preview-max-age AGE] [--at-once]
       … [--json] [--data DIR]

Trust anchors are the root certificates of the authorities that certify attestation keys.

  list    the roots in force, or those of files: end, fingerprint, and for how many of the recorded
          devices each vouches
  show    all that is to be known of each
  import  lists the roots of files in the reference values, and brings these into force as
          countersign policy apply does: lint, preview, and a rollout in a large fleet

FILE is a file of certificates (PEM, DER, PKCS #7), a folder of such files, or the name of a root
that is known here: microsoft-tpm-root-2014, or microsoft for all of Microsoft's. Certificates
between a root and a device are fetched where they are published, and need no import.

  --reason TEXT         why; kept in the audit log
  --yes                 do not ask
  --accept-denials N    DANGER: let up to N devices lose the access that they have now
  --at-once             DANGER: no rollout; it decides for all devices with their next request
  --preview-max-age AGE how old a preview may be that counts: 90s, 30m, ${PREVIEW_MAX_AGE} (the default), 2d
  --data DIR            the data directory of the embedded database (DATA_DIR; ./data); works while
                        the service runs on it. DATABASE_URL uses PostgreSQL.
  --json                print JSON; a preview that import makes is a line before its own

Exit status: 0 done, 1 a wrong call or a fault, 2 errors in what was written or a no, 3 refused:
devices would be denied that are allowed now.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS, MOST_NAMES)
    const [verb = '', ...names] = positionals
    const perform = prepare(verb, { ...values, roots: readRoots(names) })
    const config = await readSettings(values)
    try {
      return await withDatabase(config, { mayCreate: false }, perform)
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'AbortError') throw error
      process.stderr.write('Stopped: nothing came into force.\n')
      return INTERRUPTED
    }
  },
}

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>['values'] & {
  readonly roots: readonly Root[]
}
type Perform = (store: Store, config: Config) => Promise<number>

const RELEASE_OPTIONS = ['reason', 'yes', 'accept-denials', 'at-once', 'preview-max-age'] as const

/** Looks at arguments and files before the database is opened. */
function prepare(verb: string, values: Values): Perform {
  if (verb === 'import') return importAll(values)
  if (verb !== 'list' && verb !== 'show') throw new UsageError('say list, show or import')
  for (const name of RELEASE_OPTIONS) {
    if (values[name] !== undefined && values[name] !== false) {
      throw new UsageError(`--${name} is not for anchors ${verb}`)
    }
  }
  const print = verb === 'list' ? listRoots : showRoots
  return async (store, config) => {
    const inForce = await readRootsInForce(store, config)
    const roots = values.roots.length === 0 ? inForce : values.roots
    const fleet = await countAnchors(store, listenForStop())
    return print({ roots, inForce, fleet, now: new Date() }, values.json)
  }
}

function importAll(values: Values): Perform {
  const { roots, json, yes, reason } = values
  if (roots.length === 0) throw new UsageError('say which files, folders or names')
  if (json && !yes) throw new UsageError('--json asks nobody: say --yes too')
  const options = {
    acceptedDenials: readCount(values['accept-denials'], 'accept-denials', 0),
    maxAgeMs: readDuration(values['preview-max-age'] ?? PREVIEW_MAX_AGE, 'preview-max-age'),
    way: { kind: values['at-once'] ? 'at_once' : 'by_size' },
    json,
    reason,
    clock: () => new Date(),
  } as const
  const terminal = { input: process.stdin, output: process.stderr }
  return (store, config) =>
    importRoots(store, roots, {
      ...options,
      requiresHardware: requiresHardware(config),
      confirm: (question) => (yes ? Promise.resolve(true) : confirm(question, terminal)),
    })
}
