import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { createNodeFetchJson } from '../../src/keysets/fetch-by-node.ts'
import { MAX_SET_BYTES } from '../../src/keysets/limits.ts'
import { createCheckedLookup } from '../../src/receivers/checked-lookup.ts'
import { createTlsIdentity } from '../support/azure/certificates.ts'

/** A real HTTPS server on loopback, which a name server of the test leads to, or away from. */
const HOST = 'client.example'
let authority: Awaited<ReturnType<typeof createTlsIdentity>>
beforeAll(async () => {
  authority = await createTlsIdentity([HOST])
})

async function start(
  answer: { readonly status?: number; readonly body?: string; readonly location?: string },
  options: ServerOptions = {},
) {
  let asked = 0
  const { status = 200, body = '{"keys":[]}', location } = answer
  const server = createServer({ ...authority.tls, ...options }, (_, response) => {
    asked += 1
    response.writeHead(status, location === undefined ? {} : { location }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, asked: () => asked }
}

function fetcher(address: string, privateHosts: readonly string[]) {
  const hosts = new Set(privateHosts)
  const lookup = createCheckedLookup(hosts, (_, __, done) => done(null, [{ address, family: 4 }]))
  return createNodeFetchJson({ lookup, privateHosts: hosts, ca: [authority.caPem] })
}

test('a key set is fetched from a private address where the configuration names its host', async () => {
  const { port } = await start({})
  const fetchJson = fetcher('127.0.0.1', [HOST])
  expect(await fetchJson(`https://${HOST}:${port}/jwks`)).toEqual({ keys: [] })
})

test('no other private address is connected to, by name or as it is written', async () => {
  const { port, asked } = await start({})
  for (const address of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '192.168.0.1']) {
    expect(await fetcher(address, [])(`https://${HOST}:${port}/jwks`)).toBeUndefined()
  }
  for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '0x7f000001', '2130706433']) {
    expect(await fetcher('127.0.0.1', [])(`https://${host}:${port}/jwks`)).toBeUndefined()
  }
  expect(await fetcher('127.0.0.1', [HOST])(`http://${HOST}:${port}/jwks`)).toBeUndefined()
  expect(asked()).toBe(0)
})

test('a redirect, an error, too much, and what is no JSON object give nothing', async () => {
  for (const answer of [
    { status: 302, location: 'https://127.0.0.1/' },
    { status: 404 },
    { body: `{"keys":["${'a'.repeat(MAX_SET_BYTES)}"]}` },
    { body: '{"keys":[],"keys":[]}' },
    { body: 'x' },
  ]) {
    const { port } = await start(answer)
    expect(await fetcher('127.0.0.1', [HOST])(`https://${HOST}:${port}/jwks`)).toBeUndefined()
  }
})

test('TLS before 1.2 is refused', async () => {
  const { port } = await start({}, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' })
  expect(await fetcher('127.0.0.1', [HOST])(`https://${HOST}:${port}/jwks`)).toBeUndefined()
})

test('ATTACK: whoever publishes keys and changes protocols unasked holds no request for ever', async () => {
  const server = createServer(authority.tls, (_, { socket }) => {
    socket?.end(
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  expect(await fetcher('127.0.0.1', [HOST])(`https://${HOST}:${port}/jwks`)).toBeUndefined()
})
