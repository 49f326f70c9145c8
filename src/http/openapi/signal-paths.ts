import type { StreamFailure } from '../../operations/signals/manage-streams.ts'
import type { PollFailure } from '../../signals/poll-request.ts'
import {
  ADD_SUBJECT_PATH,
  POLL_PATH,
  REMOVE_SUBJECT_PATH,
  STATUS_PATH,
  STREAM_PATH,
  VERIFY_PATH,
} from '../../signals/transmitter.ts'
import { json, jsonBody, type Operation, type Paths, pathParameter } from './operation.ts'
import { codesOf, problems } from './refusals.ts'

const STREAM_CODES = codesOf<StreamFailure>({
  stream_unknown: true,
  too_many_streams: true,
  too_many_subjects: true,
  stream_contended: true,
  verification_too_soon: true,
  stream_malformed: true,
  stream_push_url_refused: true,
  stream_member_foreign: true,
  subject_malformed: true,
  subject_unknown: true,
})
const POLL_CODES = codesOf<PollFailure>({ poll_malformed: true })
const UNKNOWN = STREAM_CODES.filter((code) => code === 'stream_unknown')

const named = (required: boolean) => [
  {
    ...{ name: 'stream_id', in: 'query', required },
    schema: { type: 'string' },
  },
]
const NOTHING = { description: 'Done.' }

/** What a receiver with a body does to streams; it may be refused for any reason of theirs. */
function change(
  id: string,
  summary: string,
  body: string,
  answers: Operation['answers'],
): Operation {
  return {
    id,
    ...{ tag: 'signals', summary, answers },
    body: jsonBody(body),
    refusals: problems({ body: true, caller: true }, STREAM_CODES),
  }
}

/** SSF 1.0 §8: streams, and RFC 8936: polls. */
export const SIGNAL_PATHS: Paths = {
  '/.well-known/ssf-configuration': {
    get: {
      id: 'describeTransmitter',
      tag: 'signals',
      summary: 'Where the endpoints are (§7.1).',
      answers: { '200': json('The metadata.', 'Transmitter') },
      refusals: problems({}),
    },
  },
  [STREAM_PATH]: {
    post: change('createStream', 'Makes a stream (§8.1.1.1).', 'StreamToCreate', {
      '201': json('The stream.', 'Stream'),
    }),
    get: {
      id: 'readStreams',
      tag: 'signals',
      summary: 'The streams of the client, or the one of this name (§8.1.1.2).',
      parameters: named(false),
      answers: { '200': json('The stream that was named, or all.', 'Streams') },
      refusals: problems({ caller: true }, UNKNOWN),
    },
    patch: change('updateStream', 'Changes what is sent (§8.1.1.3).', 'StreamToChange', {
      '200': json('The stream as it is now.', 'Stream'),
    }),
    put: change('replaceStream', 'Sets all anew (§8.1.1.4).', 'StreamToChange', {
      '200': json('The stream as it is now.', 'Stream'),
    }),
    delete: {
      id: 'removeStream',
      tag: 'signals',
      summary: 'Ends a stream (§8.1.1.5).',
      parameters: named(true),
      answers: { '204': NOTHING },
      refusals: problems({ caller: true }, UNKNOWN),
    },
  },
  [STATUS_PATH]: {
    get: {
      id: 'readStreamStatus',
      tag: 'signals',
      summary: 'How a stream stands (§8.1.2.1).',
      parameters: named(true),
      answers: { '200': json('Its status.', 'StreamStatus') },
      refusals: problems({ caller: true }, UNKNOWN),
    },
    post: change(
      'changeStreamStatus',
      'Pauses a stream, or has it go on (§8.1.2.2).',
      'StatusChange',
      {
        '200': json('Its status.', 'StreamStatus'),
      },
    ),
  },
  [VERIFY_PATH]: {
    post: change(
      'verifyStream',
      'Has a verification event sent (§8.1.4.2).',
      'VerificationRequest',
      {
        '204': NOTHING,
      },
    ),
  },
  [ADD_SUBJECT_PATH]: {
    post: change('addSubject', 'Tells of a subject again (§8.1.3.2).', 'SubjectChange', {
      '200': NOTHING,
    }),
  },
  [REMOVE_SUBJECT_PATH]: {
    post: change('removeSubject', 'Tells no more of a subject (§8.1.3.3).', 'SubjectChange', {
      '204': NOTHING,
    }),
  },
  [`${POLL_PATH}/{id}`]: {
    post: {
      id: 'pollEvents',
      tag: 'signals',
      summary: 'Takes events, and says what became of those before (RFC 8936).',
      description: 'With returnImmediately false it waits up to 25 seconds for an event.',
      parameters: [pathParameter('id', 'The stream.')],
      body: jsonBody('PollRequest'),
      answers: { '200': json('Events, by their jti.', 'Polled') },
      refusals: problems({ body: true, caller: true }, [...POLL_CODES, ...UNKNOWN]),
    },
  },
}
