import { Hono } from 'hono'
import type { Result } from '../../base/result.ts'
import {
  changeStatus,
  changeStream,
  changeSubject,
  createStream,
  readStatus,
  readStream,
  readStreams,
  removeStream,
  type StreamDependencies,
  type StreamFailure,
  verifyStream,
} from '../../operations/signals/manage-streams.ts'
import { type PollDependencies, pollStream } from '../../operations/signals/poll-stream.ts'
import { type PollFailure, readPollRequest } from '../../signals/poll-request.ts'
import { MIN_VERIFICATION_SECONDS } from '../../signals/stream.ts'
import {
  ADD_SUBJECT_PATH,
  describeTransmitter,
  POLL_PATH,
  REMOVE_SUBJECT_PATH,
  STATUS_PATH,
  STREAM_PATH,
  VERIFY_PATH,
} from '../../signals/transmitter.ts'
import type { HttpContext, HttpEnv } from '../environment.ts'
import { answerProblem, answerRequestFailure, answerUnauthorized } from '../errors/problem.ts'
import { SIGNAL_PROBLEMS } from '../errors/signal-problems.ts'
import { type ClientServices, requireClient } from '../middleware/api-client.ts'
import { answerPublic } from '../public-document.ts'
import { readJson } from '../read-json.ts'

/** What the routes of receivers work with. */
export type SignalServices = ClientServices & {
  readonly streams: StreamDependencies
  readonly polls: PollDependencies
}

const MAX_BODY_BYTES = 64 * 1024

/** OpenID Shared Signals Framework 1.0: we are the transmitter. */
export function signalRoutes(services: SignalServices): Hono<HttpEnv> {
  const { streams } = services
  const app = new Hono<HttpEnv>()
  const mayRead = requireClient(services, 'ssf.read', answerUnauthorized)
  const mayManage = requireClient(services, 'ssf.manage', answerUnauthorized)

  const metadata = describeTransmitter(streams.issuer)
  app.get('/.well-known/ssf-configuration', (c) => answerPublic(c, metadata))

  app.post(STREAM_PATH, mayManage, (c) =>
    withBody(c, 201, (body) => createStream(streams, clientOf(c), body)),
  )
  app.get(STREAM_PATH, mayRead, async (c) => {
    const streamId = c.req.query('stream_id')
    if (streamId === undefined) return tell(c, 200, await readStreams(streams, clientOf(c)))
    return answer(c, 200, await readStream(streams, { streamId, clientId: clientOf(c) }))
  })
  for (const [method, replaces] of [
    ['patch', false],
    ['put', true],
  ] as const) {
    app[method](STREAM_PATH, mayManage, (c) =>
      withBody(c, 200, (body) => changeStream(streams, { clientId: clientOf(c), body, replaces })),
    )
  }
  app.delete(STREAM_PATH, mayManage, async (c) =>
    answer(c, 204, await removeStream(streams, nameOf(c))),
  )
  app.get(STATUS_PATH, mayRead, async (c) => answer(c, 200, await readStatus(streams, nameOf(c))))
  app.post(STATUS_PATH, mayManage, (c) =>
    withBody(c, 200, (body) => changeStatus(streams, clientOf(c), body)),
  )
  app.post(VERIFY_PATH, mayManage, (c) =>
    withBody(c, 204, (body) => verifyStream(streams, clientOf(c), body)),
  )
  for (const [path, status, removes] of [
    [ADD_SUBJECT_PATH, 200, false],
    [REMOVE_SUBJECT_PATH, 204, true],
  ] as const) {
    app.post(path, mayManage, (c) =>
      withBody(c, status, (body) =>
        changeSubject(streams, { clientId: clientOf(c), body, removes }),
      ),
    )
  }
  app.post(`${POLL_PATH}/:id`, mayRead, (c) => poll(c, services))
  return app
}

async function poll(c: HttpContext, { polls }: SignalServices): Promise<Response> {
  const body = await readJson(c, MAX_BODY_BYTES)
  if (!body.ok) return answerRequestFailure(c, body.failure)
  const request = readPollRequest(body.value)
  if (!request.ok) return answerFailure(c, request.failure)
  const name = { streamId: c.req.param('id') ?? '', clientId: clientOf(c) }
  const { signal } = c.req.raw
  const polled = await pollStream(polls, name, { request: request.value, signal })
  return polled.ok ? tell(c, 200, polled.value) : answerFailure(c, polled.failure)
}

function answerFailure(c: HttpContext, failure: StreamFailure | PollFailure): Response {
  if (failure.reason === 'verification_too_soon') {
    c.header('retry-after', String(MIN_VERIFICATION_SECONDS))
  }
  const member = 'member' in failure && failure.member !== '' ? failure.member : undefined
  const { change } = SIGNAL_PROBLEMS[failure.reason]
  return answerProblem(c, failure.reason, member === undefined ? change : `${member}: ${change}`)
}

function clientOf(c: HttpContext): string {
  return c.get('client').clientId
}

function nameOf(c: HttpContext) {
  return { streamId: c.req.query('stream_id') ?? '', clientId: clientOf(c) }
}

type Success = 200 | 201 | 204

async function withBody(
  c: HttpContext,
  status: Success,
  run: (body: unknown) => Promise<Result<unknown, StreamFailure>>,
): Promise<Response> {
  const body = await readJson(c, MAX_BODY_BYTES)
  return body.ok ? answer(c, status, await run(body.value)) : answerRequestFailure(c, body.failure)
}

function answer(c: HttpContext, status: Success, result: Result<unknown, StreamFailure>): Response {
  return result.ok ? tell(c, status, result.value) : answerFailure(c, result.failure)
}

/** SSF 1.0 §8.1: nobody keeps what a receiver is told. */
function tell(c: HttpContext, status: Success, value: unknown): Response {
  c.header('cache-control', 'no-store')
  // SSF 1.0 §8.1.3.2: an empty answer, with 200 where something is added.
  if (status === 204 || value === undefined) return c.body(null, status)
  return c.json(Object(value), status)
}
