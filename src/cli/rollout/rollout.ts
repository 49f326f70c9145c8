import { COMMAND } from '../../base/command.ts'
import { requiresHardware } from '../../config/trust-anchors.ts'
import type { RolloutVerb } from '../../operations/release/drive-rollout.ts'
import { MAX_OVERRIDE_MS } from '../../rollout/override.ts'
import { group, type Verb, verb } from '../framework/command.ts'
import {
  ACCEPT_DENIALS,
  duration,
  flag,
  limit,
  REASON,
  required,
  text,
  type ValuesOf,
} from '../framework/options.ts'
import { UsageError } from '../framework/usage-error.ts'
import { HASH_HELP } from '../policy/find-version.ts'
import {
  ANY_KIND,
  DESPITE,
  KIND,
  PREVIEW_MAX_AGE,
  RELEASE_EXITS,
  readWayBack,
  WAY_BACK_OPTIONS,
} from '../policy/options.ts'
import { endByCommand, listOverrides } from './end-override.ts'
import { listRollouts } from './list.ts'
import { createOverride } from './make-override.ts'
import { PLAN_OPTIONS, readPlan } from './read-plan.ts'
import { showRollouts } from './show.ts'
import { startRollout } from './start.ts'
import { steerByCommand } from './steer.ts'

const ROLLOUT_ID = text('ROLLOUT_ID', 'the rollout: rol_…')

const STEERED = { rolloutId: required(ROLLOUT_ID, `${COMMAND} rollout list shows them`) }
const STEERED_JSON = 'the rollout, as the administration API shows it, and whether it was changed'

const DRY_RUN = flag('only say how many devices would be denied that are allowed now')

/** For whom an exception is made, and until when. */
const TARGET_OPTIONS = {
  device: text('ID', `dev_… (${COMMAND} devices list)`),
  label: text('LABEL', 'all devices with this label, instead of one'),
  for: required(
    duration('AGE', `when it ends by itself: 4h, 7d; at most ${MAX_OVERRIDE_MS / 86_400_000}d`),
  ),
  reason: REASON,
  dryRun: DRY_RUN,
}

export const command = group({
  about: `A rollout puts a document in the place of the one in force: first it is tried beside it in every
stage and decides nothing (audit), then it decides, stage by stage (enforce). It halts by itself
when more devices lose their access than its budget allows; the old document then decides for all.`,
  verbs: {
    list: verb({
      summary: 'list rollouts, the newest first',
      database: 'existing',
      options: { kind: ANY_KIND, limit: limit(20) },
      json: 'the rollouts, as the administration API shows them',
      run: (values) => (store) => listRollouts(store, { ...values, now: new Date() }),
    }),
    show: verb({
      summary: 'show a rollout: where it is, what it waits for, who lost access',
      about: 'Without an id it shows those that are open, or else the last one.',
      database: 'existing',
      arguments: { id: ROLLOUT_ID },
      options: { kind: ANY_KIND },
      json: 'the rollout, as the administration API shows it',
      run: (values) => (store) => showRollouts(store, { ...values, now: new Date() }),
    }),
    start: verb({
      summary: 'begin a rollout of a document that passes lint and preview',
      database: 'existing',
      arguments: {
        name: required(text('FILE|VERSION', `a file, or ${HASH_HELP}`)),
      },
      options: {
        kind: KIND,
        reason: REASON,
        ...PLAN_OPTIONS,
        acceptDenials: ACCEPT_DENIALS,
        previewMaxAge: PREVIEW_MAX_AGE,
        despite: DESPITE,
      },
      json: 'the document, and its rollout; a preview that it makes is a line before that',
      exits: RELEASE_EXITS,
      stopped: 'No rollout began.',
      run: ({ name, kind, reason, acceptDenials, previewMaxAge, despite, json, ...plan }) =>
        startRollout({
          name,
          kind,
          reason,
          plan: readPlan(plan),
          acceptedDenials: acceptDenials,
          maxAgeMs: previewMaxAge,
          despite,
          json,
          clock: () => new Date(),
        }),
    }),
    pause: steering('pause', 'stop a rollout where it is'),
    resume: steering('resume', 'let a paused rollout go on'),
    promote: steering(
      'promote',
      'go one stage on now, whatever it waits for: DANGER in the enforce pass',
    ),
    revert: verb({
      summary: 'end a rollout; one that is done has the document from before it back at once',
      about: `One that decides for some devices already is paused first, so that it goes no further, and
ends when its end takes access from none of them, or from no more than are accepted.`,
      database: 'existing',
      arguments: STEERED,
      options: { reason: REASON, ...WAY_BACK_OPTIONS },
      json: `${STEERED_JSON}; a preview that it makes is a line before that`,
      exits: { refused: 'devices would lose access', interrupted: 'stopped; nothing went back' },
      run: ({ acceptDenials, acceptAllDenials, previewMaxAge, ...values }) => {
        const accepted = readWayBack({ acceptDenials, acceptAllDenials, previewMaxAge })
        return (store, config) =>
          steerByCommand(store, {
            ...{ ...values, ...accepted, verb: 'revert' },
            requiresHardware: requiresHardware(config),
          })
      },
    }),
    pin: verb({
      summary: 'let another version decide for a device or a label',
      database: 'existing',
      options: {
        ...TARGET_OPTIONS,
        version: required(text('HASH', `the document that decides: ${HASH_HELP}`)),
        kind: KIND,
      },
      json: 'the override, as the administration API shows it, and whom it denies',
      run: ({ version, kind, ...values }) =>
        createOverride({ ...readException(values), pin: { kind, version } }),
    }),
    allow: verb({
      summary: 'let no clause of a policy deny a device or a label; a quarantine still does',
      database: 'existing',
      options: TARGET_OPTIONS,
      json: 'the override, as the administration API shows it, and whom it denies',
      run: (values) => createOverride({ ...readException(values), pin: undefined }),
    }),
    overrides: verb({
      summary: 'list the exceptions that pin and allow made',
      database: 'existing',
      json: 'the overrides, as the administration API shows them',
      run:
        ({ json }) =>
        (store) =>
          listOverrides(store, { json, now: new Date() }),
    }),
    end: verb({
      summary: 'end an exception before its time',
      database: 'existing',
      arguments: {
        overrideId: required(
          text('OVERRIDE_ID', 'the override: ovr_…'),
          `${COMMAND} rollout overrides shows them`,
        ),
      },
      options: { reason: REASON, dryRun: DRY_RUN },
      json: 'the id of the override, whether it was changed, and whom its end denies',
      run: (values) => endByCommand({ ...values, now: new Date() }),
    }),
  },
})

function steering(name: Exclude<RolloutVerb, 'revert'>, summary: string): Verb {
  return verb({
    summary,
    database: 'existing',
    arguments: STEERED,
    options: { reason: REASON },
    json: STEERED_JSON,
    run: (values) => (store, config) =>
      steerByCommand(store, {
        ...{ ...values, verb: name, acceptedDenials: 0, maxAgeMs: 0 },
        requiresHardware: requiresHardware(config),
      }),
  })
}

type ExceptionValues = ValuesOf<typeof TARGET_OPTIONS> & { readonly json: boolean }

function readException({ device, label, for: lifetimeMs, reason, dryRun, json }: ExceptionValues) {
  if ((device === undefined) === (label === undefined)) {
    throw new UsageError('say either --device or --label')
  }
  const target =
    label === undefined
      ? { kind: 'device' as const, name: device ?? '' }
      : { kind: 'label' as const, name: label }
  return { target, lifetimeMs, reason, dryRun, json, now: new Date() }
}
