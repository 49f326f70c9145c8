import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  claimDirectory,
  type DirectoryClaim,
  placeOf,
  readOwner,
  releaseDirectory,
  socketOf,
} from '../../../src/store/drivers/directory-claim.ts'
import { openStore } from '../../../src/store/drivers/open-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { makeDataDirectory } from '../../support/data-directory.ts'
import { programPath } from '../../support/programs.ts'
import { at, attestationOf, newDeviceId, newId } from '../fixtures.ts'

/** What another process takes at most to begin a database, on a busy machine. */
const MAKE_MS = 60_000
let dataDir: string

const newFolder = () => mkdtempSync(join(tmpdir(), 'countersign-embedded-'))
const open = (path = dataDir) => openStore({ kind: 'embedded', dataDir: path })

/** Another process, which owns the directory from its start and records until it is ended. */
function startRecorder() {
  const script = programPath('test/store/devices/recording-process.ts')
  const config = JSON.stringify({ kind: 'embedded', dataDir })
  const args = [script, '--config', config, '--round', '0', '--devices', '2']
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

beforeEach(() => {
  dataDir = newFolder()
})
afterEach(() => rmSync(dataDir, { recursive: true }))

describe('embedded store', () => {
  beforeEach(() => makeDataDirectory(dataDir))

  test('keeps what it was given, for this user alone', async () => {
    const deviceId = newDeviceId()
    const first = await open()
    await first.recordAttestation(attestationOf({ deviceId }))
    for (const name of ['store', 'store/database', 'store/owner']) {
      expect(statSync(join(dataDir, name)).mode & 0o077, name).toBe(0)
    }
    await first.close()
    // Nothing is left that says somebody is there.
    expect(readdirSync(join(dataDir, 'store'))).toEqual(['database'])

    const second = await open()
    expect((await second.trustRecord(deviceId)).record?.deviceId).toBe(deviceId)
    await second.close()
  })

  test('lets others in while its owner runs, and all see the same', async () => {
    const owner = await open()
    const guests = await Promise.all([open(), open(), open()])
    expect(owner.place).toMatchObject({ role: 'owner' })
    expect(guests.map(({ place }) => place)).toMatchObject(Array(3).fill({ role: 'guest' }))

    const deviceId = newDeviceId()
    const nonceId = newId('nonce-')
    const everybody = [owner, ...guests]
    const input = attestationOf({ deviceId, nonceId, claims: { bootCounter: 7, notWinPE: true } })
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, index) =>
        everybody[index % 4]?.recordAttestation({
          ...input,
          attestation: { ...input.attestation, attestationId: newId('att_') },
        }),
      ),
    )
    expect(answers.filter((answer) => answer?.outcome === 'recorded')).toHaveLength(1)

    const change = { deviceId, by: 'cli', reason: 'lost', now: at(5) }
    expect(await guests[0]?.quarantineDevice(change)).toBe('applied')
    const changes = { owner: 'ada', labels: ['a,b', 'c'] }
    await guests[1]?.setDeviceAttributes({ deviceId, changes, by: 'cli', now: at(6) })
    const expected = await owner.trustRecord(deviceId)
    expect(expected.record?.labels).toEqual(['a,b', 'c'])
    for (const guest of guests) {
      expect(await guest.trustRecord(deviceId)).toEqual(expected)
      expect(await guest.deviceDetail(deviceId, at(9))).toEqual(
        await owner.deviceDetail(deviceId, at(9)),
      )
      expect(await guest.counts(at(9))).toEqual(await owner.counts(at(9)))
    }
    for (const store of [...guests, owner]) await store.close()
  })

  test('statements of all processes at once do not get into each other', async () => {
    const owner = await open()
    const guests = await Promise.all([open(), open()])
    const devices = Array.from({ length: 60 }, () => newDeviceId())
    await Promise.all(
      devices.map(async (deviceId, index) => {
        const store = [owner, ...guests][index % 3] ?? owner
        await store.recordAttestation(attestationOf({ deviceId, ring: index }))
        expect((await store.trustRecord(deviceId)).record).toMatchObject({ deviceId, ring: index })
        const many = await store.trustRecords([deviceId])
        expect([...many.records.keys()]).toEqual([deviceId])
        expect(await store.findClient(deviceId)).toBeNull()
      }),
    )
    for (const store of [...guests, owner]) await store.close()
  })

  test('a guest that is refused a statement is told why and goes on', async () => {
    const owner = await open()
    const guest = await open()
    const refused = guest.recordAttestation(attestationOf({ deviceId: newDeviceId(), ring: 500 }))
    await expect(refused).rejects.toMatchObject({ name: 'StoreError', code: '23514' })
    await guest.ping()
    await guest.close()
    await owner.close()
  })

  test('a guest whose owner ends gets an error, and the next to open is the owner', async () => {
    const owner = await open()
    const guest = await open()
    await owner.close()
    await expect(guest.ping()).rejects.toMatchObject({ name: 'StoreError' })
    const next = await open()
    expect(next.place).toMatchObject({ role: 'owner' })
    await next.ping()
    await next.close()
    await guest.close()
  })

  /** Witness: `cp`, which an administrator makes a copy with; `-a` copies sockets, too. */
  test.each([['-a'], ['-r', '--no-preserve=all']])(
    'a copy made by cp %s while its owner runs is nobody’s, and changes nothing of the original',
    async (...flags) => {
      const deviceId = newDeviceId()
      const owner = await open()
      await owner.recordAttestation(attestationOf({ deviceId }))
      const copy = newFolder()
      execFileSync('cp', [...flags, `${dataDir}/.`, copy])
      const other = await open(copy)
      expect(other.place).toMatchObject({ role: 'owner', path: join(copy, 'store') })
      await other.quarantineDevice({ deviceId, by: 'cli', reason: 'lost', now: at(5) })
      expect((await owner.trustRecord(deviceId)).record?.quarantine).toBeNull()
      expect((await other.trustRecord(deviceId)).record?.quarantine).not.toBeNull()
      // The original is as alive as it was.
      const guest = await open()
      expect(guest.place).toMatchObject({ role: 'guest' })
      for (const store of [guest, other, owner]) await store.close()
      rmSync(copy, { recursive: true })
    },
  )

  test('a copy is nobody’s, too, where the socket lies elsewhere for its long path', async () => {
    const path = join(dataDir, 'b'.repeat(100))
    await makeDataDirectory(path)
    const owner = await open(path)
    const copy = newFolder()
    execFileSync('cp', ['-a', `${path}/.`, copy])
    const other = await open(copy)
    expect(other.place).toMatchObject({ role: 'owner' })
    await other.close()
    await owner.ping()
    const guest = await open(path)
    expect(guest.place).toMatchObject({ role: 'guest' })
    await guest.close()
    await owner.close()
    rmSync(copy, { recursive: true })
  })

  /** As versions before this one wrote it: with the whole path of the socket, and not of which directory. */
  function claimAsBefore(path: string): void {
    const file = join(path, 'store', 'owner')
    const { pid, startedAt, socket } = JSON.parse(readFileSync(file, 'utf8'))
    const whole = resolve(path, 'store', socket)
    writeFileSync(file, JSON.stringify({ pid, startedAt, socket: whole }))
  }

  test('a copy with a claim of a version before never speaks to the owner of the original', async () => {
    const owner = await open()
    claimAsBefore(dataDir)
    const copy = newFolder()
    execFileSync('cp', ['-a', `${dataDir}/.`, copy])
    const other = await open(copy)
    expect(other.place).toMatchObject({ role: 'owner', path: join(copy, 'store') })
    await other.close()
    // The original is its owner's, who may be of that version still.
    const guest = await open()
    expect(guest.place).toMatchObject({ role: 'guest' })
    for (const store of [guest, owner]) await store.close()
    rmSync(copy, { recursive: true })
  })

  test('nor does one where the socket lies elsewhere: nobody is let in, with what to do', async () => {
    const path = join(dataDir, 'c'.repeat(100))
    await makeDataDirectory(path)
    const owner = await open(path)
    claimAsBefore(path)
    const copy = newFolder()
    execFileSync('cp', ['-a', `${path}/.`, copy])
    const busy = {
      name: 'DataDirectoryBusyError',
      message: expect.stringContaining('older version'),
    }
    for (const folder of [copy, path]) await expect(open(folder)).rejects.toMatchObject(busy)
    rmSync(join(copy, 'store', 'owner'))
    const other = await open(copy)
    expect(other.place).toMatchObject({ role: 'owner' })
    await other.close()
    await owner.close()
    rmSync(copy, { recursive: true })
  })

  test('a directory that is moved while its owner runs is the owner’s still', async () => {
    const [path, moved] = [join(dataDir, 'here'), join(dataDir, 'there')]
    await makeDataDirectory(path)
    const owner = await open(path)
    renameSync(path, moved)
    const guest = await open(moved)
    expect(guest.place).toMatchObject({ role: 'guest' })
    await guest.close()
    renameSync(moved, path)
    await owner.close()
  })

  test('several that open at once end with one owner', async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, () => open()))
    const roles = stores.map(({ place }) => (place.kind === 'directory' ? place.role : ''))
    expect(roles.filter((role) => role === 'owner')).toHaveLength(1)
    await Promise.all(stores.map((store) => store.ping()))
    stores.sort((a) => ('role' in a.place && a.place.role === 'owner' ? 1 : -1))
    for (const store of stores) await store.close()
  })

  test('takes over from a process that was killed, with everything it acknowledged', async () => {
    const child = startRecorder()
    let printed = ''
    child.stdout.on('data', (data) => {
      printed += data
    })
    await expect.poll(() => printed.includes('att_'), { timeout: 20_000 }).toBe(true)
    const guest = await open()
    expect(guest.place).toMatchObject({ role: 'guest' })
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGKILL')
    await ended
    await expect(guest.ping()).rejects.toMatchObject({ name: 'StoreError' })

    const heir = await open()
    expect(heir.place).toMatchObject({ role: 'owner' })
    const last =
      printed
        .match(/att_r0-d0-\d+\n/g)
        ?.at(-1)
        ?.trim() ?? ''
    const { entries } = await heir.deviceHistory('dev_0', { limit: 3 })
    expect(entries.map(({ attestationId }) => attestationId)).toContain(last)
    await heir.close()
  })

  test('is made anew if its first process was killed while it made it', {
    timeout: MAKE_MS * 2,
  }, async () => {
    rmSync(join(dataDir, 'store'), { recursive: true })
    const child = startRecorder()
    const draft = join(dataDir, 'store', 'database-draft', 'base')
    await expect.poll(() => existsSync(draft), { timeout: MAKE_MS, interval: 5 }).toBe(true)
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGKILL')
    await ended
    expect(existsSync(join(dataDir, 'store', 'database'))).toBe(false)
    const store = await open()
    await store.ping()
    await store.close()
  })

  test('works in a directory whose path is too long for a socket', async () => {
    const path = join(dataDir, 'a'.repeat(100))
    await makeDataDirectory(path)
    const owner = await open(path)
    const guest = await open(path)
    expect(guest.place).toMatchObject({ role: 'guest' })
    await guest.ping()
    await guest.close()
    await owner.close()
  })
})

/** Nobody but the owner's own user reaches its socket, and whoever does may say anything. */
describe('an owner to whom strangers speak', () => {
  let place: string
  let owner: Store
  beforeAll(async () => {
    place = newFolder()
    await makeDataDirectory(place)
    owner = await open(place)
  })
  afterAll(async () => {
    await owner.close()
    rmSync(place, { recursive: true })
  })

  async function socketOfOwner(): Promise<string> {
    const folder = join(place, 'store')
    return socketOf(folder, (await readOwner(folder)) ?? { socket: '' })
  }

  /** What comes back from the owner for these bytes, until the connection is at its end. */
  async function sayToOwner(...pieces: readonly (string | Uint8Array)[]): Promise<string> {
    const stranger = connect(await socketOfOwner())
    let answer = ''
    stranger
      .on('error', () => {})
      .on('data', (data) => {
        answer += data
        // A whole answer was wanted, and no more is to come.
        if (answer.endsWith('\n')) stranger.end()
      })
    for (const piece of pieces) stranger.write(piece)
    await new Promise((resolve) => stranger.once('close', resolve))
    return answer
  }

  const whole = { id: 1, sql: 'select 1 as one', params: [], asArrays: false }
  const without = (name: string) => JSON.stringify({ ...whole, [name]: undefined })

  test.each([
    ...['null', '5', '"x"', '[]', '{}', 'true', '', 'not json', '{"id":1', '[{"id":1}]'],
    ...['{"id":2}', '{"id":1,"sql":5,"params":[]}', ...Object.keys(whole).map(without)],
    JSON.stringify({ ...whole, id: null }),
    JSON.stringify({ ...whole, id: 1.5 }),
    JSON.stringify({ ...whole, params: { length: 3 } }),
    JSON.stringify({ ...whole, params: JSON.parse(`${'['.repeat(99)}${']'.repeat(99)}`) }),
    `\ufeff${JSON.stringify(whole)}`,
  ])('a line that is no request ends its connection and nothing else: %s', async (line) => {
    expect(await sayToOwner(`${line}\n`)).toBe('')
    expect(await sayToOwner(`${JSON.stringify(whole)}\n${line}\n`)).not.toContain('error')
    await owner.ping()
  })

  test('bytes that are no text, a line without end and half a line do no harm either', async () => {
    expect(await sayToOwner(Buffer.from([0xff, 0x0a]))).toBe('')
    expect(await sayToOwner('x'.repeat(17 * 1024 * 1024))).toBe('')
    const silent = connect(await socketOfOwner())
    silent.write('{"id":1,"sq')
    await owner.ping()
    silent.destroy()
    expect(JSON.parse(await sayToOwner(`${JSON.stringify(whole)}\n`))).toEqual({
      id: 1,
      rows: [{ one: 1 }],
    })
  })

  test('what the database refuses or JSON cannot write is told as an error', async () => {
    for (const [sql, params] of [
      ['select 9007199254740993::int8', []],
      ['select $1::int', ['x']],
      ['select $1::int[]', [[[1], 2]]],
      ['no statement', []],
      ['select 1; select 2', []],
    ] as const) {
      const answer = await sayToOwner(`${JSON.stringify({ ...whole, sql, params })}\n`)
      expect(JSON.parse(answer)).toMatchObject({ id: 1, error: { message: expect.any(String) } })
    }
    await owner.ping()
  })

  test('many requests at once are answered in their order, though nobody reads meanwhile', async () => {
    const stranger = connect(await socketOfOwner())
    const sql = "select repeat('x', 100000) as long"
    for (let id = 0; id < 200; id++) stranger.write(`${JSON.stringify({ ...whole, id, sql })}\n`)
    await owner.ping()
    let answer = ''
    stranger.on('data', (data) => {
      answer += data
    })
    await expect.poll(() => answer.split('\n').length, { timeout: 20_000 }).toBe(201)
    const ids = answer.trim().split('\n')
    expect(ids.map((line) => JSON.parse(line).id)).toEqual(Array.from(ids.keys()))
    stranger.destroy()
  })
})

describe('the claim of a data directory', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  /** Somebody who listens, as a living process does. */
  async function somebody(folder = dataDir): Promise<DirectoryClaim> {
    const socket = `${randomBytes(4).toString('hex')}.sock`
    const server = createServer()
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(join(folder, socket), resolve))
    return { pid: process.pid, startedAt: at(0).toISOString(), socket }
  }
  const nobody = (): DirectoryClaim => {
    return { pid: 1, startedAt: at(0).toISOString(), socket: newId('dead-') }
  }

  test("is the first comer's until it is given up", async () => {
    const [first, second] = [await somebody(), await somebody()]
    expect(await readOwner(dataDir)).toBeNull()
    expect(await claimDirectory(dataDir, first)).toBeNull()
    expect(await claimDirectory(dataDir, second)).toEqual(first)
    await releaseDirectory(dataDir)
    expect(await claimDirectory(dataDir, second)).toBeNull()
    expect(await readOwner(dataDir)).toEqual(second)
  })

  test.each(['', '{', '{}', 'null', JSON.stringify({ pid: 1, socket: '/nonexistent/socket' })])(
    'passes on from a dead or torn one: %s',
    async (content) => {
      writeFileSync(join(dataDir, 'owner'), content)
      const heir = await somebody()
      expect(await claimDirectory(dataDir, heir)).toBeNull()
      expect(await readOwner(dataDir)).toEqual(heir)
    },
  )

  test('of a dead owner has one heir, however many come at once', async () => {
    for (let round = 0; round < 10; round++) {
      writeFileSync(join(dataDir, 'owner'), JSON.stringify(nobody()))
      const claims = await Promise.all(Array.from({ length: 12 }, () => somebody()))
      const answers = await Promise.all(claims.map((claim) => claimDirectory(dataDir, claim)))
      const heirs = claims.filter((_, index) => answers[index] === null)
      expect(heirs).toHaveLength(1)
      expect(await readOwner(dataDir)).toEqual(heirs[0])
      await releaseDirectory(dataDir)
    }
    expect(readdirSync(dataDir).filter((name) => /owner|draft/.test(name))).toEqual([])
  })

  test('counts for the directory that it was made for, when its socket lies elsewhere', async () => {
    const apart = mkdtempSync(join(tmpdir(), 'countersign-'))
    const here = await somebody(apart)
    const elsewhere = { ...here, socket: join(apart, here.socket) }
    const [original, copy] = [newFolder(), newFolder()]
    const claim = { ...elsewhere, place: await placeOf(original) }
    expect(await claimDirectory(original, claim)).toBeNull()
    writeFileSync(join(copy, 'owner'), JSON.stringify(claim))
    expect(await readOwner(original)).toEqual(claim)
    expect(await readOwner(copy)).toBeNull()
    // Another number of the same device, as another container may see it.
    writeFileSync(
      join(original, 'owner'),
      JSON.stringify({ ...claim, place: { ...claim.place, device: '1' } }),
    )
    expect(await readOwner(original)).not.toBeNull()
    // The heir of the copy leaves the socket to whom it belongs.
    const heir = { ...(await somebody()), socket: elsewhere.socket, place: await placeOf(copy) }
    expect(await claimDirectory(copy, heir)).toBeNull()
    expect(existsSync(elsewhere.socket)).toBe(true)
    for (const folder of [original, copy, apart]) rmSync(folder, { recursive: true })
  })

  test('survives heirs that die halfway', async () => {
    const dead = nobody()
    writeFileSync(join(dataDir, 'owner'), JSON.stringify(dead))
    const heir = await somebody()
    // An heir that died between its claim and taking the first place.
    await claimDirectory(dataDir, heir)
    await new Promise((resolve) => servers.at(-1)?.close(resolve))
    expect(existsSync(heir.socket)).toBe(false)
    const second = await somebody()
    expect(await claimDirectory(dataDir, second)).toBeNull()
    expect(await readOwner(dataDir)).toEqual(second)
  })
})
