import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AttestationAgent } from '../../src/simulator/agent.ts'
import { primeSharingKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice } from '../../src/simulator/virtual-device.ts'
import type { Json } from '../support/json.ts'
import { describePostgres, FORGETFUL, type Postgres, startPostgres } from '../support/postgres.ts'
import { expectOk } from '../support/refusal.ts'
import { folderForTest, runCli, serveInTest } from './cli-process.ts'

describePostgres('the command line on PostgreSQL', () => {
  let server: Postgres

  beforeAll(async () => {
    server = await startPostgres({ settings: FORGETFUL })
  })
  afterAll(() => server.stop())

  /** A migrated database of its own, and what every process on it is told. */
  async function prepare(name: string) {
    const env = {
      DATABASE_URL: await server.createMigrated(name),
      SECRET_KEY: randomBytes(32).toString('base64'),
    }
    return env
  }

  async function createClient(env: Record<string, string>, scope: string): Promise<string> {
    const args = ['clients', 'create', '--name', 'test', '--scope', scope, '--json']
    const { client_id, client_secret } = JSON.parse((await runCli(args, env)).stdout)
    return `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`
  }

  test('a database that is not migrated is refused with the remedy, which may be repeated', async () => {
    const env = { DATABASE_URL: await server.createDatabase('bare'), DATA_DIR: folderForTest() }
    for (const args of [
      ['serve', '--port', '0'],
      ['clients', 'list'],
      ['devices', 'list'],
    ]) {
      const { code, stderr } = await runCli(args, env)
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /lacks \d+ migrations \(.+\): run "npm run -s countersign -- migrate" first\n$/,
      )
    }
    const first = await runCli(['migrate'], env)
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toMatch(/^Applied \d+ migrations: 0000_\w+, 0001_\w+/)
    const again = await runCli(['migrate'], env)
    expect(again).toMatchObject({ code: 0, stdout: 'The database is current.\n', stderr: '' })
    expect(await runCli(['clients', 'list'], env)).toMatchObject({ code: 0 })
  })

  test('a database that there is not, and a wrong user, are told in words', async () => {
    const nowhere = Object.assign(new URL(server.url), { pathname: '/nowhere' }).toString()
    const missing = await runCli(['migrate'], { DATABASE_URL: nowhere })
    expect(missing.stderr).toMatch(/PostgreSQL at [\d.:]+\/nowhere \(DATABASE_URL\) refuses: .+\n$/)
    const stranger = Object.assign(new URL(server.url), { username: 'nobody' }).toString()
    const refused = await runCli(['devices', 'list'], { DATABASE_URL: stranger })
    expect(refused.stderr).toMatch(/\(DATABASE_URL\) refuses: .*nobody/)
    expect([missing.code, refused.code]).toEqual([1, 1])
  })

  test('simulate, clients and devices work on a service with PostgreSQL', async () => {
    const env = await prepare('commands')
    const service = await serveInTest(['--port', '0'], env)
    const load = ['--devices', '6', '--rate', '0', '--unhealthy-every', '3']
    const simulated = await runCli(['simulate', '--url', service.url, ...load], env)
    expect(simulated).toMatchObject({ code: 0 })
    expect(simulated.stdout).toMatch(/^as expected +6$/m)
    const devices: Json[] = JSON.parse((await runCli(['devices', 'list', '--json'], env)).stdout)
    expect(devices.map(({ verdict }) => verdict).sort()).toEqual([
      ...['trusted', 'trusted', 'trusted', 'trusted'],
      ...['untrusted', 'untrusted'],
    ])
    const change = ['devices', 'quarantine', devices[0].device_id, '--reason', 'lost']
    expect(await runCli(change, env)).toMatchObject({ code: 0 })
    expect((await service.end('SIGTERM')).code).toBe(0)
  })

  test('two services on one database are one service', async () => {
    const publicUrl = 'http://countersign.test'
    const env = { ...(await prepare('two')), PUBLIC_URL: publicUrl }
    // Started together, so that both want to make the keys.
    const [one, two] = await Promise.all([
      serveInTest(['--port', '0'], env),
      serveInTest(['--port', '0'], env),
    ])
    for (const path of ['/certs', '/.well-known/jwks.json', '/.well-known/openid-configuration']) {
      const [first, second] = await Promise.all(
        [one, two].map(async ({ url }) => (await fetch(`${url}${path}`)).json()),
      )
      expect(first).toEqual(second)
    }

    // As a load balancer does: every request of one attestation goes to the other service.
    let turn = 0
    const balance = (request: Request) => {
      const target = turn++ % 2 === 0 ? one.url : two.url
      return fetch(new Request(request.url.replace(publicUrl, target), request))
    }
    const device = await startVirtualDevice({ name: 'roaming', keys: primeSharingKeys() })
    const agent = new AttestationAgent({ device, baseUrl: publicUrl, fetch: balance })
    const { nonce } = expectOk(await agent.requestChallenge())
    const token = expectOk(await agent.obtainToken(nonce))
    const recorded = expectOk(await agent.submitToken({ token, nonce }))
    expect(recorded.verdict).toBe('trusted')
    expect(await agent.submitToken({ token, nonce })).toMatchObject({
      ok: false,
      failure: { code: 'nonce_spent' },
    })

    const authorization = await createClient(env, 'access.evaluate,admin.write')
    const headers = { authorization, 'content-type': 'application/json' }
    const decide = async ({ url }: { url: string }): Promise<Json> => {
      const body = JSON.stringify({
        subject: { type: 'device', id: device.deviceId },
        action: { name: 'signin' },
        resource: { type: 'application', id: 'payroll' },
      })
      const answer = await fetch(`${url}/access/v1/evaluation`, { method: 'POST', headers, body })
      return answer.json()
    }
    const decisions = await Promise.all([decide(one), decide(two)])
    expect(decisions.map(({ decision }) => decision)).toEqual([true, true])
    // What is done at one is in force at the other with the next request.
    const body = JSON.stringify({ reason: 'lost' })
    const path = `/v1/devices/${device.deviceId}/quarantine`
    expect((await fetch(`${one.url}${path}`, { method: 'POST', headers, body })).status).toBe(200)
    expect(await decide(two)).toMatchObject({
      decision: false,
      context: { verdict: 'quarantined' },
    })
  })
})
