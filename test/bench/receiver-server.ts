import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TlsIdentity } from '../support/azure/https-server.ts'
import { readInput, say } from './variant.ts'

export type ReceiverInput = { readonly tls: TlsIdentity; readonly told: 'each' | number }

/** What it says of a token: of which device, and when it was there whole, in milliseconds of the epoch. */
export type Arrival = { readonly deviceId: string; readonly at: number }

/**
 * A receiver of pushes (RFC 8935) over TLS that takes everything: it says where it is, and then of each token that it
 * has come, or once that so many have.
 */
const { tls, told } = readInput<ReceiverInput>()
let taken = 0
const server = createServer({ cert: tls.cert, key: tls.key }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const at = performance.timeOrigin + performance.now()
    taken += 1
    if (told === 'each') {
      const [, claims = ''] = Buffer.concat(chunks).toString().split('.')
      const { sub_id } = JSON.parse(Buffer.from(claims, 'base64url').toString())
      say({ deviceId: sub_id.sub, at } satisfies Arrival)
    } else if (taken === told) say({ at })
    response.writeHead(202).end()
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  say({ url: `https://localhost:${port}/in` })
})
process.on('SIGTERM', () => process.exit())
