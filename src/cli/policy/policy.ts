import type { Config } from '../../config/config.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import { LARGE_FLEET } from '../../operations/release/gates.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import type { Store } from '../../store/store.ts'
import { type Command, readArguments, readCount, UsageError } from '../framework/arguments.ts'
import { confirm } from '../framework/confirm.ts'
import { readDuration } from '../framework/duration.ts'
import { COMMAND_LINE, withDatabase } from '../framework/open-database.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'
import { INTERRUPTED, listenForStop } from '../framework/signals.ts'
import { activateVersion } from './activate.ts'
import { applyDocuments } from './apply.ts'
import { compareDocuments } from './compare.ts'
import { kindOption, readKind } from './document-kinds.ts'
import { exportDocuments } from './export.ts'
import { findVersion, isVersion, MOST_VERSIONS } from './find-version.ts'
import { type DocumentFile, findDocuments, findVersions } from './folder.ts'
import type { Release } from './gate.ts'
import { importDocuments } from './import.ts'
import { printLint } from './lint.ts'
import { listVersions } from './list.ts'
import { printPlan } from './plan.ts'
import { runPreview } from './preview.ts'
import { type Candidate, demandChecked, readCandidate } from './read-document.ts'
import { showDocument } from './show.ts'

const OPTIONS = {
  kind: { type: 'string' },
  file: { type: 'string' },
  dir: { type: 'string' },
  all: { type: 'boolean', default: false },
  limit: { type: 'string' },
  reason: { type: 'string' },
  yes: { type: 'boolean', default: false },
  'accept-denials': { type: 'string' },
  'at-once': { type: 'boolean', default: false },
  'preview-max-age': { type: 'string' },
  json: { type: 'boolean', default: false },
  ...DATA_OPTION,
} as const

const LISTED = 50
const PREVIEW_MAX_AGE = '1h'

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign policy lint FILE
       countersign policy preview FILE|VERSION
       countersign policy plan  FILE|--dir DIR [--preview-max-age AGE]
       countersign policy apply FILE|--dir DIR [--reason TEXT] [--yes] [--accept-denials N]
                                               [--preview-max-age AGE] [--at-once]
       countersign policy activate VERSION --reason TEXT [--accept-denials N]
                                               [--preview-max-age AGE] [--at-once]
       countersign policy list [--limit N]
       countersign policy show [VERSION]
       countersign policy diff [FILE|VERSION] FILE|VERSION
       countersign policy export [--dir DIR] [--all]
       countersign policy import FILE|--dir DIR [--reason TEXT]
       … [--kind policy|reference-values] [--json] [--data DIR]

Policies and reference values are documents named by their hash. They are never changed: another
one comes into force in their place, and can be brought back.

  lint      says all that is wrong with a file, with line and column; needs no database
  preview   says which devices of the recorded fleet would be denied or allowed that are not now
  plan      says what apply would do
  apply     brings files into force: no lint error, a preview that is young enough (it makes one if
            there is none), and no device denied that is allowed now. Again, it does nothing.
            Where ${LARGE_FLEET} devices or more have attested it starts a rollout instead, which brings the
            document into force ring by ring (countersign rollout).
  activate  does the same with a version that is kept here
  list, show, diff   say what there is, and by what two documents differ
  export    writes policy.json and reference-values.json as they are in force, for a git repository
  import    keeps files as versions; none comes into force

  --kind KIND           policy (the default) or reference-values
  --file FILE           the same as FILE; - is standard input
  --dir DIR             the folder of policy.json and reference-values.json
  --all                 export: all versions too, each as versions/KIND/HASH.json
  --limit N             list at most so many (${LISTED})
  --reason TEXT         why; kept in the audit log
  --yes                 do not ask
  --accept-denials N    DANGER: let up to N devices lose the access that they have now
  --at-once             DANGER: no rollout; it decides for all devices with their next request
  --preview-max-age AGE how old a preview may be that counts: 90s, 30m, ${PREVIEW_MAX_AGE} (the default), 2d
  --data DIR            the data directory of the embedded database (DATA_DIR; ./data); works while
                        the service runs on it. DATABASE_URL uses PostgreSQL.
  --json                print JSON; a preview that apply or activate makes is a line before theirs

VERSION is a hash, or its first digits. Exit status: 0 done, 1 a difference (diff, plan) or a wrong
call, 2 errors in a document or a no, 3 refused: devices would be denied that are allowed now.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS, 3)
    const [verb = '', ...given] = positionals
    const { prepare, most } = findVerb(verb)
    refuseSurplus(verb, values)
    const names = values.file === undefined ? given : [...given, values.file]
    const surplus = names[most]
    if (surplus !== undefined) throw new UsageError(`'${surplus}' is one argument too many`)
    const perform = prepare({ ...values, names, kind: readKind(values.kind), now: new Date() })
    if (typeof perform === 'number') return perform
    const config = await readSettings(values)
    try {
      return await withDatabase(config, { mayCreate: false }, perform)
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'AbortError') throw error
      process.stderr.write('Stopped: no document came into force from here on.\n')
      return INTERRUPTED
    }
  },
}

type Values = Omit<ReturnType<typeof readArguments<typeof OPTIONS>>['values'], 'kind'> & {
  /** Files and versions, in the order in which they were given. */
  readonly names: readonly string[]
  readonly kind: DocumentKind
  readonly now: Date
}

type Perform = (store: Store, config: Config) => Promise<number>

type ReleaseOptions = Pick<Release, 'acceptedDenials' | 'maxAgeMs' | 'way' | 'json' | 'clock'>

type Verb = {
  /** Looks at arguments and files before the database is opened; a number is the end already. */
  readonly prepare: (values: Values) => Perform | number
  /** How many names it takes. */
  readonly most: number
  /** Options that not all verbs take. */
  readonly taken: readonly string[]
}

const RELEASE_OPTIONS = ['reason', 'accept-denials', 'preview-max-age', 'at-once']

const VERBS: Readonly<Record<string, Verb>> = {
  lint: { prepare: lint, most: 1, taken: ['kind'] },
  preview: { prepare: preview, most: 1, taken: ['kind'] },
  plan: { prepare: plan, most: 1, taken: ['kind', 'dir', 'preview-max-age'] },
  apply: { prepare: apply, most: 1, taken: ['kind', 'dir', 'yes', ...RELEASE_OPTIONS] },
  activate: { prepare: activate, most: 1, taken: ['kind', ...RELEASE_OPTIONS] },
  list: { prepare: list, most: 0, taken: ['kind', 'limit'] },
  show: { prepare: show, most: 1, taken: ['kind'] },
  diff: { prepare: diff, most: 2, taken: ['kind'] },
  export: { prepare: exportAll, most: 0, taken: ['dir', 'all'] },
  import: { prepare: importAll, most: 1, taken: ['kind', 'dir', 'reason'] },
}
const ALWAYS_TAKEN: readonly string[] = ['file', 'json', 'data']

function findVerb(name: string): Verb {
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (verb === undefined) throw new UsageError(`say ${Object.keys(VERBS).join(', ')}`)
  return verb
}

/** What is not taken is an error, never ignored. */
function refuseSurplus(verb: string, values: Readonly<Record<string, unknown>>): void {
  const { taken } = findVerb(verb)
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === false) continue
    if (value === '') throw new UsageError(`--${name} is empty`)
    if (!ALWAYS_TAKEN.includes(name) && !taken.includes(name)) {
      throw new UsageError(`--${name} is not for policy ${verb}`)
    }
  }
}

function lint({ names, kind, json, now }: Values): number {
  const [file] = names
  if (file === undefined) throw new UsageError('say which file, or - for standard input')
  return printLint(readCandidate(kind, file, { now }), { json })
}

function list({ kind, json, limit }: Values): Perform {
  const most = readCount(limit, 'limit', LISTED, 1)
  if (most > MOST_VERSIONS) throw new UsageError(`--limit must be at most ${MOST_VERSIONS}`)
  return (store) => listVersions(store, { kind, limit: most, json })
}

function show({ names: [hash], kind, json }: Values): Perform {
  return (store) => showDocument(store, { kind, hash, json })
}

function diff({ names, kind, json, now }: Values): Perform {
  const after = names.at(-1)
  if (after === undefined) {
    throw new UsageError('say which file or version to compare with what is in force')
  }
  const before = names.length > 1 ? names[0] : undefined
  return (store) => compareDocuments(store, { kind, before, after, json, now })
}

function preview({ names: [name], kind, json, now }: Values): Perform {
  if (name === undefined) throw new UsageError('say which file or version')
  const candidate = isVersion(name) ? undefined : readCandidate(kind, name, { now })
  const checked = candidate && demandChecked(candidate)
  return async (store, config) => {
    const body = checked?.document ?? (await findVersion(store, kind, name)).body
    const { exitCode } = await runPreview({
      store,
      kind,
      body,
      by: COMMAND_LINE,
      requiresHardware: requiresHardware(config),
      json,
      signal: listenForStop(),
    })
    return exitCode
  }
}

function plan(values: Values): Perform {
  const { json, now } = values
  const maxAgeMs = readAge(values['preview-max-age'])
  const { candidates, said } = readCandidates(values)
  return (store) => printPlan(store, candidates, { json, now, maxAgeMs, applyArguments: said })
}

function apply(values: Values): Perform {
  const { json, yes, reason } = values
  if (json && !yes) throw new UsageError('--json asks nobody: say --yes too')
  const options = readRelease(values)
  const { candidates } = readCandidates(values)
  const terminal = { input: process.stdin, output: process.stderr }
  return (store, config) =>
    applyDocuments(store, candidates, {
      ...options,
      requiresHardware: requiresHardware(config),
      reason,
      confirm: (question) => (yes ? Promise.resolve(true) : confirm(question, terminal)),
    })
}

function activate(values: Values): Perform {
  const { kind, reason } = values
  const [hash] = values.names
  if (hash === undefined) throw new UsageError('say which version: countersign policy list')
  if (reason === undefined) throw new UsageError('--reason is missing')
  const options = readRelease(values)
  return (store, config) => {
    const given = { ...options, requiresHardware: requiresHardware(config) }
    return activateVersion(store, { ...given, kind, hash, reason })
  }
}

function exportAll({ dir = '.', all: isAll, json, now }: Values): Perform {
  return (store) => exportDocuments(store, { folder: dir, isAll, json, now })
}

function importAll(values: Values): Perform {
  const { dir, reason, json, now } = values
  const files = readFiles(values)
  const all = dir === undefined ? files : [...files, ...findVersions(dir)]
  const documents = all.map((file) => {
    return { file, candidate: readCandidate(file.kind, file.file, { now }) }
  })
  return (store) => importDocuments(store, documents, { reason, json, now })
}

function readFiles({ names: [name], dir, kind }: Values): readonly DocumentFile[] {
  if (name !== undefined && dir !== undefined) throw new UsageError('say a file or --dir')
  if (dir !== undefined) return findDocuments(dir)
  if (name === undefined) throw new UsageError('say which file, or --dir with a folder of them')
  return [{ kind, file: name }]
}

/** The files of a folder, or one, and how to name them on the command line. */
function readCandidates(values: Values): {
  readonly candidates: readonly Candidate[]
  readonly said: string
} {
  const { dir, kind, now } = values
  const files = readFiles(values)
  const candidates = files.map((file) => readCandidate(file.kind, file.file, { now }))
  const said = dir === undefined ? `${files[0]?.file}${kindOption(kind)}` : `--dir ${dir}`
  return { candidates, said }
}

function readRelease(values: Values): ReleaseOptions {
  return {
    acceptedDenials: readCount(values['accept-denials'], 'accept-denials', 0),
    maxAgeMs: readAge(values['preview-max-age']),
    way: { kind: values['at-once'] ? 'at_once' : 'by_size' },
    json: values.json,
    clock: () => new Date(),
  }
}

function readAge(text = PREVIEW_MAX_AGE): number {
  return readDuration(text, 'preview-max-age')
}
