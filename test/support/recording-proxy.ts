import { createServer } from 'node:http'
import type { Exchange } from './api-messages.ts'

/** Stands on a port of loopback before a service and writes down what passes. */
export type RecordingProxy = {
  readonly exchanges: readonly Exchange[]
  readonly close: () => Promise<void>
}

/** Passes each request on to `target` as it came. */
export async function startRecordingProxy(port: number, target: string): Promise<RecordingProxy> {
  const exchanges: Exchange[] = []
  const server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString('utf8')
    const { method = 'GET', url = '/' } = request
    const headers = new Headers()
    for (const name of ['content-type', 'authorization', 'dpop', 'accept']) {
      const value = request.headers[name]
      if (typeof value === 'string') headers.set(name, value)
    }
    const sent = method === 'GET' ? { method, headers } : { method, headers, body }
    const got = await fetch(new URL(url, target), sent)
    const answer = await got.text()
    const { pathname: path } = new URL(url, target)
    if (method === 'POST') exchanges.push({ path, headers, body, status: got.status, answer })
    const passed = ['content-type', 'date', 'retry-after'].flatMap((name) => {
      const value = got.headers.get(name)
      return value === null ? [] : [[name, value]]
    })
    response.writeHead(got.status, Object.fromEntries(passed)).end(answer)
  })
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening))
  return {
    exchanges,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}
