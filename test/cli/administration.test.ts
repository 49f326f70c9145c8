import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMAND } from '../../src/base/command.ts'
import { command as audit } from '../../src/cli/audit/audit.ts'
import { command as clients } from '../../src/cli/clients/clients.ts'
import { command as devices } from '../../src/cli/devices/devices.ts'
import { COMMAND_LINE, nameActor } from '../../src/cli/framework/open-database.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import type { Json } from '../support/json.ts'
import { type Called, callCommand } from './call-command.ts'
import { type Ended, runCli, startServe } from './cli-process.ts'

/**
 * The commands of an administrator while the service runs on the same data directory in another
 * process, as a person at a second terminal calls them. Most of them run in this process, which is
 * faster; `spawn` stands for the whole way.
 */
const data = mkdtempSync(join(tmpdir(), 'countersign-administration-'))
let service: Awaited<ReturnType<typeof startServe>>

beforeAll(async () => {
  await makeDataDirectory(data)
  service = await startServe(['--port', '0', '--data', data])
})
afterAll(async () => {
  await service.end('SIGTERM')
  rmSync(data, { recursive: true, maxRetries: 5 })
})

const spawn = (...args: readonly string[]): Promise<Ended> => runCli([...args, '--data', data])

type Noun = 'audit' | 'clients' | 'devices'

function cli(name: Noun, ...args: readonly string[]): Promise<Called> {
  return callCommand({ audit, clients, devices }[name], [...args, '--data', data])
}

async function cliJson(name: Noun, ...args: readonly string[]): Promise<Json> {
  const { code, stdout } = await cli(name, ...args, '--json')
  expect(code).toBe(0)
  return JSON.parse(stdout)
}

async function get(path: string, client: Json): Promise<Response> {
  const credentials = `${client.client_id}:${client.client_secret}`
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
  return fetch(`${service.url}${path}`, { headers: { authorization } })
}

describe('clients', () => {
  test('create prints id and secret once, and the running service accepts them', async () => {
    const args = ['clients', 'create', '--name', 'ops', '--scope', 'admin.read', '--json']
    const { code, stdout: json } = await spawn(...args)
    expect(code).toBe(0)
    const created = JSON.parse(json)
    expect(created).toEqual({
      id: expect.stringMatching(/^cli_[\w-]{16}$/),
      secret: expect.stringMatching(/^css_[\w-]{43}$/),
      client_id: created.id,
      client_secret: created.secret,
      expires_at: null,
      name: 'ops',
      scopes: ['admin.read'],
    })
    expect((await get('/v1/devices', created)).status).toBe(200)
    const wrong = { ...created, client_secret: created.client_secret.replace(/.$/, '!') }
    expect((await get('/v1/devices', wrong)).status).toBe(401)
    const { stdout } = await cli('clients', 'list')
    expect(stdout).toContain(created.client_id)
    expect(stdout).not.toContain(created.client_secret)
  })

  test('scopes may be repeated, or separated by commas', async () => {
    const args = ['create', '--name', 'idp', '--scope', 'access.evaluate,admin.read']
    const { scopes } = await cliJson(
      'clients',
      ...args,
      '--scope',
      'admin.write',
      '--scope',
      'admin.read',
    )
    expect(scopes).toEqual(['access.evaluate', 'admin.read', 'admin.write'])
  })

  test('for people the secret is shown with the word that it is shown once', async () => {
    const { code, stdout } = await cli('clients', 'create', '--name', 'p', '--scope', 'admin.read')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Client {2}cli_\S+\nSecret {2}css_\S+\nScopes {2}admin.read\n/)
    expect(stdout).toContain('The secret is not shown again.')
  })

  test('rotate prints another secret once, and both are accepted until the overlap ends', async () => {
    const client = await cliJson('clients', 'create', '--name', 'idp', '--scope', 'admin.read')
    const id = client.client_id
    const rotated = await cliJson('clients', 'rotate', id, '--overlap', '2h')
    expect(rotated).toMatchObject({ id, client_id: id, secret: rotated.client_secret })
    const find = async (): Promise<Json> =>
      (await cliJson('clients', 'list')).find((one: Json) => one.client_id === id)
    const { secret_changed_at, previous_secret } = await find()
    expect(previous_secret.until).toBe(rotated.previous_until)
    expect(Date.parse(previous_secret.until) - Date.parse(secret_changed_at)).toBe(2 * 3_600_000)
    const fresh = { ...client, client_secret: rotated.client_secret }
    expect((await get('/v1/policy', fresh)).status).toBe(200)
    expect((await get('/v1/policy', client)).status).toBe(200)
    const { stdout } = await cli('clients', 'list')
    expect(stdout).toContain(`until ${rotated.previous_until.slice(0, 16)}Z`)
    expect(stdout).not.toContain(rotated.secret)

    // Two are enough, and the way to be rid of both.
    expect((await cli('clients', 'rotate', id)).code).toBe(3)
    const ended = await cli('clients', 'rotate', id, '--overlap', '0s')
    expect(ended.stdout).toContain('The old one has ended')
    expect((await find()).previous_secret).toBeNull()
    await expect(cli('clients', 'rotate', id, '--overlap', '31d')).rejects.toThrow('30d at most')
    await expect(cli('clients', 'rotate', 'cli_nobody')).rejects.toThrow('there is no client')
  })

  test('list --unused names active clients of which no use was noted for so long', async () => {
    const client = await cliJson('clients', 'create', '--name', 'idle', '--scope', 'admin.read')
    const idsOf = (listed: readonly Json[]) => listed.map(({ client_id }) => client_id)
    expect(idsOf(await cliJson('clients', 'list', '--unused', '0s'))).toContain(client.client_id)
    expect(await cliJson('clients', 'list', '--unused', '1d')).toEqual([])
    const { stdout } = await cli('clients', 'list', '--unused', '1d')
    expect(stdout).toBe('Every active client was in use.\n')
    await cli('clients', 'disable', client.client_id)
    const left = await cliJson('clients', 'list', '--unused', '0s')
    expect(idsOf(left)).not.toContain(client.client_id)
    await expect(cli('clients', 'rotate', client.client_id)).rejects.toThrow('is disabled')
  })

  test('disable takes effect in the running service, and may be repeated', async () => {
    const client = await cliJson('clients', 'create', '--name', 'left', '--scope', 'admin.read')
    const { client_id: id } = client
    const first = await cli('clients', 'disable', id)
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('is disabled') })
    const again = await cli('clients', 'disable', id)
    expect(again).toMatchObject({ code: 0, stdout: `${id} was disabled already.\n` })
    expect((await get('/v1/devices', client)).status).toBe(401)
    const listed: Json[] = await cliJson('clients', 'list')
    expect(listed.find((one) => one.client_id === id).disabled_at).toMatch(/^20/)
  })

  test('a client that there is not is no usage error, but one all the same', async () => {
    const { code, stderr } = await spawn('clients', 'disable', 'cli_nobody')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `countersign: there is no client cli_nobody: ${COMMAND} clients list\n`,
    })
  })
})

describe('simulate and devices', () => {
  let listed: Json[]

  beforeAll(async () => {
    const load = ['--url', service.url, '--devices', '20', '--rate', '0', '--unhealthy-every', '4']
    const { code, stdout, stderr } = await runCli(['simulate', ...load, '--json'])
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ devices: 20, finished: 20, correct: 20, wrong: 0, failed: 0 })
    expect(report.verdicts).toEqual({ trusted: 15, untrusted: 3, refused: 2 })
    expect(code).toBe(0)
    // Piped progress is a line now and then, not a line that redraws itself.
    expect(stderr).toContain('/20')
    expect(stderr).not.toContain('\r')
    listed = await cliJson('devices', 'list')
  })

  test('list shows the devices of the load, as the administration API does', async () => {
    expect(listed).toHaveLength(18)
    const client = await cliJson('clients', 'create', '--name', 'read', '--scope', 'admin.read')
    const answer: Json = await (await get('/v1/devices', client)).json()
    expect(listed).toEqual(answer.devices)
    const untrusted: Json[] = await cliJson('devices', 'list', '--verdict', 'untrusted')
    expect(untrusted).toHaveLength(3)
    const [first] = listed
    const prefix = first.device_id.slice(0, 12)
    expect(await cliJson('devices', 'list', '--search', prefix)).toEqual([first])
  })

  test('a list that was cut says so', async () => {
    const { stdout } = await cli('devices', 'list', '--limit', '4')
    expect(stdout).toContain('There are more than 4: raise --limit, narrow it')
    expect((await cli('devices', 'list', '--limit', '18')).stdout).not.toContain('There are more')
  })

  test('show says why a device is not trusted and how to repair it', async () => {
    const [{ device_id: id }] = await cliJson('devices', 'list', '--verdict', 'untrusted')
    const { code, stdout } = await cli('devices', 'show', id)
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^device +${id}\nverdict +untrusted\n`))
    expect(stdout).toMatch(/\nWhy\n {2}\w+: .+\n {4}.+\n/)
    expect(stdout).toMatch(/\n {2}secureBootKeys\.pk +[\w-]{43}\n/)
    const { device, attestations } = await cliJson('devices', 'show', id)
    expect(device).toMatchObject({ device_id: id, verdict: 'untrusted' })
    const [attempt] = attestations
    expect(attempt).toMatchObject({ outcome: 'accepted', verdict: 'untrusted' })
    expect(stdout).toContain(attempt.attestation_id)
    expect(attempt.reasons[0].clause).toBe(device.attestation.reasons[0].clause)
  })

  test('list finds devices by a clause, tells the value beside the one that is needed, and counts', async () => {
    const untrusted: Json[] = await cliJson('devices', 'list', '--verdict', 'untrusted')
    const [{ clause }] = untrusted[0].reasons
    const fails = (device: Json) => device.unmet.some((one: Json) => one.clause === clause)
    const found: Json[] = await cliJson('devices', 'list', '--clause', clause)
    expect(found).toEqual(listed.filter(fails))
    expect(found.length).toBeGreaterThan(0)
    const { stdout } = await cli('devices', 'list', '--clause', clause, '--limit', '1')
    expect(stdout).toMatch(new RegExp(`${clause}: \\S+ \\w+, needs \\w+`))
    expect(stdout).not.toContain('(reported)')
    const counts = await cliJson('devices', 'list', '--group-by', 'clause')
    expect(counts).toMatchObject({ group_by: 'clause', devices: listed.length })
    expect(counts.groups).toContainEqual({
      ...{ group: clause, severity: 'enforce', devices: found.length },
    })
    expect((await cli('devices', 'list', '--group-by', 'label')).stdout).toBe(
      `Of ${listed.length} devices none has a label.\n`,
    )
    const of = await cli('devices', 'list', '--group-by', 'clause', '--verdict', 'untrusted')
    expect(of.stdout).toMatch(
      new RegExp(`^Of ${untrusted.length} devices:\n[^]*\n${clause} +enforce +\\d`),
    )
  })

  test('label and owner say what devices are, and say when nothing was changed', async () => {
    const [{ device_id: first }, { device_id: second }] = listed
    const label = (...args: string[]) => cli('devices', 'label', first, second, ...args)
    expect((await label('--add', 'lab', '--add', 'vip')).stdout).toBe(
      `${first} has the labels lab, vip.\n${second} has the labels lab, vip.\n`,
    )
    expect((await label('--add', 'lab')).stdout).toContain('already: nothing was changed')
    expect((await label('--remove', 'vip')).stdout).toContain('has the labels lab.')
    await expect(label()).rejects.toThrow('--add LABEL or --remove LABEL')
    const owner = (...args: string[]) => cli('devices', 'owner', first, ...args)
    expect((await owner('--set', 'Ada')).stdout).toBe(`${first} belongs to Ada.\n`)
    await expect(owner('--set', 'Ada', '--clear')).rejects.toThrow('--set OWNER or --clear')
    const found: Json[] = await cliJson('devices', 'list', '--owner', 'ada', '--label', 'LAB')
    expect(found).toMatchObject([{ device_id: first, owner: 'Ada', labels: ['lab'] }])
    expect((await owner('--clear')).stdout).toBe(`${first} has no owner.\n`)
  })

  test('an export is imported again and changes nothing, and an edited one what was edited', async () => {
    const file = join(data, 'devices.csv')
    const { stdout: csv } = await cli('devices', 'export')
    const rows = csv.split('\r\n')
    expect(rows).toHaveLength(listed.length + 2)
    expect(rows[0]).toMatch(
      /^device_id,entra_device_id,serial,owner,name,labels,verdict,reasons,unmet,/,
    )
    expect(csv).toMatch(/,clause_failed \w+,/)
    const { stdout: lines } = await cli('devices', 'export', '--format', 'jsonl')
    const exported = lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(exported).toEqual(await cliJson('devices', 'list', '--limit', '100'))
    writeFileSync(file, csv)
    expect(await cli('devices', 'import', file)).toEqual({
      code: 0,
      stdout: `0 changed, 0 put on the list, ${listed.length} were so already.\n`,
    })
    const [{ device_id: id }] = listed
    const key = Buffer.alloc(32, 0x33).toString('base64')
    writeFileSync(file, `device_id,device_key,owner,name\n${id},,Eve,Eve 1\n,${key},,kiosk\n`)
    expect((await cli('devices', 'import', file)).stdout).toContain('1 changed, 1 put on the list')
    expect(await cliJson('devices', 'list', '--search', 'KIOSK')).toMatchObject([
      { name: 'kiosk', verdict: 'unknown', attested_at: null },
    ])
    writeFileSync(file, `serial,owner\nnobodys,Eve\n`)
    const refused = await cli('devices', 'import', file)
    expect(refused.code).toBe(3)
    expect(refused.stdout).toContain('line 2: no device is known by this name')
    writeFileSync(file, `serial,owner\n,Eve\n`)
    await expect(cli('devices', 'import', file)).rejects.toThrow('line 2: names no device')
  })

  test('audit tells what was done by whom on which machine, and refused attempts are listed', async () => {
    const [{ device_id: id }] = listed
    const entries: Json[] = await cliJson(
      'audit',
      'list',
      '--device',
      id,
      '--action',
      'device.attributes-set',
    )
    expect(entries.length).toBeGreaterThan(2)
    for (const { actor, device_id } of entries) {
      expect([actor, device_id]).toEqual([COMMAND_LINE, id])
    }
    // As the system itself names who runs this and where.
    expect(COMMAND_LINE).toBe(`cli:${userInfo().username}@${hostname()}`)
    expect(nameActor("x'; drop\n", '')).toBe('cli:x___drop_@unknown')
    expect(nameActor('é'.repeat(99), 'h')).toBe(`cli:${'é'.repeat(64)}@h`)
    const { stdout } = await cli('audit', 'list', '--limit', '2')
    expect(stdout).toContain('There are more than 2: raise --limit.')
    const none = await cli('audit', 'list', '--until', '2020-01-01', '--since', '2019-01-01')
    expect(none.stdout).toContain('There is no such entry in that time')
    // Two of the load were refused when they would have enrolled: nobody knows them.
    const refused: Json[] = await cliJson('devices', 'refused', '--since', '1h')
    expect(refused).toMatchObject([{ stage: 'evidence' }, { stage: 'evidence' }])
    const told = (await cli('devices', 'refused')).stdout
    expect(told).toContain(`${refused[0].device_id}  nobody knows it  evidence  log_`)
    const shown = (await cli('devices', 'show', refused[0].device_id)).stdout
    expect(shown).toContain('unknown: no attestation was ever accepted')
    expect(shown).toContain(refused[0].reasons[0].code)
    for (const [other, why] of [
      [['--request', 'x', '--since', '1h'], '--since and --limit do not go with --request'],
      [['--request', 'x', '--limit', '50'], '--since and --limit do not go with --request'],
      [['--client', 'cli_x'], '--url and --client go with --request alone'],
    ] as const) {
      const refusal = await cli('devices', 'refused', ...other).catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(UsageError)
      expect(String(refusal)).toContain(why)
    }
    const later = '2040-01-01'
    expect((await cli('devices', 'refused', '--since', later)).stdout).toContain(
      'Nothing was refused',
    )
  })

  test('quarantine and release work on the running service, with a reason, repeatably', async () => {
    const [{ device_id: id }] = await cliJson('devices', 'list', '--verdict', 'trusted')
    const change = (verb: string) => cli('devices', verb, id, '--reason', 'stolen laptop')
    await expect(cli('devices', 'quarantine', id)).rejects.toThrow('--reason is missing')
    await expect(cli('devices', 'show', 'dev_x')).rejects.toThrow("'dev_x' is no device id")

    expect(await change('quarantine')).toMatchObject({ code: 0, stdout: `${id} is quarantined.\n` })
    expect((await change('quarantine')).stdout).toContain('already: nothing was changed')
    const { stdout } = await cli('devices', 'show', id)
    expect(stdout).toMatch(/^verdict +quarantined$/m)
    expect(stdout).toMatch(/^quarantine +since \S+Z by cli:[^\s@]+@\S+: stolen laptop$/m)
    expect(stdout).toContain('This device was blocked by an administrator')

    expect(await change('release')).toMatchObject({ code: 0, stdout: `${id} is released.\n` })
    expect((await cliJson('devices', 'show', id)).device.verdict).toBe('trusted')
    expect((await change('admit')).stdout).toContain('is admitted already')

    const { generation } = (await cliJson('devices', 'show', id)).device
    expect(await change('sign-out')).toMatchObject({ code: 0, stdout: `${id} is signed out.\n` })
    const { device } = await cliJson('devices', 'show', id)
    expect(device).toMatchObject({ generation: generation + 1, verdict: 'trusted' })
  })

  test.each([
    ['list', ['list', '--verdict', 'maybe']],
    ['a limit', ['list', '--limit', '0']],
    ['show', ['show', 'laptop']],
    ['a verb', ['remove', 'laptop']],
  ])('%s that makes no sense is wrong usage', async (_, args) => {
    await expect(cli('devices', ...args)).rejects.toThrow(UsageError)
  })

  test('a device that nobody knows', async () => {
    const id = `dev_${'a'.repeat(52)}`
    await expect(cli('devices', 'show', id)).rejects.toThrow(`nothing is known about ${id}`)
    const { code, stderr } = await spawn('devices', 'release', id, '--reason', 'x')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `countersign: there is no device ${id}: ${COMMAND} devices list\n`,
    })
  })
})

test('simulate says when nothing answers', async () => {
  const url = 'http://127.0.0.1:9'
  const { code, stdout, stderr } = await runCli(['simulate', '--url', url])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(`nothing answers at ${url}`)
})

test('looking into a data directory that is not there does not make one', async () => {
  const folder = join(data, 'mistyped')
  for (const command of [clients, devices]) {
    const listing = callCommand(command, ['list', '--data', folder])
    await expect(listing).rejects.toThrow(`there is no data directory ${folder}: `)
  }
})
