import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { decodeJwt } from 'jose'
import { onTestFinished } from 'vitest'
import type { TlsIdentity } from '../../support/azure/https-server.ts'
import type { Json } from '../../support/json.ts'

/** A receiver of pushes (RFC 8935) over a real socket, that answers as it is told. */
export type Receiver = {
  readonly url: string
  /** The claims of each token that it took, in the order in which they came. */
  readonly taken: Json[]
  /** All that came, taken or not: headers and body. */
  readonly seen: { readonly headers: Json; readonly body: string }[]
  /** How it answers from now on; `undefined` takes everything. */
  answer: ((response: ServerResponse, claims: Json) => void) | undefined
}

/**
 * `atEnd` has it closed: at the end of the test, unless told otherwise. With `tls` it is at a URL of `https` and
 * the name `localhost`, and else without TLS; on a port of its own, unless one is named.
 */
export async function startReceiver(
  atEnd: (close: () => void) => void = onTestFinished,
  { tls, port: wanted = 0 }: { readonly tls?: TlsIdentity; readonly port?: number } = {},
): Promise<Receiver> {
  const taken: Json[] = []
  const seen: Receiver['seen'] = []
  const listener: RequestListener = (request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      seen.push({ headers: request.headers, body })
      const claims: Json = decodeJwt(body)
      if (receiver.answer !== undefined) return receiver.answer(response, claims)
      taken.push(claims)
      response.writeHead(202).end()
    })
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  await new Promise<void>((resolve) => server.listen(wanted, '127.0.0.1', resolve))
  atEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const url = tls === undefined ? `http://127.0.0.1:${port}/` : `https://localhost:${port}/`
  const receiver: Receiver = { url, taken, seen, answer: undefined }
  return receiver
}
