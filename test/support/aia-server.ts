import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How the stand-in answers one URL. */
export type AiaAnswer = Uint8Array | ((request: IncomingMessage, response: ServerResponse) => void)

/** A server on the loopback that stands in for every host that certificates name. */
export type AiaServer = {
  /** Takes requests for any host, as if it were that host. */
  readonly fetch: typeof fetch
  readonly port: number
  /** By the URL that a certificate names, or by a path, for whoever asks the server itself. */
  readonly serve: (url: string, answer: AiaAnswer) => void
  /** The URLs that were asked for. */
  readonly asked: string[]
  readonly close: () => Promise<void>
}

export async function startAiaServer(): Promise<AiaServer> {
  const answers = new Map<string, AiaAnswer>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    // What went through `fetch` has the whole URL as its path.
    const path = request.url ?? ''
    const url = path.startsWith('/http') ? decodeURIComponent(path.slice(1)) : path
    asked.push(url)
    const answer = answers.get(url)
    if (answer === undefined) response.writeHead(404).end()
    else if (typeof answer === 'function') answer(request, response)
    else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    fetch: (url, init) =>
      fetch(`http://127.0.0.1:${port}/${encodeURIComponent(String(url))}`, init),
    port,
    serve: (url, answer) => answers.set(url, answer),
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
