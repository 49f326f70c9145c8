import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { createLog } from '../../src/base/log.ts'
import { readNodeConfig } from '../../src/config/node-config.ts'
import { startNodeService } from '../../src/node.ts'

const logs: string[] = []
const log = createLog({
  level: 'debug',
  write: (line) => logs.push(line),
  clock: () => new Date(),
})
const environment = {
  PORT: '0',
  DATA_DIR: 'memory',
  SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
}
const service = await startNodeService(await readNodeConfig(environment), { log })
afterAll(() => service.close())
const { port } = new URL(service.url)

const CHALLENGE = { device_key: `${'A'.repeat(43)}=` }
const json = { 'content-type': 'application/json' }

/** Writes bytes to the socket as they are, and reads until the server is done or silent. */
function exchange(
  text: string,
  options: { readonly end?: boolean; readonly encoding?: BufferEncoding } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(text, options.encoding ?? 'utf8')
      if (options.end) socket.end()
    })
    let answer = ''
    const timer = setTimeout(() => socket.destroy(), 1_000)
    socket.on('data', (data) => {
      answer += data.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer)
    })
  })
}

function head(lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** VCHAR, white space within, and obs-text: RFC 9110 §5.5. */
function fieldBytes(): string {
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))
  return bytes
    .filter((one) => /[\x20-\x7e\x80-\xff]/.test(one))
    .join('')
    .trim()
}

const faults = () => logs.filter((line) => line.includes('"event":"fault"'))

describe('over a socket', () => {
  test('a request is answered with a length, an id and a type', async () => {
    const answer = await fetch(`${service.url}/v1/challenge`, {
      method: 'POST',
      headers: { ...json, 'x-request-id': 'a b' },
      body: JSON.stringify(CHALLENGE),
    })
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/json',
      'content-length': expect.stringMatching(/^\d+$/),
      'cache-control': 'no-store',
      'x-request-id': 'a b',
      'x-content-type-options': 'nosniff',
    })
  })

  test.each([
    ['UTF-8', Buffer.from('Île-de-France 東京', 'utf8')],
    ['ISO 8859-1', Buffer.from('Yucat\xe1n', 'latin1')],
    ['every byte that may stand in a header', Buffer.from(fieldBytes(), 'latin1')],
    ['quotes and back slashes', Buffer.from('"\\\'; <script>')],
  ])('the id of a request comes back byte for byte: %s', async (_, id) => {
    const from = logs.length
    for (const [path, status] of [
      ['/healthz', 200],
      ['/nowhere', 404],
      ['/access/v1/evaluation', 404],
      ['/.well-known/authzen-configuration', 200],
    ] as const) {
      const lines = [`GET ${path} HTTP/1.1`, 'Host: a', 'Connection: close']
      const answer = await exchange(head([...lines, `X-Request-ID: ${id.toString('latin1')}`]), {
        encoding: 'latin1',
      })
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status === 404 ? '40[45]' : status} `))
      expect(/^x-request-id: (.*)\r$/im.exec(answer)?.[1]).toBe(id.toString('latin1'))
      // The body is as long as it says: nothing of the head has grown into it.
      const [, body = ''] = answer.split('\r\n\r\n')
      expect(body.length).toBe(Number(/^content-length: (\d+)\r$/im.exec(answer)?.[1]))
    }
    const lines = logs.slice(from)
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) {
      expect(line.indexOf('\n')).toBe(line.length - 1)
      expect(JSON.parse(line)).toMatchObject({ event: expect.any(String) })
    }
  })

  test('a body that comes a byte at a time is cut off, though it never stops coming', async () => {
    const options = { log, requestTimeoutMs: 600 }
    const hasty = await startNodeService(await readNodeConfig(environment), options)
    const socket = connect(Number(new URL(hasty.url).port), '127.0.0.1')
    socket.on('error', () => {})
    let answer = ''
    socket.on('data', (data) => {
      answer += data
    })
    const lines = ['POST /v1/challenge HTTP/1.1', 'Host: a', 'Content-Type: application/json']
    socket.write(head([...lines, 'Content-Length: 1000']))
    const drip = setInterval(() => socket.write(' '), 20)
    await new Promise((resolve) => socket.once('close', resolve))
    clearInterval(drip)
    expect(answer).toMatch(/^HTTP\/1\.1 4(?:08|00) /)
    await hasty.close()
  })

  test('too large a body is refused with an answer, and the service lives on', async () => {
    for (const body of [
      'a'.repeat(4_000_000),
      new ReadableStream({
        pull(controller) {
          controller.enqueue(new Uint8Array(65_536))
          if (Math.random() < 0.01) controller.close()
        },
      }),
    ]) {
      const answer = await fetch(`${service.url}/v1/challenge`, {
        method: 'POST',
        headers: json,
        body,
        duplex: 'half',
      } as RequestInit)
      expect(answer.status).toBe(413)
      expect(await answer.json()).toMatchObject({ code: 'body_too_large' })
    }
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    expect(faults()).toEqual([])
  })

  test('an upload that breaks off is no fault of ours', async () => {
    for (const framing of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
      const start = ['POST /v1/challenge HTTP/1.1', 'Host: a', 'Content-Type: application/json']
      const socket = connect(Number(port), '127.0.0.1')
      socket.on('error', () => {})
      socket.write(
        `${head([...start, framing])}${framing.includes('chunked') ? '1\r\n{\r\n' : '{'}`,
      )
      await delay(50)
      socket.destroy()
    }
    await delay(100)
    expect(faults()).toEqual([])
    expect(logs.join('')).toContain('"status":400')
  })

  test('no host that a client makes up is a fault', async () => {
    const body = JSON.stringify({ token: 'a.b.c' })
    const hosts = ['999.999.999.999', '1.2.3.4.5', 'a..b', '[::1', 'a b', '', 'xn--a', '%00', 'é']
    for (const host of hosts) {
      const answer = await exchange(
        head([
          'POST /v1/attestations HTTP/1.1',
          `Host: ${host}`,
          'Content-Type: application/json',
          `Content-Length: ${body.length}`,
          'Connection: close',
        ]) + body,
      )
      expect(answer, host).toMatch(/^HTTP\/1\.1 400 /)
    }
    expect(faults()).toEqual([])
  })

  test('a request whose length can be read in two ways is refused', async () => {
    const start = ['POST /v1/challenge HTTP/1.1', 'Host: a', 'Content-Type: application/json']
    for (const lines of [
      ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      ['Content-Length: 5', 'Content-Length: 6'],
      ['Content-Length: -5'],
      ['Content-Length: 5, 5'],
      ['Transfer-Encoding: chunked, identity'],
      ['Transfer-Encoding : chunked'],
      [' Content-Length: 5'],
    ]) {
      const answer = await exchange(
        `${head([...start, ...lines])}0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n`,
      )
      expect(answer, lines.join()).toMatch(/^HTTP\/1\.1 400 /)
      expect(answer.match(/HTTP\/1\.1/g), lines.join()).toHaveLength(1)
    }
  })

  test('headers without end are refused', async () => {
    const answer = await exchange(
      head(['GET /healthz HTTP/1.1', 'Host: a', `X-Filler: ${'a'.repeat(20_000)}`]),
    )
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('a GET with a body, which the conformance suite sends, is refused as a GET', async () => {
    const body = JSON.stringify({ subject: {} })
    const answer = await exchange(
      head([
        'GET /access/v1/evaluation HTTP/1.1',
        'Host: a',
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        'Connection: close',
      ]) + body,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 405 /)
  })

  test('two proofs in two headers arrive as one that is none', async () => {
    const body = JSON.stringify({ token: 'a.b.c' })
    const answer = await exchange(
      head([
        'POST /v1/attestations HTTP/1.1',
        `Host: localhost:${port}`,
        'Content-Type: application/json',
        'DPoP: a.b.c',
        'DPoP: d.e.f',
        `Content-Length: ${body.length}`,
        'Connection: close',
      ]) + body,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  })
})

describe('a service that is told to stop', () => {
  test('finishes what is under way, takes nothing new and lets idle connections go', async () => {
    const other = await startNodeService(await readNodeConfig(environment), { log })
    const target = new URL(other.url)
    const agent = new Agent({ keepAlive: true })
    const idle = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${other.url}/healthz`, { agent }, (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode))
      })
      sent.on('error', reject).end()
    })
    expect(idle).toBe(200)

    const body = JSON.stringify(CHALLENGE)
    const underWay = new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${other.url}/v1/challenge`, {
        method: 'POST',
        agent: new Agent({ keepAlive: true }),
        headers: { ...json, 'content-length': String(body.length) },
      })
      sent.on('response', (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode))
      })
      sent.on('error', reject)
      sent.write(body.slice(0, 5))
      setTimeout(() => sent.end(body.slice(5)), 300)
    })
    await delay(100)
    const closed = other.close()
    await delay(50)
    const refused = await fetch(`http://127.0.0.1:${target.port}/healthz`).catch(() => 'refused')
    expect(refused).toBe('refused')
    expect(await underWay).toBe(200)
    await closed
    expect(logs.filter((line) => line.includes('connections_cut'))).toEqual([])
    agent.destroy()
  })

  test('a port that is taken is an error for the operator', async () => {
    const taken = await readNodeConfig({ ...environment, PORT: port })
    await expect(startNodeService(taken, { log })).rejects.toThrow(/EADDRINUSE/)
  })
})
