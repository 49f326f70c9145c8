import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type CryptoKey, exportJWK, generateKeyPair } from 'jose'
import * as oauth from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command } from '../../src/cli/clients/clients.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { createTlsIdentity } from '../support/azure/certificates.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import type { Json } from '../support/json.ts'
import { callCommand } from './call-command.ts'
import { folderForTest, startServe } from './cli-process.ts'

/**
 * Clients that prove themselves by keys (private_key_jwt), made and given other keys at the command line while the
 * service runs. Witness: openid-client, which signs the assertions and uses the tokens.
 */

type Pair = { readonly kid: string; readonly privateKey: CryptoKey; readonly jwk: Json }

async function makePair(kid: string, algorithm = 'ES256'): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm } }
}

const setOf = (...pairs: readonly Pair[]) => ({ keys: pairs.map(({ jwk }) => jwk) })

let folder: string
let service: Awaited<ReturnType<typeof startServe>>
/** Where a client publishes both. */
let published: string
let old: Pair
let next: Pair

beforeAll(async () => {
  folder = folderForTest(afterAll)
  await makeDataDirectory(join(folder, 'data'))
  old = await makePair('2026-10')
  next = await makePair('2026-11', 'PS256')
  const { caPem, tls } = await createTlsIdentity(['localhost'])
  const trusted = join(folder, 'ca.pem')
  writeFileSync(trusted, caPem)
  const server = createServer(tls, (_, response) => {
    const set = JSON.stringify(setOf(old, next))
    response.writeHead(200, { 'content-type': 'application/json' }).end(set)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => void server.close())
  published = `https://localhost:${(server.address() as AddressInfo).port}/jwks.json`
  service = await startServe(['--port', '0', '--data', join(folder, 'data')], {
    ...{ NODE_EXTRA_CA_CERTS: trusted, OAUTH_PRIVATE_HOSTS: 'localhost' },
  })
  afterAll(() => service.end('SIGKILL'))
})

const clients = (...args: readonly string[]) =>
  callCommand(command, [...args, '--data', join(folder, 'data')])
const json = async (...args: readonly string[]): Promise<Json> =>
  JSON.parse((await clients(...args, '--json')).stdout)

/** A file with these keys, as their owner hands it to an administrator. */
function file(...pairs: readonly Pair[]): string {
  const path = join(folder, `${pairs.map(({ kid }) => kid).join('+')}.json`)
  writeFileSync(path, JSON.stringify(setOf(...pairs)))
  return path
}

// As PUBLIC_URL has it where it is not set.
const place = (path: string) => new URL(path, service.url.replace('127.0.0.1', 'localhost'))
const plain: oauth.DiscoveryRequestOptions = {
  algorithm: 'oauth2',
  execute: [oauth.allowInsecureRequests],
}

/** The token that an assertion of this key gets, or `REFUSED` where it proves nobody. */
async function ask(clientId: string, { kid, privateKey }: Pair): Promise<string> {
  const by = oauth.PrivateKeyJwt({ key: privateKey, kid })
  const config = await oauth.discovery(place('/'), clientId, undefined, by, plain)
  try {
    return (await oauth.clientCredentialsGrant(config, { scope: 'admin.read' })).access_token
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError && error.status === 401) return REFUSED
    throw error
  }
}

async function use(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` }
  return (await fetch(place('/v1/policy'), { headers })).status
}

const WAIT = { timeout: 30_000, interval: 250 }
const REFUSED = 'refused'
const CREATE = ['create', '--name', 'gateway', '--scope', 'admin.read']

describe('a client with keys', () => {
  test('is made by a file of its public keys, and gets others while the service runs', async () => {
    const made = await json(...CREATE, '--jwks', file(old))
    expect(made).toEqual({
      id: expect.stringMatching(/^cli_[\w-]{16}$/),
      client_id: made.id,
      name: 'gateway',
      scopes: ['admin.read'],
      jwks: setOf(old),
    })
    expect(await use(await ask(made.id, old))).toBe(200)
    expect(await ask(made.id, next)).toBe(REFUSED)
    expect((await clients('list')).stdout).toMatch(/gateway +admin\.read +active +2026-10/)

    // Both for a while, as the owner of the client changes over.
    expect((await clients('keys', made.id, '--jwks', file(old, next))).stdout).toBe(
      `Client  ${made.id}\nKeys    2026-10 2026-11\n\nRunning services notice within seconds.\n`,
    )
    await expect.poll(() => ask(made.id, next), WAIT).not.toBe(REFUSED)
    expect(await use(await ask(made.id, old))).toBe(200)

    const kept = await ask(made.id, old)
    await clients('keys', made.id, '--jwks', file(next))
    await expect.poll(() => ask(made.id, old), WAIT).toBe(REFUSED)
    expect(await use(await ask(made.id, next))).toBe(200)
    expect(await use(kept)).toBe(200)
    // Somebody else may have had the old key: what it got ends, too.
    const ended = await json('keys', made.id, '--jwks', file(next), '--end-tokens')
    expect(ended).toEqual({ client_id: made.id, jwks: setOf(next) })
    await expect.poll(() => use(kept), WAIT).toBe(401)
    expect(await use(await ask(made.id, next))).toBe(200)
    await expect(clients('rotate', made.id)).rejects.toThrow('has keys, and no secret')
  })

  test('is made by the URL where it publishes them, and goes from there to a file and back', async () => {
    const made = await json(...CREATE, '--jwks-url', published)
    expect(made).toMatchObject({ jwks_uri: published })
    expect((await clients('list')).stdout).toContain(published)
    expect(await use(await ask(made.id, next))).toBe(200)
    await clients('keys', made.id, '--jwks', file(old))
    await expect.poll(() => ask(made.id, next), WAIT).toBe(REFUSED)
    expect(await json('keys', made.id, '--jwks-url', published)).toEqual({
      client_id: made.id,
      jwks_uri: published,
    })
    await expect.poll(() => ask(made.id, next), WAIT).not.toBe(REFUSED)
  })

  test('is made of nothing that is no public key set or no place for one, and says which', async () => {
    const pair = next
    const secret = join(folder, 'private.json')
    writeFileSync(secret, JSON.stringify({ keys: [await exportJWK(pair.privateKey)] }))
    const none = join(folder, 'none.json')
    writeFileSync(none, '{"keys":[]}')
    for (const [args, told] of [
      [['--jwks', secret], /private\.json: jwks_private_key/],
      [['--jwks', none], /none\.json: jwks_empty/],
      [['--jwks-url', 'http://client.example/jwks.json'], /client_jwks_url_refused/],
      [['--jwks', file(pair), '--jwks-url', 'https://client.example/jwks.json'], /not both/],
    ] as const) {
      await expect(clients(...CREATE, ...args)).rejects.toThrow(UsageError)
      await expect(clients(...CREATE, ...args)).rejects.toThrow(told)
    }
    const { id } = await json(...CREATE)
    await expect(clients('keys', id)).rejects.toThrow('--jwks or --jwks-url is missing')
    await expect(clients('keys', id, '--jwks', file(pair))).rejects.toThrow('has a secret')
    await expect(clients('keys', 'cli_nobody', '--jwks', file(pair))).rejects.toThrow('no client')
  })
})
