import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TlsIdentity } from './certificates.ts'
import { OutagePlan } from './outages.ts'

export type Received = {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Answer = {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export type RunningServer = {
  readonly url: string
  readonly outages: OutagePlan
  readonly close: () => Promise<void>
}

/** Serves JSON over TLS on a free port of the loopback interface. */
export async function startHttpsServer(
  tls: TlsIdentity,
  answer: (received: Received) => Promise<Answer>,
): Promise<RunningServer> {
  const outages = new OutagePlan()
  const sockets = new Set<Socket>()
  const server = createServer({ key: tls.key, cert: tls.cert }, (request, response) => {
    void handle({ request, response, outages, answer })
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (outages.takeRefusal()) socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const fail = outages.fail.bind(outages)
  outages.fail = (how, options) => {
    fail(how, options)
    // A connection that is open already would still be answered.
    if (how.kind === 'refuse_connections') for (const socket of sockets) socket.destroy()
  }
  return {
    url: `https://localhost:${port}`,
    outages,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

async function handle(input: {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly outages: OutagePlan
  readonly answer: (received: Received) => Promise<Answer>
}): Promise<void> {
  const { request, response, outages, answer } = input
  try {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = '', url: path = '', headers } = request
    const body = Buffer.concat(chunks).toString('utf8')
    const given = await answer({ method, path, headers, body })
    if (await outages.apply(request, response)) return
    response.writeHead(given.status, {
      'content-type': 'application/json; charset=utf-8',
      ...given.headers,
    })
    response.end(JSON.stringify(given.body))
  } catch (error) {
    if (!response.headersSent) response.writeHead(500)
    response.end(String(error))
  }
}
