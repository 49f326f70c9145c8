import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { command as clients } from '../../src/cli/clients/clients.ts'
import { command as devices } from '../../src/cli/devices/devices.ts'
import { command as simulate } from '../../src/cli/simulate/simulate.ts'
import { command as streams } from '../../src/cli/streams/streams.ts'
import { callCommand } from '../cli/call-command.ts'
import { type Environment, folderForTest, startServe } from '../cli/cli-process.ts'
import { createTlsIdentity } from './azure/certificates.ts'
import { makeDataDirectory } from './data-directory.ts'
import type { Json } from './json.ts'

export type ServedStreams = Awaited<ReturnType<typeof serveStreams>>

const COMMANDS = { clients, devices, streams } as const

/**
 * The service as a process, until the tests of the file are over, and a certificate of the authority that it trusts
 * for receivers. They may be on this machine under the name `localhost`, unless `env` says otherwise.
 */
export async function serveStreams({
  hosts = [],
  env = {},
}: {
  /** Names beside `localhost` that the certificate is for. */
  readonly hosts?: readonly string[]
  readonly env?: Environment
} = {}) {
  const folder = folderForTest(afterAll)
  const data = join(folder, 'data')
  await makeDataDirectory(data)
  const { caPem, tls } = await createTlsIdentity(['localhost', ...hosts])
  const trusted = join(folder, 'ca.pem')
  writeFileSync(trusted, caPem)
  const service = await startServe(['--port', '0', '--data', data], {
    NODE_EXTRA_CA_CERTS: trusted,
    PUSH_PRIVATE_HOSTS: 'localhost',
    ...env,
  })
  afterAll(() => service.end('SIGKILL'))
  // As PUBLIC_URL has it where it is not set.
  const issuer = service.url.replace('127.0.0.1', 'localhost')
  const cli = async (noun: keyof typeof COMMANDS, ...args: readonly string[]): Promise<Json> => {
    const called = await callCommand(COMMANDS[noun], [...args, '--data', data, '--json'])
    expect(called.code).toBe(0)
    return JSON.parse(called.stdout)
  }
  return {
    ...{ folder, tls, issuer, cli },
    addReceiver: () => addReceiver(issuer, cli),
    /** So many devices without fault come and attest, each once. */
    async attest(count: number): Promise<void> {
      const load = ['--url', issuer, '--devices', String(count), '--unhealthy-every', '0']
      expect(await callCommand(simulate, load)).toMatchObject({ code: 0 })
    },
  }
}

/** A client that manages its own streams. */
async function addReceiver(
  issuer: string,
  cli: (noun: 'clients', ...args: readonly string[]) => Promise<Json>,
) {
  const made = await cli('clients', 'create', '--name', 'r', '--scope', 'ssf.read,ssf.manage')
  const { client_id: id, client_secret: secret } = made
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
  return {
    ...{ id, secret },
    /** Asks about its streams by HTTP Basic, as any receiver can. */
    async ask(method: 'GET' | 'POST' | 'PATCH', body?: object): Promise<Json> {
      const headers = { authorization, 'content-type': 'application/json' }
      const sent = body === undefined ? null : JSON.stringify(body)
      const answer = await fetch(`${issuer}/ssf/stream`, { method, headers, body: sent })
      expect(answer.status).toBe(method === 'POST' ? 201 : 200)
      return answer.json()
    },
  }
}
