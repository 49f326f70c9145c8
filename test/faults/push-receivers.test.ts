import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EVENT_TYPES } from '../../src/signals/event-types.ts'
import { PUSH } from '../../src/signals/stream.ts'
import { folderForTest } from '../cli/cli-process.ts'
import { type Receiver, startReceiver } from '../operations/signals/receiver.ts'
import { freePort } from '../support/free-port.ts'
import type { Json } from '../support/json.ts'
import { type ServedStreams, serveStreams } from '../support/served-streams.ts'

/**
 * Receivers that fail, each in its way, over real sockets and TLS, and the service as it is started. Two of them have
 * names that lead to a public address first and then to this machine (DNS rebinding), of which one is named as a
 * private host. A name server is the one part that is stood in for: this machine's is not ours to set up.
 */

const COMPLIANCE = EVENT_TYPES['device-compliance-change']
const WAIT = { timeout: 50_000, interval: 250 }
/** Who has failed for so long is tried again within as long: tries go apart. */
const AFTERWARDS = { timeout: 150_000, interval: 250 }
const REBOUND = 'rebound.example'
const NAMED = 'named.example'
const PUBLIC_FIRST = ['2d00::1', '127.0.0.1']

const KINDS = ['well', 'slow', 'refusing', 'failing', 'redirecting', 'hangingUp'] as const
/** What the stream says of each that nothing arrives at. */
const FAILURES = {
  failing: '500',
  redirecting: '307',
  hangingUp: 'ECONNRESET',
  gone: 'ECONNREFUSED',
  rebound: 'its address is not a public one',
} as const

type Kind = (typeof KINDS)[number]
type Stream = Kind | 'gone' | 'rebound' | 'named'

let world: ServedStreams
let receivers: Readonly<Record<Kind | 'rebound' | 'named', Receiver>>
/** Where the redirects lead, to an address of this machine. */
let inner: Receiver
let gonePort: number
let fallen: string
const streams = new Map<Stream, { readonly id: string; readonly ask: Ask }>()
const looks = join(folderForTest(afterAll), 'looks')
const slow = Promise.withResolvers<void>()

type Ask = Awaited<ReturnType<ServedStreams['addReceiver']>>['ask']

beforeAll(async () => {
  world = await serveStreams({
    hosts: [REBOUND, NAMED],
    env: {
      PUSH_PRIVATE_HOSTS: `localhost,${NAMED}`,
      NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, 'rebinding-names.ts'))}`,
      ...{ REBINDING_HOSTS: `${REBOUND},${NAMED}`, REBINDING_LOOKS: looks },
    },
  })
  inner = await start()
  gonePort = await freePort()
  const made = [...KINDS, 'rebound', 'named'].map(async (kind) => [kind, await start()] as const)
  receivers = Object.fromEntries(await Promise.all(made)) as typeof receivers
  letThemFail()
  await openStreams()
  await world.attest(3)
  const [{ device_id }]: Json = await world.cli('devices', 'list')
  fallen = device_id
  await world.cli('devices', 'quarantine', fallen, '--reason', 'lost')
})
afterAll(() => slow.resolve())

const start = (port = 0) => startReceiver(afterAll, { tls: world.tls, port })

function letThemFail(): void {
  const elsewhere = inner.url.replace('localhost', '127.0.0.1')
  receivers.slow.answer = (response, claims) => {
    void slow.promise.then(() => {
      receivers.slow.taken.push(claims)
      response.writeHead(202).end()
    })
  }
  receivers.refusing.answer = (response) => {
    response.writeHead(400).end('{"err":"invalid_request"}')
  }
  receivers.failing.answer = (response) => response.writeHead(500).end()
  receivers.redirecting.answer = (response) => {
    response.writeHead(307, { location: elsewhere }).end()
  }
  receivers.hangingUp.answer = (response) => response.destroy()
}

/** A client for each, as organisations have them. */
async function openStreams(): Promise<void> {
  const urlOf = (kind: 'rebound' | 'named', host: string) =>
    receivers[kind].url.replace('localhost', host)
  const urls: Readonly<Record<Exclude<Stream, Kind>, string>> = {
    gone: `https://localhost:${gonePort}/`,
    rebound: urlOf('rebound', REBOUND),
    named: urlOf('named', NAMED),
  }
  const all = { ...Object.fromEntries(KINDS.map((kind) => [kind, receivers[kind].url])), ...urls }
  for (const [kind, url] of Object.entries(all)) {
    const { ask } = await world.addReceiver()
    const delivery = { method: PUSH, endpoint_url: url }
    const { stream_id: id } = await ask('POST', { events_requested: [COMPLIANCE], delivery })
    streams.set(kind as Stream, { id, ask })
  }
}

const idOf = (stream: Stream) => streams.get(stream)?.id ?? ''
const show = (stream: Stream): Promise<Json> => world.cli('streams', 'show', idOf(stream))

/** What each device became, in the order in which it arrived first. */
function becameOf({ taken }: Receiver): Readonly<Record<string, readonly string[]>> {
  const firsts = new Map<string, Json>()
  for (const claims of taken) if (!firsts.has(claims.jti)) firsts.set(claims.jti, claims)
  const byDevice: Record<string, string[]> = {}
  for (const { sub_id, events } of firsts.values()) {
    byDevice[sub_id.sub] = [...(byDevice[sub_id.sub] ?? []), events[COMPLIANCE].current_status]
  }
  return byDevice
}

const everything = () => ({
  ...Object.fromEntries(Object.keys(becameOf(receivers.well)).map((id) => [id, ['compliant']])),
  [fallen]: ['compliant', 'not-compliant'],
})

async function expectEverything(receiver: Receiver, wait = WAIT): Promise<void> {
  await expect.poll(() => Object.keys(becameOf(receiver)).length, wait).toBe(3)
  await expect.poll(() => becameOf(receiver), wait).toEqual(everything())
}

describe('a receiver that', () => {
  test('is well gets everything while the others get nothing', async () => {
    await expectEverything(receivers.well)
    for (const kind of KINDS) if (kind !== 'well') expect(receivers[kind].taken).toEqual([])
    await expect.poll(() => show('well'), WAIT).toMatchObject({ waiting: 0, failure: null })
  })

  test.each(Object.entries(FAILURES))(
    'is %s has nothing lost, and %s is shown',
    async (kind, failure) => {
      await expect
        .poll(() => show(kind as keyof typeof FAILURES), WAIT)
        .toMatchObject({ waiting: 4, refused: 0, failure })
    },
  )

  test('refuses each has them listed', async () => {
    await expect.poll(() => show('refusing'), WAIT).toMatchObject({ waiting: 0, refused: 4 })
    const dead: Json[] = await world.cli('streams', 'dead', idOf('refusing'))
    expect(dead.map(({ failure }) => failure)).toEqual(Array(4).fill('invalid_request'))
  })

  test('has a name that leads to this machine on the second look is not connected to', async () => {
    expect(looksAt(REBOUND).slice(0, 2)).toEqual(PUBLIC_FIRST)
    expect(receivers.rebound.seen).toEqual([])
    // The same by a name that the configuration lists: so it is the guard that keeps the other one out.
    await expectEverything(receivers.named)
    expect(looksAt(NAMED).slice(0, 2)).toEqual(PUBLIC_FIRST)
  })

  test('redirects has nobody else called', () => {
    expect(receivers.redirecting.seen.length).toBeGreaterThan(0)
    expect(inner.seen).toEqual([])
  })

  test('failed gets everything afterwards, of each device in its order', async () => {
    slow.resolve()
    for (const kind of KINDS) receivers[kind].answer = undefined
    const back = await start(gonePort)
    await world.cli('streams', 'replay', idOf('refusing'), '--all')
    const { id, ask } = streams.get('rebound') ?? expect.unreachable()
    const delivery = { method: PUSH, endpoint_url: receivers.rebound.url }
    await ask('PATCH', { stream_id: id, delivery })
    const all = [...KINDS.map((kind) => receivers[kind]), back, receivers.rebound]
    await Promise.all(all.map((one) => expectEverything(one, AFTERWARDS)))
    expect(inner.seen).toEqual([])
  }, 180_000)
})

function looksAt(host: string): readonly string[] {
  if (!existsSync(looks)) return []
  const lines = readFileSync(looks, 'utf8').trim().split('\n')
  return lines.flatMap((line) => (line.startsWith(`${host} `) ? [line.slice(host.length + 1)] : []))
}
