import type {
  DocumentFailure,
  StoredDocumentFailure,
} from '../../operations/release/check-document.ts'
import type { HoldFailure } from '../../operations/release/end-hold.ts'
import type { OverrideFailure } from '../../operations/release/overrides.ts'
import type { ReleaseFailure } from '../../operations/release/release.ts'
import type { RollBackFailure } from '../../operations/release/roll-back.ts'
import { ROLLOUT_VERBS, type SteerFailure } from '../../operations/release/steer.ts'
import { endQuery } from '../admin/overrides.ts'
import { listQuery } from '../admin/read-body.ts'
import { SECOND_AWAITED } from './device-paths.ts'
import {
  header,
  json,
  jsonBody,
  type Operation,
  type Paths,
  pathParameter,
  queryParameters,
} from './operation.ts'
import { codesOf, problems } from './refusals.ts'

const DOCUMENTS = { tag: 'documents' } as const
const KIND = { body: true, caller: true, change: true } as const

const STORED_CODES = codesOf<StoredDocumentFailure>({
  document_not_found: true,
  document_not_usable: true,
})
const RELEASE = {
  document_refused: true,
  preview_missing: true,
  preview_busy: true,
  preview_too_small: true,
  too_many_dates: true,
  denials_not_accepted: true,
  document_in_force: true,
  superseded: true,
  rollout_open: true,
  document_halted: true,
} as const
const RELEASE_CODES = codesOf<ReleaseFailure>(RELEASE)
const STEER = {
  ...RELEASE,
  rollout_not_found: true,
  rollout_state_refused: true,
  document_not_found: true,
  document_not_usable: true,
} as const
const STEER_CODES = codesOf<SteerFailure>(STEER)
const ROLL_BACK_CODES = codesOf<RollBackFailure>({
  ...STEER,
  no_version_before: true,
  already_back: true,
})
const DOCUMENT_CODES = codesOf<DocumentFailure>({ document_refused: true })
const OVERRIDE_CODES = codesOf<OverrideFailure>({
  override_not_found: true,
  expiry_refused: true,
  too_many_overrides: true,
  device_not_found: true,
  document_not_found: true,
  document_not_usable: true,
})
/** What is carried out may meet what it would have met at first. */
const APPROVAL_CODES = [
  ...(['second_request_not_found', 'second_request_own', 'second_not_awaited'] as const),
  ...new Set([...ROLL_BACK_CODES, ...OVERRIDE_CODES, 'hold_not_found' as const]),
]
const HOLD_CODES = codesOf<HoldFailure>({ hold_not_found: true })

const TAG = { ETag: { description: 'RFC 9110 §8.8.3', schema: { type: 'string' } } }

const id = (what: string) => pathParameter('id', what)

function ofDocument(kind: 'policy' | 'reference-values', what: string): Paths {
  const Name = kind === 'policy' ? 'Policy' : 'ReferenceValues'
  return {
    [`/v1/${kind}`]: {
      get: {
        id: `read${Name}`,
        ...DOCUMENTS,
        summary: `The ${what} in force.`,
        parameters: [header('If-None-Match', 'The ETag of what is there already.')],
        answers: {
          '200': json('The document, and who put it into force.', 'DocumentInForce', TAG),
          '304': { description: 'It is what is there already.', headers: TAG },
        },
        refusals: problems({ query: true, caller: true }),
      },
      put: {
        id: `release${Name}`,
        ...DOCUMENTS,
        summary: `Releases a ${what}: at once in a small fleet, in a large one ring by ring.`,
        parameters: [header('If-Match', 'The ETag of the document that this one is to follow.')],
        body: jsonBody('Release'),
        answers: {
          '200': json('It is in force.', 'DocumentInForce', TAG),
          '201': json('It is being rolled out.', 'Rollout'),
          ...SECOND_AWAITED,
        },
        refusals: problems(KIND, [...RELEASE_CODES, 'precondition_failed']),
      },
    },
    [`/v1/${kind}/rollback`]: {
      post: {
        id: `rollBack${Name}`,
        ...DOCUMENTS,
        summary: `Goes back to the ${what} before, or ends the rollout that is open.`,
        body: jsonBody('RollBack'),
        answers: { '200': json('What decides now.', 'RolledBack'), ...SECOND_AWAITED },
        refusals: problems(KIND, ROLL_BACK_CODES),
      },
    },
  }
}

const STEPS: Readonly<Record<(typeof ROLLOUT_VERBS)[number], string>> = {
  pause: 'Keeps a rollout where it is.',
  resume: 'Has a paused rollout go on.',
  promote: 'Takes the next stage at once.',
  revert: 'Ends a rollout: every device is back at the version before.',
}

function step(verb: (typeof ROLLOUT_VERBS)[number]): Operation {
  return {
    id: `${verb}Rollout`,
    ...{ ...DOCUMENTS, summary: STEPS[verb] },
    parameters: [id('rol_ and more.')],
    body: jsonBody(verb === 'revert' ? 'RolloutEnd' : 'RolloutStep'),
    answers: { '200': json('The rollout as it is now.', 'RolloutAfterStep'), ...SECOND_AWAITED },
    refusals: problems(KIND, STEER_CODES),
  }
}

/** Documents, their previews and rollouts. */
export const DOCUMENT_PATHS: Paths = {
  ...ofDocument('policy', 'policy'),
  ...ofDocument('reference-values', 'reference values'),
  '/v1/previews': {
    post: {
      id: 'previewDocument',
      ...DOCUMENTS,
      summary: 'What a document would change for the recorded fleet.',
      body: jsonBody('PreviewRequest'),
      answers: { '200': json('What it would change.', 'Preview') },
      refusals: problems(KIND, [...DOCUMENT_CODES, ...STORED_CODES, 'preview_busy']),
    },
  },
  '/v1/rollouts': {
    get: {
      id: 'listRollouts',
      ...DOCUMENTS,
      summary: 'Rollouts, the newest first.',
      parameters: queryParameters(listQuery),
      answers: { '200': json('The rollouts.', 'Rollouts') },
      refusals: problems({ query: true, caller: true }),
    },
    post: {
      id: 'startRollout',
      ...DOCUMENTS,
      summary: 'Rolls a document out by a plan.',
      body: jsonBody('RolloutToStart'),
      answers: { '201': json('The rollout.', 'Rollout'), ...SECOND_AWAITED },
      refusals: problems(KIND, [...RELEASE_CODES, ...STORED_CODES]),
    },
  },
  '/v1/rollouts/{id}': {
    get: {
      id: 'showRollout',
      ...DOCUMENTS,
      summary: 'One rollout, and what was seen of real questions.',
      parameters: [id('rol_ and more.')],
      answers: { '200': json('The rollout.', 'RolloutDetail') },
      refusals: problems({ query: true, caller: true }, ['rollout_not_found']),
    },
  },
  ...Object.fromEntries(
    ROLLOUT_VERBS.map((verb) => [`/v1/rollouts/{id}/${verb}`, { post: step(verb) }]),
  ),
}

const EXCEPTION = { tag: 'exceptions' } as const

/** What keeps documents from deciding for a while. */
export const EXCEPTION_PATHS: Paths = {
  '/v1/overrides': {
    get: {
      id: 'listOverrides',
      ...EXCEPTION,
      summary: 'Exceptions for a device or a label that are in force.',
      answers: { '200': json('The exceptions.', 'Overrides') },
      refusals: problems({ query: true, caller: true }),
    },
    post: {
      id: 'makeOverride',
      ...EXCEPTION,
      summary: 'Makes an exception, or says whom it would deny.',
      body: jsonBody('OverrideToMake'),
      answers: {
        '200': json('Whom it would deny: nothing was made.', 'OverrideLosses'),
        '201': json('The exception.', 'OverrideMade'),
        ...SECOND_AWAITED,
      },
      refusals: problems(KIND, OVERRIDE_CODES),
    },
  },
  '/v1/overrides/{id}': {
    delete: {
      id: 'endOverride',
      ...EXCEPTION,
      summary: 'Ends an exception; what it needs stands in the query or in the body.',
      parameters: [
        id('ovr_ and more.'),
        ...queryParameters(endQuery).map((one) => ({ ...one, required: false })),
      ],
      body: { ...jsonBody('OverrideToEnd'), required: false },
      answers: { '200': json('Whom that denies.', 'OverrideEnded') },
      refusals: problems(KIND, OVERRIDE_CODES),
    },
  },
  '/v1/holds': {
    get: {
      id: 'listHolds',
      ...EXCEPTION,
      summary: 'Causes that do not count for a while, the newest first.',
      parameters: queryParameters(listQuery),
      answers: { '200': json('The holds.', 'Holds') },
      refusals: problems({ query: true, caller: true }),
    },
  },
  '/v1/holds/{id}/end': {
    post: {
      id: 'endHold',
      ...EXCEPTION,
      summary: 'Has a cause count again.',
      parameters: [id('hld_ and more.')],
      body: jsonBody('Reason'),
      answers: { '200': json('What became of it.', 'HoldEnded'), ...SECOND_AWAITED },
      refusals: problems(KIND, HOLD_CODES),
    },
  },
  '/v1/second-requests': {
    get: {
      id: 'listSecondRequests',
      ...EXCEPTION,
      summary: 'What waits for a second administrator.',
      answers: { '200': json('The requests.', 'SecondRequests') },
      refusals: problems({ query: true, caller: true }),
    },
  },
  '/v1/second-requests/{id}': {
    get: {
      id: 'readSecondRequest',
      ...EXCEPTION,
      summary: 'One request that waits, with its body.',
      parameters: [id('Of the list.')],
      answers: { '200': json('The request.', 'SecondRequestWithBody') },
      refusals: problems({ query: true, caller: true }, ['second_request_not_found']),
    },
  },
  '/v1/second-requests/{id}/approve': {
    post: {
      id: 'approveSecondRequest',
      ...EXCEPTION,
      summary: 'Has carried out what another administrator has asked for, as it was asked.',
      parameters: [id('Of the list.')],
      body: jsonBody('Reason'),
      answers: {
        '200': json('What that request is answered.', 'CarriedOut'),
        '201': json('What that request is answered: it made something.', 'CarriedOut'),
      },
      refusals: problems(KIND, APPROVAL_CODES),
    },
  },
}
