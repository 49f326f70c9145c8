import type { Config } from '../../config/config.ts'
import type { Store } from '../../store/store.ts'
import { type Command, readArguments, readCount, UsageError } from '../framework/arguments.ts'
import { readDuration } from '../framework/duration.ts'
import { withDatabase } from '../framework/open-database.ts'
import { DATA_OPTION, readSettings } from '../framework/settings.ts'
import { readKind } from '../policy/document-kinds.ts'
import { endOverride, listOverrides } from './end-override.ts'
import { listRollouts } from './list.ts'
import { createOverride } from './make-override.ts'
import { readPlan } from './read-plan.ts'
import { showRollouts } from './show.ts'
import { startRollout } from './start.ts'
import { steerRollout } from './steer.ts'

const OPTIONS = {
  kind: { type: 'string' },
  reason: { type: 'string' },
  limit: { type: 'string' },
  stages: { type: 'string' },
  cohort: { type: 'string', multiple: true },
  bake: { type: 'string' },
  'minimum-sample': { type: 'string' },
  budget: { type: 'string' },
  'budget-share': { type: 'string' },
  'by-hand': { type: 'boolean', default: false },
  hours: { type: 'string' },
  days: { type: 'string' },
  'accept-denials': { type: 'string' },
  'preview-max-age': { type: 'string' },
  device: { type: 'string' },
  label: { type: 'string' },
  version: { type: 'string' },
  for: { type: 'string' },
  json: { type: 'boolean', default: false },
  ...DATA_OPTION,
} as const

const LISTED = 20
const PREVIEW_MAX_AGE = '1h'

export const command: Command = {
  options: OPTIONS,
  help: `Usage: countersign rollout list [--limit N]
       countersign rollout show [ID]
       countersign rollout pause|resume|promote|revert ID --reason TEXT
       countersign rollout start FILE|VERSION --reason TEXT [--stages 1,5,20,50,100]
                                 [--cohort LABEL]... [--bake 1h] [--minimum-sample N] [--budget N]
                                 [--budget-share X] [--by-hand] [--hours 8-17] [--days 1-5]
                                 [--accept-denials N] [--preview-max-age AGE]
       countersign rollout pin   --device ID|--label LABEL --version HASH --for 7d --reason TEXT
       countersign rollout allow --device ID|--label LABEL --for 4h --reason TEXT
       countersign rollout overrides
       countersign rollout end OVERRIDE_ID --reason TEXT
       … [--kind policy|reference-values] [--json] [--data DIR]

A rollout puts a document in the place of the one in force: first it is tried beside it in every
stage and decides nothing (audit), then it decides, stage by stage (enforce). It halts by itself
when more devices lose their access than its budget allows; the old document then decides for all.

  pause, resume   stop it where it is, and let it go on
  promote         go one stage on now, whatever it waits for: DANGER in the enforce pass
  revert          end it; one that is done has the document from before it back in force at once
  pin, allow      let another version decide for a device or a label; or let none of the clauses
                  of a policy deny it (a quarantine still does)
  overrides, end  list these exceptions, and end one

  --stages LIST         hundredths of the fleet, the last one 100
  --cohort LABEL        devices with this label belong to the first stage; may be repeated
  --bake AGE            how long a stage stays healthy before the next one: 90s, 30m, 1h, 2d
  --minimum-sample N    so many devices of a stage must have been compared, or half of them
  --budget N            it halts when more devices than this are lost
  --budget-share X      or more than this share of those compared: 0.01
  --by-hand             no stage begins by itself: promote does it
  --hours 8-17          stages begin by themselves only then (UTC)
  --days 1-5            and on these days: 1 is Monday
  --accept-denials N    DANGER: let up to N devices lose the access that they have now
  --preview-max-age AGE how old a preview may be that counts (${PREVIEW_MAX_AGE}); without one it is made
  --kind KIND           policy (the default) or reference-values
  --device ID           dev_… (countersign devices list)
  --label LABEL         all devices with this label
  --version HASH        of the document that decides, or its first digits
  --for AGE             when the exception ends by itself: 4h, 7d; at most 90d
  --reason TEXT         why; kept in the audit log
  --limit N             list at most so many (${LISTED})
  --data DIR            the data directory of the embedded database (DATA_DIR; ./data); works while
                        the service runs on it. DATABASE_URL uses PostgreSQL.
  --json                print JSON, as the administration API does

Exit status: 0 done, 1 wrong usage or not possible now, 2 errors in a document, 3 refused: devices
would be denied that are allowed now.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS, 2)
    const [verb = '', name] = positionals
    const { prepare, takesName, taken } = findVerb(verb)
    refuseSurplus(verb, values, taken)
    if (name !== undefined && !takesName) {
      throw new UsageError(`'${name}' is one argument too many`)
    }
    const perform = prepare(values, name, verb)
    return withDatabase(await readSettings(values), { mayCreate: false }, perform)
  },
}

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>['values']
type Perform = (store: Store, config: Config) => Promise<number>

type Verb = {
  /** Looks at the arguments before the database is opened. */
  readonly prepare: (values: Values, name: string | undefined, verb: string) => Perform
  readonly takesName: boolean
  /** Options that not all verbs take. */
  readonly taken: readonly string[]
}

const PLAN_OPTIONS = [
  'stages',
  'cohort',
  'bake',
  'minimum-sample',
  'budget',
  'budget-share',
  'by-hand',
  'hours',
  'days',
]
const RELEASE_OPTIONS = ['kind', 'reason', 'accept-denials', 'preview-max-age', ...PLAN_OPTIONS]
const TARGET_OPTIONS = ['device', 'label', 'for', 'reason']
const STEERING: Verb = { prepare: steerOne, takesName: true, taken: ['reason'] }

const VERBS: Readonly<Record<string, Verb>> = {
  list: { prepare: list, takesName: false, taken: ['limit'] },
  show: { prepare: show, takesName: true, taken: [] },
  pause: STEERING,
  resume: STEERING,
  promote: STEERING,
  revert: STEERING,
  start: { prepare: start, takesName: true, taken: RELEASE_OPTIONS },
  pin: { prepare: pin, takesName: false, taken: ['kind', 'version', ...TARGET_OPTIONS] },
  allow: { prepare: allow, takesName: false, taken: TARGET_OPTIONS },
  overrides: { prepare: overrides, takesName: false, taken: [] },
  end: { prepare: end, takesName: true, taken: ['reason'] },
}
const ALWAYS_TAKEN: readonly string[] = ['json', 'data']

function findVerb(name: string): Verb {
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (verb === undefined) throw new UsageError(`say ${Object.keys(VERBS).join(', ')}`)
  return verb
}

/** What is not taken is an error, never ignored. */
function refuseSurplus(verb: string, values: Values, taken: readonly string[]): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === false) continue
    if (value === '') throw new UsageError(`--${name} is empty`)
    if (!ALWAYS_TAKEN.includes(name) && !taken.includes(name)) {
      throw new UsageError(`--${name} is not for rollout ${verb}`)
    }
  }
}

function list({ limit, json }: Values): Perform {
  const most = readCount(limit, 'limit', LISTED, 1)
  return (store) => listRollouts(store, { limit: most, json, now: new Date() })
}

function show({ json }: Values, id: string | undefined): Perform {
  return (store) => showRollouts(store, { id, json, now: new Date() })
}

function steerOne({ json, ...values }: Values, id: string | undefined, verb: string): Perform {
  if (id === undefined) throw new UsageError('say which rollout: rol_… (countersign rollout list)')
  const reason = readReason(values.reason)
  return (store) => steerRollout(store, { rolloutId: id, verb, reason, json, now: new Date() })
}

function start(values: Values, name: string | undefined): Perform {
  if (name === undefined) throw new UsageError('say which file or version')
  const { json } = values
  return startRollout({
    name,
    kind: readKind(values.kind),
    reason: readReason(values.reason),
    plan: readPlan(values),
    acceptedDenials: readCount(values['accept-denials'], 'accept-denials', 0),
    maxAgeMs: readDuration(values['preview-max-age'] ?? PREVIEW_MAX_AGE, 'preview-max-age'),
    json,
    clock: () => new Date(),
  })
}

function pin(values: Values): Perform {
  const { version } = values
  if (version === undefined) throw new UsageError('--version is missing')
  const kind = readKind(values.kind)
  return createOverride({ ...readException(values), pin: { kind, version } })
}

function allow(values: Values): Perform {
  return createOverride({ ...readException(values), pin: undefined })
}

function readException({ device, label, for: age, json, ...values }: Values) {
  if ((device === undefined) === (label === undefined)) {
    throw new UsageError('say either --device or --label')
  }
  if (age === undefined) throw new UsageError('--for is missing: for how long?')
  const target =
    label === undefined
      ? { kind: 'device' as const, name: device ?? '' }
      : { kind: 'label' as const, name: label }
  const lifetimeMs = readDuration(age, 'for')
  return { target, lifetimeMs, reason: readReason(values.reason), json, now: new Date() }
}

function overrides({ json }: Values): Perform {
  return (store) => listOverrides(store, { json, now: new Date() })
}

function end({ json, ...values }: Values, id: string | undefined): Perform {
  if (id === undefined) {
    throw new UsageError('say which override: ovr_… (countersign rollout overrides)')
  }
  const reason = readReason(values.reason)
  return (store) => endOverride(store, { overrideId: id, reason, json, now: new Date() })
}

function readReason(reason = ''): string {
  if (reason.trim() === '') throw new UsageError('--reason is missing')
  return reason
}
