import { connect, type Socket } from 'node:net'
import { deviceIdOf } from '../../src/access/device-id.ts'
import { DEVICES, deviceKeyOf, type Fleet } from './fleet.ts'
import { readInput, say } from './variant.ts'

export type LoadInput = {
  readonly url: string
  readonly client: Fleet['client']
  /** Each with one request under way. */
  readonly connections: number
  readonly warmUpSeconds: number
  readonly seconds: number
  /** Whether each question asks for a receipt. */
  readonly receipts: boolean
}

export type LoadReport = {
  readonly requests: number
  readonly seconds: number
  readonly p50Millis: number
  readonly p99Millis: number
}

const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i

/**
 * A closed loop over keep-alive connections, each with one request under way. It writes prepared
 * bytes to plain sockets and reads no more of an answer than its end and its status, because what
 * the load costs is not there for the server: both share the machine.
 */
const input = readInput<LoadInput>()
const requests = prepareRequests(input)
const latencies: number[] = []
let position = 0
let measuring = false
let stopping = false

const { hostname, port } = new URL(input.url)
const sockets = Array.from({ length: input.connections }, () =>
  connect({ host: hostname, port: Number(port) }),
)
for (const socket of sockets) keepAsking(socket)

await sleep(input.warmUpSeconds)
say('warm')
measuring = true
const begun = performance.now()
await sleep(input.seconds)
measuring = false
const seconds = (performance.now() - begun) / 1000
stopping = true
for (const socket of sockets) socket.destroy()
latencies.sort((a, b) => a - b)
say({
  requests: latencies.length,
  seconds,
  p50Millis: quantile(0.5),
  p99Millis: quantile(0.99),
} satisfies LoadReport)

function keepAsking(socket: Socket): void {
  let pending = Buffer.alloc(0)
  let asked = 0
  const ask = () => {
    asked = performance.now()
    socket.write(requests[position++ % requests.length] ?? '')
  }
  socket.setNoDelay(true)
  socket.on('connect', ask)
  socket.on('error', fail)
  socket.on('close', () => {
    if (!stopping) fail(new Error('the server closed a connection'))
  })
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    const end = endOfAnswer(pending)
    if (end === undefined || pending.length < end) return
    if (pending.length > end) fail(new Error('more than one answer'))
    pending = Buffer.alloc(0)
    if (measuring) latencies.push(performance.now() - asked)
    ask()
  })
}

/** Where the answer ends, once its head is there; anything but 200 with a length is a failure. */
function endOfAnswer(answer: Buffer): number | undefined {
  const head = answer.indexOf(HEAD_END)
  if (head < 0) return undefined
  const text = answer.toString('latin1', 0, head + 2)
  const length = LENGTH.exec(text)?.[1]
  if (!text.startsWith('HTTP/1.1 200 ') || length === undefined) fail(new Error(text))
  return head + HEAD_END.length + Number(length)
}

/** One for each device, in an order that follows no index. */
function prepareRequests({ url, client, receipts }: LoadInput): readonly Buffer[] {
  const { host } = new URL(url)
  const basic = Buffer.from(`${client.id}:${client.secret}`).toString('base64')
  return Array.from({ length: DEVICES }, (_, index) => {
    const body = JSON.stringify({
      subject: { type: 'device', id: deviceIdOf(deviceKeyOf(index)) },
      action: { name: 'login' },
      resource: { type: 'application', id: 'mail' },
      ...(receipts && { context: { receipt: true } }),
    })
    const head = [
      'POST /access/v1/evaluation HTTP/1.1',
      `host: ${host}`,
      `authorization: Basic ${basic}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
    ]
    return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
  })
}

function quantile(share: number): number {
  const value = latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN
  return Math.round(value * 100) / 100
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

function fail(error: Error): never {
  console.error(error)
  process.exit(1)
}
