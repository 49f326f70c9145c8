import { COMMAND } from '../../base/command.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import { LARGE_FLEET } from '../../operations/release/gates.ts'
import type { DocumentKind } from '../../rollout/in-force.ts'
import { group, verb } from '../framework/command.ts'
import { confirmer } from '../framework/confirm.ts'
import { COMMAND_LINE } from '../framework/open-database.ts'
import { flag, limit, preset, REASON, required, text, YES } from '../framework/options.ts'
import { listenForStop } from '../framework/signals.ts'
import { UsageError } from '../framework/usage-error.ts'
import { activateVersion } from './activate.ts'
import { applyDocuments } from './apply.ts'
import { compareDocuments } from './compare.ts'
import { kindOption } from './document-kinds.ts'
import { exportDocuments } from './export.ts'
import { findCandidate, HASH_HELP, isVersion, MOST_VERSIONS } from './find-version.ts'
import { type DocumentFile, findDocuments, findVersions } from './folder.ts'
import { importDocuments } from './import.ts'
import { listVersions } from './list.ts'
import {
  EXPECTED,
  FILE_HELP,
  KIND,
  PREVIEW_MAX_AGE,
  RELEASE_EXITS,
  RELEASE_OPTIONS,
  readRelease,
  readWayBack,
  WAY_BACK_OPTIONS,
} from './options.ts'
import { printPlan } from './plan.ts'
import { runPreview } from './preview.ts'
import { type Candidate, demandChecked, readCandidate } from './read-document.ts'
import { rollBackByCommand } from './roll-back.ts'
import { showDocument } from './show.ts'
import { claims, lint, schema, test } from './written.ts'

const EITHER_HELP = `a file, - for standard input, or a version: ${HASH_HELP}`
const DIR = text('DIR', 'the folder of policy.json and reference-values.json')
const STOPPED = 'No document came into force from here on.'

const preview = verb({
  summary: 'say which recorded devices would be denied or allowed that are not now',
  database: 'existing',
  arguments: { name: required(text('FILE|VERSION', EITHER_HELP)) },
  options: { kind: KIND },
  json: 'the summary of the preview',
  exits: { refused: 'devices would lose access', interrupted: 'stopped' },
  run({ name, kind, json }) {
    const candidate = isVersion(name) ? undefined : readCandidate(kind, name, { now: new Date() })
    const checked = candidate && demandChecked(candidate)
    return async (store, config) => {
      const version = { kind, prefix: name, now: new Date() }
      return runPreview({
        store,
        document: checked ?? demandChecked(await findCandidate(store, version)),
        by: COMMAND_LINE,
        requiresHardware: requiresHardware(config),
        json,
        signal: listenForStop(),
      })
    }
  },
})

const plan = verb({
  summary: 'say what apply would do',
  database: 'existing',
  arguments: { file: text('FILE', FILE_HELP) },
  options: { dir: DIR, kind: KIND, previewMaxAge: PREVIEW_MAX_AGE },
  json: 'a step for each document',
  exits: {
    differs: 'there is something to apply',
    refused: 'a document has errors, or a test beside the policy fails',
  },
  run({ previewMaxAge: maxAgeMs, json, ...files }) {
    const { candidates, said } = readCandidates(files)
    const now = new Date()
    return (store) => printPlan(store, candidates, { json, now, maxAgeMs, applyArguments: said })
  },
})

const apply = verb({
  summary: 'bring files into force',
  about: `It wants no lint error, no failing test beside the policy, a preview that is young enough (it
makes one if there is none), and no device denied that is allowed now. Again, it does nothing. Where
${LARGE_FLEET} devices or more have attested it starts a rollout instead, which brings the document
into force ring by ring:
${COMMAND} rollout --help`,
  database: 'existing',
  arguments: { file: text('FILE', FILE_HELP) },
  options: {
    dir: DIR,
    kind: KIND,
    reason: text('TEXT', 'why; kept in the audit log'),
    yes: YES,
    ...RELEASE_OPTIONS,
  },
  json: 'each document and what became of it; a preview that it makes is a line before that',
  exits: RELEASE_EXITS,
  stopped: STOPPED,
  run({ reason, yes, json, ...values }) {
    const confirm = confirmer({ json, yes })
    const { candidates } = readCandidates(values)
    const options = { ...readRelease(values), json, reason, confirm }
    return (store, config) =>
      applyDocuments(store, candidates, { ...options, requiresHardware: requiresHardware(config) })
  },
})

const activate = verb({
  summary: 'bring a version into force that is kept here, as apply does with a file',
  database: 'existing',
  arguments: {
    hash: required(text('VERSION', HASH_HELP), `${COMMAND} policy list shows them`),
  },
  options: { kind: KIND, reason: REASON, ...RELEASE_OPTIONS },
  json: 'the document and what became of it; a preview that it makes is a line before that',
  exits: RELEASE_EXITS,
  stopped: STOPPED,
  run: ({ kind, hash, reason, json, ...values }) => {
    const options = { ...readRelease(values), kind, hash, reason, json }
    return (store, config) =>
      activateVersion(store, { ...options, requiresHardware: requiresHardware(config) })
  },
})

const rollback = verb({
  summary: 'go back: end the rollout under way, or return to the version before at once',
  about: `The version before comes back for all devices, without a rollout, when a preview that it makes
finds nobody who would lose access. It goes one version back: any other is for activate. A rollout
that decides for some devices is paused first, and ends when its end takes access from none of them.`,
  database: 'existing',
  options: { kind: KIND, reason: REASON, expected: EXPECTED, ...WAY_BACK_OPTIONS },
  json: 'what is in force, and the rollout that ended; a preview that it makes is a line before that',
  exits: { refused: 'devices would lose access', interrupted: 'stopped; nothing went back' },
  run: ({ acceptDenials, acceptAllDenials, previewMaxAge, ...options }) => {
    const accepted = readWayBack({ acceptDenials, acceptAllDenials, previewMaxAge })
    return (store, config) =>
      rollBackByCommand(store, {
        ...{ ...options, ...accepted, clock: () => new Date() },
        requiresHardware: requiresHardware(config),
      })
  },
})

const list = verb({
  summary: 'list the versions that are kept here, the newest first',
  database: 'existing',
  options: { kind: KIND, limit: limit(50, MOST_VERSIONS) },
  json: 'the versions',
  run: (values) => (store) => listVersions(store, values),
})

const show = verb({
  summary: 'print a version, or what is in force',
  database: 'existing',
  arguments: { hash: text('VERSION', HASH_HELP) },
  options: { kind: KIND },
  json: 'the version with the document itself',
  run: (values) => (store) => showDocument(store, values),
})

const diff = verb({
  summary: 'say by what two documents differ, or one and what is in force',
  database: 'existing',
  arguments: {
    first: required(text('FILE|VERSION', EITHER_HELP)),
    second: text(
      'FILE|VERSION',
      'the other; without it the first is compared with what is in force',
    ),
  },
  options: { kind: KIND },
  json: 'both hashes, the changes and the lines that differ',
  exits: { differs: 'they differ' },
  run({ first, second, kind, json }) {
    const [before, after] = second === undefined ? [undefined, first] : [first, second]
    return (store) => compareDocuments(store, { kind, before, after, json, now: new Date() })
  },
})

const exporting = verb({
  summary: 'write what is in force to policy.json and reference-values.json, as for a repository',
  database: 'existing',
  options: {
    dir: preset(text('DIR', 'the folder to write to'), '.'),
    all: flag('all versions too, each as versions/KIND/HASH.json'),
  },
  json: 'the files, and which of them have changed',
  run:
    ({ dir: folder, all: isAll, json }) =>
    (store) =>
      exportDocuments(store, { folder, isAll, json, now: new Date() }),
})

const importing = verb({
  summary: 'keep files as versions; none comes into force',
  database: 'existing',
  arguments: { file: text('FILE', FILE_HELP) },
  options: {
    dir: text('DIR', 'the folder of policy.json and reference-values.json, and of versions/'),
    kind: KIND,
    reason: text('TEXT', 'why; kept in the audit log'),
  },
  json: 'the documents, and which of them are new',
  exits: { refused: 'a document has errors' },
  run({ dir, reason, json, ...given }) {
    const now = new Date()
    const files = readFiles({ dir, ...given })
    const all = dir === undefined ? files : [...files, ...findVersions(dir)]
    const documents = all.map((file) => {
      return { file, candidate: readCandidate(file.kind, file.file, { now }) }
    })
    return (store) => importDocuments(store, documents, { reason, json, now })
  },
})

export const command = group({
  about: `Policies and reference values are documents named by their hash. They are never changed: another
one comes into force in their place, and can be brought back.`,
  verbs: {
    lint,
    test,
    preview,
    plan,
    apply,
    activate,
    rollback,
    list,
    show,
    diff,
    export: exporting,
    import: importing,
    claims,
    schema,
  },
})

type Files = {
  readonly file: string | undefined
  readonly dir: string | undefined
  readonly kind: DocumentKind
}

function readFiles({ file, dir, kind }: Files): readonly DocumentFile[] {
  if (file !== undefined && dir !== undefined) throw new UsageError('say a file or --dir')
  if (dir !== undefined) return findDocuments(dir)
  if (file === undefined) throw new UsageError('say which file, or --dir with a folder of them')
  return [{ kind, file }]
}

/** The files of a folder, or one, and how to name them on the command line. */
function readCandidates(given: Files): {
  readonly candidates: readonly Candidate[]
  readonly said: string
} {
  const { dir, kind } = given
  const files = readFiles(given)
  const now = new Date()
  const candidates = files.map((file) => readCandidate(file.kind, file.file, { now }))
  const said = dir === undefined ? `${files[0]?.file}${kindOption(kind)}` : `--dir ${dir}`
  return { candidates, said }
}
