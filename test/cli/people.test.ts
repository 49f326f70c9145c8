import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { COMMAND_ACCESS } from '../../src/cli/command-access.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { type Command, isGroup, type Verb } from '../../src/cli/framework/command.ts'
import { command } from '../../src/cli/people/people.ts'
import { SCOPES } from '../../src/oauth/scopes.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { callCommand } from './call-command.ts'

let folder: string
let store: Store
const data = () => join(folder, 'data')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-people-'))
  await makeDataDirectory(data())
  store = await openEmbeddedStore(data())
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

const people = (...args: readonly string[]) => callCommand(command, [...args, '--data', data()])

let sessions = 0
function begin(personId: string, name: string) {
  sessions += 1
  const now = new Date()
  return store.beginPersonSession({
    ...{ sessionId: `ses_${sessions}`, personId, name, roles: ['viewer'], browserHash: 'x' },
    ...{ expiresAt: new Date(now.getTime() + 3_600_000), by: 'issuer', replaces: undefined, now },
    origin: { requestId: 'r', address: '192.0.2.7' },
  })
}

test('who is signed in is listed, and all sessions of one are ended', async () => {
  expect((await people('list')).stdout).toBe('Nobody is signed in.\n')
  await begin('person:a:alice', 'Alice')
  await begin('person:a:alice', 'Alice')
  await begin('person:a:bob', 'Bob')
  const { stdout } = await people('list')
  expect(stdout).toMatch(/^person:a:bob +Bob +viewer +20\S+Z +192\.0\.2\.7$/m)
  const shown = JSON.parse((await people('list', '--json')).stdout)
  expect(shown).toHaveLength(3)
  const end = ['end-sessions', 'person:a:alice', '--reason', 'left']
  expect((await people(...end)).stdout).toContain('signed out everywhere (sessions: 2)')
  expect((await people(...end)).stdout).toBe('person:a:alice was not signed in.\n')
  expect(JSON.parse((await people(...end, '--json')).stdout)).toEqual({
    person_id: 'person:a:alice',
    ended: 0,
  })
  expect(JSON.parse((await people('list', '--json')).stdout)).toMatchObject([{ name: 'Bob' }])
})

describe('a link', () => {
  test('is made with the secret of the service, and where links count alone', async () => {
    vi.stubEnv('SECRET_KEY', Buffer.alloc(32, 3).toString('base64'))
    const made = JSON.parse((await people('link', '--json')).stdout)
    expect(made.url).toMatch(/^http:\/\/localhost:8080\/console\/link\?token=eyJ[\w.-]+$/)
    expect((await people('link')).stdout).toContain('/console/link?token=')
    vi.stubEnv('PUBLIC_URL', 'https://pdp.example')
    await expect(people('link')).rejects.toThrow('on a loopback address')
    vi.unstubAllEnvs()
  })
})

/** Every verb of the command line as the command line itself knows it. */
async function verbs(): Promise<readonly (readonly [string, Verb])[]> {
  const walk = (path: string, one: Command): (readonly [string, Verb])[] =>
    isGroup(one)
      ? Object.entries(one.verbs).flatMap(([name, next]) => walk(`${path} ${name}`, next))
      : [[path, one]]
  const nouns = Object.entries(COMMANDS).map(async ([name, { load }]) => {
    return walk(name, (await load()).command)
  })
  return (await Promise.all(nouns)).flat()
}

describe('the table of commands', () => {
  test('has every command, and no other', async () => {
    const known = (await verbs()).map(([path]) => path)
    expect(Object.keys(COMMAND_ACCESS).toSorted()).toEqual(known.toSorted())
  })

  test('has each command that opens the database as its owner’s, and no other as what takes a role', async () => {
    for (const [path, { database }] of await verbs()) {
      const access = COMMAND_ACCESS[path]
      if (database !== undefined) expect([path, access]).not.toEqual([path, 'anybody'])
      else expect(SCOPES, path).not.toContain(access)
    }
  })

  test('is shown with that of routes on a page, which the command prints', async () => {
    const { stdout } = await callCommand(command, ['roles'])
    expect(readFileSync('docs/roles.md', 'utf8')).toBe(stdout)
    const { commands, routes } = JSON.parse(
      (await callCommand(command, ['roles', '--json'])).stdout,
    )
    expect(commands).toContainEqual({
      command: 'devices quarantine',
      acts: 'owner',
      roles: ['operator', 'owner'],
    })
    expect(routes).toContainEqual({
      route: 'POST /v1/rollouts/:id/pause',
      demands: 'admin.author or admin.operate',
      roles: ['operator', 'policy-author', 'owner'],
    })
  })
})
