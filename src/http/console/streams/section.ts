import { Hono } from 'hono'
import { z } from 'zod'
import { plural } from '../../../base/words.ts'
import { replayRefused } from '../../../operations/signals/replay-refused.ts'
import { setStreamStatus } from '../../../operations/signals/set-stream-status.ts'
import { testStream } from '../../../operations/signals/test-stream.ts'
import type { StreamStatus } from '../../../signals/stream.ts'
import type { StoredStream } from '../../../store/signals/streams.ts'
import { reasonText } from '../../admin/read-body.ts'
import type { HttpContext, HttpEnv } from '../../environment.ts'
import type { Page } from '../layout.ts'
import { readPosted } from '../read-form.ts'
import type { ConsoleSection, PageServices } from '../services.ts'
import { tellFailure } from '../tell-failure.ts'
import { type CountedStream, STREAMS_PATH, streamPath, streamsPage } from './page.ts'
import { streamPage, unknownStreamPage } from './stream-page.ts'

const STATUS_OF = {
  enable: 'enabled',
  pause: 'paused',
  disable: 'disabled',
} as const satisfies Readonly<Record<string, StreamStatus>>

type StatusVerb = keyof typeof STATUS_OF
const STATUS_VERBS = Object.keys(STATUS_OF) as readonly StatusVerb[]

/** Who is told of changes: how deliveries go, and what may be done where they do not. */
export const streamsSection: ConsoleSection = {
  name: 'streams',
  title: 'Streams',
  routes(services) {
    const app = new Hono<HttpEnv>()
    app.get(STREAMS_PATH, async (c) => {
      const streams = await services.store.listStreams()
      const counted = await Promise.all(streams.map((one) => countOne(services, one)))
      return services.show(c, streamsPage(counted, services.clock()))
    })
    app.get(`${STREAMS_PATH}/:id`, (c) => answerStream(c, services, toldOf(c)))
    for (const verb of STATUS_VERBS) {
      app.post(`${STREAMS_PATH}/:id/${verb}`, (c) => setStatus(c, services, verb))
    }
    app.post(`${STREAMS_PATH}/:id/test`, (c) => test(c, services))
    app.post(`${STREAMS_PATH}/:id/replay`, (c) => replay(c, services))
    return app
  },
}

type Told = Pick<Page, 'status' | 'notice'>

const DONE: Readonly<Record<StatusVerb | 'test', string>> = {
  enable: 'The stream is enabled: what waits goes out.',
  pause: 'The stream is paused: its events are kept until it is enabled again.',
  disable: 'The stream is disabled: no events are kept for it.',
  test: 'Test events are on their way. Whether they arrive shows here in a moment: load the page again.',
}

/** What a form has led back with: its name, or how many events are sent again. */
function toldOf(c: HttpContext): Told {
  const { done = '', replayed = '' } = c.req.query()
  if (Object.hasOwn(DONE, done)) {
    return { notice: { kind: 'done', text: DONE[done as keyof typeof DONE] } }
  }
  if (!/^\d{1,9}$/.test(replayed)) return {}
  const many = Number(replayed)
  return many === 0
    ? { notice: { kind: 'note', text: 'Nothing of that was refused: nothing was changed.' } }
    : { notice: { kind: 'done', text: `Sent again: ${plural(many, 'event')}.` } }
}

async function countOne(
  { store }: Pick<PageServices, 'store'>,
  stream: StoredStream,
): Promise<CountedStream> {
  return { stream, ...(await store.countDeliveries(stream.streamId)) }
}

async function find(
  { store }: Pick<PageServices, 'store'>,
  streamId: string,
): Promise<StoredStream | undefined> {
  return (await store.listStreams()).find((one) => one.streamId === streamId)
}

const KEPT_SHOWN = 500
const DEAD_SHOWN = 50

async function answerStream(
  c: HttpContext,
  services: PageServices,
  told: Told = {},
): Promise<Response> {
  const streamId = c.req.param('id') ?? ''
  const stream = await find(services, streamId)
  if (stream === undefined) return services.show(c, unknownStreamPage(streamId))
  const [counted, kept, dead] = await Promise.all([
    countOne(services, stream),
    services.store.deliveriesOf({ streamId, limit: KEPT_SHOWN }),
    services.store.refusedDeliveries({ streamId, limit: DEAD_SHOWN }),
  ])
  const page = streamPage({ ...counted, kept, dead }, services.viewerOf(c), services.clock())
  return services.show(c, { ...page, ...told })
}

const statusForm = z.strictObject({ reason: reasonText })

async function setStatus(
  c: HttpContext,
  services: PageServices,
  verb: StatusVerb,
): Promise<Response> {
  const streamId = c.req.param('id') ?? ''
  const form = await readPosted(c, statusForm)
  if (!form.ok) return answerStream(c, services, await tellFailure(c, form.failure))
  const by = c.get('client').clientId
  const change = { streamId, status: STATUS_OF[verb], by, now: services.clock(), ...form.value }
  const set = await setStreamStatus(services.store, change)
  if (!set.ok) return services.show(c, unknownStreamPage(streamId))
  return services.lead(c, `${streamPath(streamId)}?done=${verb}`)
}

async function test(c: HttpContext, services: PageServices): Promise<Response> {
  const streamId = c.req.param('id') ?? ''
  const tested = await testStream(services, streamId)
  if (!tested.ok) return services.show(c, unknownStreamPage(streamId))
  return services.lead(c, `${streamPath(streamId)}?done=test`)
}

const replayForm = z.strictObject({
  position: z.union([z.literal('all'), z.coerce.number().int().min(0)]),
})

async function replay(c: HttpContext, services: PageServices): Promise<Response> {
  const streamId = c.req.param('id') ?? ''
  const form = await readPosted(c, replayForm)
  if (!form.ok) return answerStream(c, services, await tellFailure(c, form.failure))
  if ((await find(services, streamId)) === undefined) {
    return services.show(c, unknownStreamPage(streamId))
  }
  const { position } = form.value
  const by = c.get('client').clientId
  const positions = position === 'all' ? position : [position]
  const replayed = await replayRefused(services, { streamId, positions, by })
  return services.lead(c, `${streamPath(streamId)}?replayed=${replayed}`)
}
