import { randomBytes } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { createHolder, keySetOf, tokenOf } from '../access/break-glass/break-glass-fixture.ts'
import { launchServe } from '../cli/cli-process.ts'
import { freePort } from '../support/free-port.ts'
import { describePostgres, startPostgres } from '../support/postgres.ts'

const TIMEOUT_MS = 120_000
const DEVICE = 'dev_vtncznp2gxu7uaagijppaxlgmposglqu2qkvqa345blqxpfzurdq'
const QUESTION = {
  subject: { type: 'device', id: DEVICE },
  action: { name: 'signin' },
  resource: { type: 'application', id: 'mail' },
}

describePostgres('a process of the service', () => {
  const start = async () => {
    const server = await startPostgres()
    onTestFinished(server.stop)
    const holders = [await createHolder('alice'), await createHolder('bob')]
    const env = {
      DATABASE_URL: await server.createMigrated('service'),
      SECRET_KEY: randomBytes(32).toString('base64'),
      BREAK_GLASS_KEYS: keySetOf(...holders),
    }
    return { server, env, holders }
  }
  const launch = (env: Readonly<Record<string, string>>) => {
    const service = launchServe([], env)
    onTestFinished(async () => {
      await service.end('SIGKILL')
    })
    return service
  }

  test('that starts while its database is away serves break-glass, and comes up by itself', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { server, env, holders } = await start()
    await server.kill()
    const port = String(await freePort())
    const url = `http://localhost:${port}`
    const service = launch({ ...env, PORT: port })
    expect(await service.logged('waiting_for_database')).toMatchObject({ kind: 'connection' })
    const ask = (headers: Readonly<Record<string, string>> = {}) =>
      fetch(`${url}/access/v1/evaluation`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(QUESTION),
      })
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    const unready = await fetch(`${url}/readyz`)
    expect(unready.status).toBe(503)
    expect(Number(unready.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await ask()).status).toBe(503)
    const azure = await fetch(`${url}/attest/Tpm`, { method: 'POST' })
    expect(await azure.json()).toMatchObject({ error: { code: 'ServiceUnavailable' } })
    const iat = Math.floor(Date.now() / 1000)
    const claims = { aud: url, sub: DEVICE, iat, exp: iat + 600 }
    const opened = await ask({ 'break-glass': await tokenOf(holders, claims) })
    expect(await opened.json()).toMatchObject({ decision: true })
    const granted = 'countersign_break_glass_total{outcome="granted"} 1\n'
    const metrics = async () => (await fetch(`${url}/metrics`)).text()
    expect(await metrics()).toContain(granted)
    expect(await metrics()).toMatch(/^countersign_store_faults_total\{kind="connection"\} [1-9]/m)

    await server.restart()
    await service.logged('listening')
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    expect((await ask()).status).toBe(401)
    // Of one process: what was granted meanwhile is in them still.
    expect(await metrics()).toContain(granted)
    expect(await metrics()).toContain('countersign_database_connections{pool="decisions"')
    expect((await service.end('SIGTERM')).code).toBe(0)
  })

  test('that still waits for its database ends when it is told to', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const DATABASE_URL = `postgres://nobody@127.0.0.1:${await freePort()}/nothing`
    const service = launch({
      DATABASE_URL,
      SECRET_KEY: randomBytes(32).toString('base64'),
      PORT: '0',
    })
    await service.logged('waiting_for_database')
    expect((await service.end('SIGTERM')).code).toBe(0)
  })

  test('with another PUBLIC_URL than those on its database is refused by name, until they have ended', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { env } = await start()
    const serve = (host: string) => ({ ...env, PORT: '0', PUBLIC_URL: `https://${host}` })
    const first = launch(serve('one.example'))
    await first.logged('listening')
    const same = launch(serve('one.example'))
    await same.logged('listening')
    const refused = await launch(serve('two.example')).end('SIGCONT')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('https://one.example')
    expect(refused.stderr).toContain('https://two.example')
    for (const one of [first, same]) expect((await one.end('SIGTERM')).code).toBe(0)
    const other = launch(serve('two.example'))
    await other.logged('listening')
  })
})
