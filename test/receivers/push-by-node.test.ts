import type { LookupAddress } from 'node:dns'
import type { ServerResponse } from 'node:http'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createCheckedLookup } from '../../src/receivers/checked-lookup.ts'
import { createPush, MAX_ANSWER_BYTES } from '../../src/receivers/push.ts'
import { createNodePost } from '../../src/receivers/push-by-node.ts'
import { createTlsIdentity } from '../support/azure/certificates.ts'

const HOST = 'receiver.example'
let authority: Awaited<ReturnType<typeof createTlsIdentity>>

beforeAll(async () => {
  authority = await createTlsIdentity([HOST, 'other.example'])
})

async function startServer(
  answer: (response: ServerResponse) => void,
  options: ServerOptions = {},
) {
  const seen: {
    headers: NodeJS.Dict<string | string[]>
    body: string
    port: number | undefined
  }[] = []
  const server = createServer({ ...authority.tls, ...options }, (request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      seen.push({ headers: request.headers, body, port: request.socket.remotePort })
      answer(response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, seen }
}

/** A name server that gives these addresses one look after the other, the last one for ever. */
function pusher(looks: readonly (readonly string[])[], privateHosts: readonly string[] = []) {
  let look = 0
  const hosts = new Set(privateHosts)
  const lookup = createCheckedLookup(hosts, (_, __, done) => {
    const addresses = looks[Math.min(look, looks.length - 1)] ?? []
    look += 1
    done(
      null,
      addresses.map((address): LookupAddress => ({ address, family: 4 })),
    )
  })
  const { post, close } = createNodePost({ lookup, privateHosts: hosts, ca: [authority.caPem] })
  onTestFinished(close)
  return { push: createPush(post), looks: () => look }
}

const LOOPBACK = [['127.0.0.1']]
const REFUSED = { kind: 'later', cause: 'its address is not a public one' }
const at = (port: number, host = HOST) => ({
  url: `https://${host}:${port}/in`,
  authorization: null,
})
const took = (response: ServerResponse) => void response.writeHead(202).end()

describe('a push', () => {
  test('is a POST of the token as RFC 8935 §2 has it, with what the stream is to be called with', async () => {
    const { port, seen } = await startServer(took)
    const { push } = pusher(LOOPBACK, [HOST])
    const target = { ...at(port), authorization: 'Bearer of-the-receiver' }
    expect(await push(target, 'a.b.c')).toEqual({ kind: 'delivered' })
    expect(seen[0]).toMatchObject({
      body: 'a.b.c',
      headers: {
        ...{ 'content-type': 'application/secevent+jwt', accept: 'application/json' },
        ...{ authorization: 'Bearer of-the-receiver', 'content-length': '5' },
      },
    })
  })

  test('goes over the connection of the one before', async () => {
    const { port, seen } = await startServer(took)
    const { push, looks } = pusher(LOOPBACK, [HOST])
    for (let turn = 0; turn < 5; turn++) await push(at(port), 'a.b.c')
    expect(new Set(seen.map((one) => one.port)).size).toBe(1)
    expect(looks()).toBe(1)
  })

  test('reads a refusal', async () => {
    const { port } = await startServer((response) => {
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end('{"err":"invalid_request"}')
    })
    expect(await pusher(LOOPBACK, [HOST]).push(at(port), 'a.b.c')).toMatchObject({
      ...{ kind: 'refused', error: 'invalid_request' },
    })
  })
})

describe('whoever makes a stream cannot have us connect', () => {
  test.each([
    ['to this machine', ['127.0.0.1']],
    ['to a private network', ['10.0.0.7']],
    ['to the addresses of a cloud machine about itself', ['169.254.169.254']],
    ['to one private address among public ones', ['8.8.8.8', '192.168.0.1']],
    ['to a name that leads nowhere', []],
  ])('%s', async (_, addresses) => {
    const { port, seen } = await startServer(took)
    expect(await pusher([addresses]).push(at(port), 'a.b.c')).toEqual(REFUSED)
    expect(seen).toEqual([])
  })

  test('to an address that stands in the URL itself, in any writing', async () => {
    const { port, seen } = await startServer(took)
    const { push, looks } = pusher(LOOPBACK)
    for (const host of [
      '127.0.0.1',
      '0x7f.1',
      '2130706433',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '127.1',
    ]) {
      expect(await push(at(port, host), 'a.b.c')).toEqual(REFUSED)
    }
    expect({ seen, looks: looks() }).toEqual({ seen: [], looks: 0 })
  })

  test('to a name that leads elsewhere on the second look (DNS rebinding)', async () => {
    const { port, seen } = await startServer(took)
    const { push, looks } = pusher([['8.8.8.8'], ['127.0.0.1']])
    void push(at(port), 'a.b.c')
    expect(await push(at(port), 'a.b.c')).toEqual(REFUSED)
    expect({ seen, looks: looks() }).toEqual({ seen: [], looks: 2 })
  })

  test('elsewhere by a redirect', async () => {
    const inner = await startServer(took)
    const { port } = await startServer((response) => {
      response.writeHead(307, { location: `https://${HOST}:${inner.port}/` }).end()
    })
    const outcome = await pusher(LOOPBACK, [HOST]).push(at(port), 'a.b.c')
    expect(outcome).toMatchObject({ kind: 'later', cause: '307' })
    expect(inner.seen).toEqual([])
  })

  test('without TLS', async () => {
    const outcome = await pusher(LOOPBACK, [HOST]).push(
      { url: `http://${HOST}/`, authorization: null },
      'a.b.c',
    )
    expect(outcome).toMatchObject({ kind: 'later', cause: 'no TLS' })
  })
})

describe('a receiver that', () => {
  test('speaks TLS 1.1 alone is not spoken to (CAEP interop §2.1)', async () => {
    const old: ServerOptions = {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL:@SECLEVEL=0',
    }
    const { port, seen } = await startServer(took, old)
    const outcome = await pusher(LOOPBACK, [HOST]).push(at(port), 'a.b.c')
    expect(outcome.kind).toBe('later')
    expect(seen).toEqual([])
  })

  test('has the certificate of another name is not spoken to', async () => {
    const { port, seen } = await startServer(took)
    const outcome = await pusher(LOOPBACK, ['third.example']).push(
      at(port, 'third.example'),
      'a.b.c',
    )
    expect(outcome).toMatchObject({ kind: 'later', cause: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    expect(seen).toEqual([])
  })

  test('answers without end is cut off', async () => {
    const { port } = await startServer((response) => {
      response.writeHead(400)
      const chunk = 'x'.repeat(MAX_ANSWER_BYTES)
      const write = () => {
        while (!response.destroyed && response.write(chunk));
      }
      response.on('drain', write)
      write()
    })
    const outcome = await pusher(LOOPBACK, [HOST]).push(at(port), 'a.b.c')
    expect(outcome).toMatchObject({ kind: 'later' })
  })

  test('hangs up in its answer is asked again', async () => {
    const { port } = await startServer((response) => {
      response.writeHead(202, { 'content-length': '100' })
      response.write('x')
      setTimeout(() => response.destroy(), 10)
    })
    expect((await pusher(LOOPBACK, [HOST]).push(at(port), 'a.b.c')).kind).toBe('later')
  })
})

/** Whoever has a stream to a host that others have theirs to as well, and a path there that answers nothing. */
test('ATTACK: a receiver that answers nothing keeps no place at its host from another one', async () => {
  const slow: ServerResponse[] = []
  const slowServer = await startServer((response) => {
    if (response.req.url === '/in') took(response)
    else slow.push(response)
  })
  const { push } = pusher(LOOPBACK, [HOST])
  const waiting = Array.from({ length: 65 }, () => {
    return push({ url: `https://${HOST}:${slowServer.port}/slow`, authorization: null }, 'a.b.c')
  })
  expect(await push(at(slowServer.port), 'a.b.c')).toEqual({ kind: 'delivered' })
  await vi.waitFor(() => expect(slow).toHaveLength(waiting.length))
  for (const response of slow) took(response)
  for (const outcome of await Promise.all(waiting)) expect(outcome.kind).toBe('delivered')
})

/**
 * RFC 9110 §15.2.2 has a client ask before; Node's own client, which is what is attacked here, ends the connection and
 * says nothing but that.
 */
test('ATTACK: a receiver that changes protocols unasked holds no push for ever', async () => {
  const { port } = await startServer((response) => {
    response.socket?.end(
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    )
  })
  const outcome = await pusher(LOOPBACK, [HOST]).push(at(port), 'a.b.c')
  expect(outcome).toEqual({ kind: 'later', cause: 'no answer' })
})

test('ATTACK: what is no answer of HTTP, or breaks off, is asked for again', async () => {
  for (const text of [
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 202 Accepted\r\ncontent-length: 10\r\n\r\nabc',
    'HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    'HTTP/1.1 202 Accepted\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    '220 mail.example ESMTP\r\n',
  ]) {
    const { port } = await startServer((response) => void response.socket?.end(text))
    expect((await pusher(LOOPBACK, [HOST]).push(at(port), 'a.b.c')).kind).toBe('later')
  }
})
