import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { createOutagePlan, type Outage, type OutageOptions } from './outages.ts'

export type ReceivedRequest = {
  readonly method: string
  /** Path and query as sent. */
  readonly path: string
  readonly authorization: string | undefined
  readonly body: string
}

export type Answer = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body: unknown
}

export type TlsIdentity = { readonly cert: string; readonly key: string }

/** A server on a port of its own that can be made to fail. */
export type FailingServer = {
  /** `https://localhost:PORT` */
  readonly url: string
  /** Everything that arrived, answered or not. */
  readonly requests: readonly ReceivedRequest[]
  readonly fail: (how: Outage, options?: OutageOptions) => void
  /** Ends every outage. Requests that hang already go on hanging. */
  readonly recover: () => void
  readonly close: () => Promise<void>
}

const HOST = '127.0.0.1'
/** Longer than any client keeps an idle connection, so that none is closed while it is being used. */
const KEEP_ALIVE_MS = 90_000

export async function startHttpsServer(input: {
  readonly tls: TlsIdentity
  readonly answer: (request: ReceivedRequest) => Promise<Answer>
}): Promise<FailingServer> {
  const requests: ReceivedRequest[] = []
  const sockets = new Set<Duplex>()
  const plan = createOutagePlan()
  const server = createServer({ ...input.tls, keepAliveTimeout: KEEP_ALIVE_MS })
  server.on('connection', (socket: Duplex) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('request', (message, response) => {
    serve(message, response).catch(() => response.destroy())
  })

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await readRequest(message)
    requests.push(request)
    const outage = plan.take(request.path)
    if (outage?.kind === 'hang') return
    if (outage?.kind === 'status') {
      const type = outage.body === undefined ? {} : { 'content-type': 'application/json' }
      response.writeHead(outage.status, { ...type, ...outage.headers }).end(outage.body)
      return
    }
    if (outage?.kind === 'slow') await sleep(outage.ms, undefined, { ref: false })
    const answer = await answerOrBreak(input.answer, request)
    if (outage?.kind === 'cut') cutOff(response, answer)
    else response.writeHead(answer.status, headersOf(answer)).end(JSON.stringify(answer.body))
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, HOST, resolve)
  })
  server.removeAllListeners('error')
  const { port } = server.address() as AddressInfo
  const stopListening = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `https://localhost:${port}`,
    requests,
    fail: (how, options) => {
      if (how.kind !== 'refuse_connections') return plan.add(how, options)
      if (options?.path !== undefined || options?.times !== undefined) {
        throw new TypeError('a refused connection has no path and is not counted')
      }
      stopListening()
    },
    recover: () => {
      plan.clear()
      if (!server.listening) server.listen(port, HOST)
    },
    close: async () => {
      const closed = server.listening
        ? new Promise<void>((resolve) => server.once('close', () => resolve()))
        : Promise.resolve()
      stopListening()
      await closed
    },
  }
}

async function readRequest(message: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return {
    method: message.method ?? '',
    path: message.url ?? '',
    authorization: message.headers.authorization,
    body: Buffer.concat(chunks).toString('utf8'),
  }
}

/** A fault of the stand-in itself is shown, since whoever reads it is looking for it. */
async function answerOrBreak(
  answer: (request: ReceivedRequest) => Promise<Answer>,
  request: ReceivedRequest,
): Promise<Answer> {
  try {
    return await answer(request)
  } catch (error) {
    console.error('the stand-in for Azure broke', error)
    return { status: 500, body: { error: { code: 'InternalError', message: String(error) } } }
  }
}

function cutOff(response: ServerResponse, answer: Answer): void {
  const body = Buffer.from(JSON.stringify(answer.body))
  response.writeHead(answer.status, headersOf(answer))
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy())
}

/** As in the recordings of Azure. */
function headersOf(answer: Answer): Record<string, string> {
  return {
    'content-type': 'application/json; charset=utf-8',
    server: 'Kestrel',
    'transfer-encoding': 'chunked',
    'x-ms-request-id': `00-${randomHex(16)}-${randomHex(8)}-00`,
    ...answer.headers,
  }
}

function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex')
}
