import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { makeDataDirectory } from '../support/data-directory.ts'
import {
  collect,
  folderForTest,
  launchServe,
  runCli,
  serveInTest,
  startCli,
} from './cli-process.ts'

vi.setConfig({ testTimeout: 120_000 })

/** One for all; every test ends what it starts. */
const data = mkdtempSync(join(tmpdir(), 'countersign-serve-'))
beforeAll(() => makeDataDirectory(data))
afterAll(() => rmSync(data, { recursive: true, maxRetries: 5 }))

test('serves on a free port, answers, and ends with 0 on SIGTERM', async () => {
  const service = await serveInTest(['--port', '0', '--data', data])
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200)
  const { code, stderr } = await service.end('SIGTERM')
  expect(code).toBe(0)
  // How its owner signs in to the console: told to who starts it, and to no log.
  expect(stderr).toMatch(
    /^Console: open this once, until \d\d:\d\d UTC\. Another one: .* people link\n\n {2}http:\/\/localhost:\d+\/console\/link\?token=[\w.-]+\n\n$/,
  )
  expect(JSON.stringify(service.lines())).not.toContain('token=')
  expect(service.lines().map(({ event }) => event)).toEqual([
    'hardware_unproven',
    'listening',
    'stopped',
  ])
})

test('the environment does the same as the options', async () => {
  const service = await serveInTest([], { PORT: '0', DATA_DIR: data })
  expect(existsSync(join(data, 'secret.key'))).toBe(true)
  expect(statSync(join(data, 'secret.key')).mode & 0o077).toBe(0)
  expect((await service.end('SIGINT')).code).toBe(0)
})

test('finishes the request that is under way when it is asked to stop', async () => {
  const service = await serveInTest(['--port', '0', '--data', data])
  const { hostname, port } = new URL(service.url)
  const body = JSON.stringify({ device_key: randomBytes(32).toString('base64') })
  const socket = connect(Number(port), hostname)
  onTestFinished(() => {
    socket.destroy()
  })
  let answer = ''
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text
  })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const head = ['POST /v1/challenge HTTP/1.1', `Host: ${hostname}:${port}`]
  const headers = ['Content-Type: application/json', `Content-Length: ${body.length}`]
  socket.write(`${[...head, ...headers].join('\r\n')}\r\n\r\n${body.slice(0, 10)}`)
  // Headers and half of the body have arrived when another request is answered after them.
  await fetch(`${service.url}/healthz`)
  const ending = service.end('SIGTERM')
  await expect
    .poll(() =>
      fetch(`${service.url}/healthz`).then(
        () => 'answers',
        () => 'closed',
      ),
    )
    .toBe('closed')
  socket.write(body.slice(10))
  await closed
  expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  expect(answer).toContain('"nonce"')
  expect((await ending).code).toBe(0)
})

test('a configuration with several mistakes lists all of them and does not start', async () => {
  const fresh = join(folderForTest(), 'data')
  const { code, stdout, stderr } = await runCli(['serve', '--port', 'eighty', '--data', fresh], {
    HOST: '0.0.0.0',
    DATABASE_URL: 'mysql://localhost/x',
    SECRET_KEY: 'short',
    ENROLMENT: 'maybe',
    CLOCK_SKEW_SECONDS: '9999',
    AK_TRUST_ANCHORS_FILE: '/no/such/file',
    LOG_LEVEL: 'loud',
  })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  const [head, ...mistakes] = stderr.trimEnd().split('\n')
  expect(head).toBe('countersign: the configuration has mistakes:')
  expect(new Set(mistakes.map((line) => line.trim().split(':')[0]))).toEqual(
    new Set([
      '--port',
      'PUBLIC_URL',
      'DATABASE_URL',
      'SECRET_KEY',
      'ENROLMENT',
      'CLOCK_SKEW_SECONDS',
      'AK_TRUST_ANCHORS_FILE',
      'LOG_LEVEL',
    ]),
  )
  expect(existsSync(fresh)).toBe(false)
})

test('a file of trust anchors that holds none is named as such', async () => {
  const file = join(folderForTest(), 'anchors.pem')
  writeFileSync(file, 'hello')
  const { code, stderr } = await runCli(['serve'], { AK_TRUST_ANCHORS_FILE: file })
  expect(code).toBe(1)
  expect(stderr).toContain(`AK_TRUST_ANCHORS_FILE: ${file} hello names no known root`)
})

test('a port in use is told in words', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => {
    other.close()
  })
  await new Promise((resolve) => other.once('listening', resolve))
  const address = other.address()
  const port = typeof address === 'object' ? String(address?.port) : ''
  const { code, stderr } = await runCli(['serve', '--port', port, '--data', data])
  expect(code).toBe(1)
  expect(stderr).toBe(
    `countersign: port ${port} of 127.0.0.1 is in use: choose another (--port, PORT; 0 picks a free one)\n`,
  )
})

test('a data directory that cannot be one is told in words', async () => {
  const folder = folderForTest()
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const { code, stderr } = await runCli(['serve', '--port', '0', '--data', file])
  expect(code).toBe(1)
  expect(stderr).toContain(`cannot use the data directory ${file} (--data, DATA_DIR): `)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})

test('another secret than the database was first used with is refused, and names both places', async () => {
  const { code, stderr } = await runCli(['serve', '--port', '0', '--data', data], {
    SECRET_KEY: randomBytes(32).toString('base64'),
  })
  expect(code).toBe(1)
  expect(stderr).toContain('sealed with another master secret')
  expect(stderr).toContain(`(SECRET_KEY, or secret.key in ${data})`)
})

test('a second service on one data directory waits for the first one, and takes over', async () => {
  const first = await serveInTest(['--port', '0', '--data', data])
  const second = launchServe(['--port', '0', '--data', data])
  onTestFinished(async () => {
    await second.end('SIGKILL')
  })
  await second.logged('data_directory_in_use')
  expect((await first.end('SIGTERM')).code).toBe(0)
  const { url } = await second.logged('listening')
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
})

test('a database that cannot be reached is told by host and name, without the password', async () => {
  const url = 'postgres://someone:geheim@127.0.0.1:1/trust'
  for (const command of [['migrate'], ['clients', 'list']]) {
    const { code, stderr } = await runCli(command, { DATABASE_URL: url })
    expect(code).toBe(1)
    expect(stderr).toContain('cannot reach PostgreSQL at 127.0.0.1:1/trust (DATABASE_URL): ')
    expect(stderr).not.toContain('geheim')
  }
  // A service waits for it.
  const service = launchServe(['--port', '0', '--data', folderForTest()], { DATABASE_URL: url })
  const waits = await service.logged('waiting_for_database')
  expect(waits).toMatchObject({ database: '127.0.0.1:1/trust', kind: 'connection', looks: 1 })
  const { code } = await service.end('SIGTERM')
  expect({ code, lines: JSON.stringify(service.lines()) }).toEqual({
    code: 0,
    lines: expect.not.stringContaining('geheim'),
  })
})

test('a reader that has seen enough is no fault', async () => {
  const child = startCli(['devices', '--help'])
  child.stdout?.destroy()
  const { code, stderr } = await collect(child)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
