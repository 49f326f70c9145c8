import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Json } from '../../support/json.ts'
import { describeWith } from '../../support/left-out.ts'
import { type ServedStreams, serveStreams } from '../../support/served-streams.ts'

/**
 * A receiver that nobody here wrote, on a running service: easyssf (crates.io, easyssf-receiver), in Rust. It
 * discovers us, gets its access tokens at our token endpoint, makes its stream, fetches our keys, verifies and
 * reads each event, acknowledges or refuses it, and ends its stream. `receiver/` holds what starts it.
 */

const BINARY = process.env.SSF_RECEIVER ?? ''
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const VERIFICATION = 'https://schemas.openid.net/secevent/ssf/event-type/verification'
/** What the receiver expects in the header of pushes, and names in its stream. */
const HEADER = 'Bearer of pushes'
const WAIT = { timeout: 40_000, interval: 250 }

describeWith('ssfReceiver', existsSync(BINARY), 'easyssf, as the receiver of a stream', () => {
  let world: ServedStreams
  beforeAll(async () => {
    world = await serveStreams()
  })

  test.each(['poll', 'push'])('that delivers by %s takes what becomes of devices', async (way) => {
    const receiver = await startReceiver(world, way)
    await follow(world, receiver)
    await receiver.end()
    // It ends its stream itself.
    expect(await receiver.client.ask('GET')).toEqual([])
  })

  test('that does not accept our algorithm says so, which is shown, and nothing is lost', async () => {
    const receiver = await startReceiver(world, 'push', {
      'set-validation': { 'accepted-algorithms': ['ES256'] },
    })
    await world.attest(1)
    await expect
      .poll(receiver.show, WAIT)
      .toMatchObject({ waiting: 1, refused: 0, failure: '400 invalid_key' })
    expect(receiver.told('claims')).toEqual([])
  })

  test('that is pushed to with another header answers 401, and waits for the right one', async () => {
    const receiver = await startReceiver(world, 'push')
    await receiver.changeHeader('Bearer of others')
    await world.attest(1)
    await expect
      .poll(receiver.show, WAIT)
      .toMatchObject({ waiting: 1, refused: 0, failure: '401 authentication_failed' })
    expect(receiver.told('claims')).toEqual([])
    await receiver.changeHeader(HEADER)
    await expect
      .poll(() => receiver.told('caep'), WAIT)
      .toMatchObject([{ caep: [{ kind: 'DeviceComplianceChange', status: 'compliant' }] }])
  })
})

type Receiver = Awaited<ReturnType<typeof startReceiver>>

/** Runs easyssf, as a client of its own, until its stream is there. */
async function startReceiver(world: ServedStreams, way: string, more = {}) {
  const { folder, issuer, cli } = world
  const client = await world.addReceiver()
  const config = join(folder, `${client.id}.json`)
  const door = await startTlsDoor(world)
  const settings = {
    'transmitter-issuer': issuer,
    'delivery-method': way,
    oauth2: {
      'token-uri': `${issuer}/oauth/token`,
      'client-id': client.id,
      'client-secret': client.secret,
      scopes: ['ssf.read', 'ssf.manage'],
    },
    stream: {
      management: 'receiver',
      'events-requested': ['CaepDeviceComplianceChange', 'CaepSessionRevoked'],
      'delete-on-shutdown': true,
    },
    poll: { 'initial-delay': '0s', interval: '300ms' },
    push: { 'expected-auth-header': HEADER, 'delivery-endpoint-url': `${door.url}/ssf/push` },
    ...more,
  }
  writeFileSync(config, JSON.stringify(settings))
  const child = spawn(BINARY, [config], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const lines = linesOf(child)
  const told = (member: string) => lines.filter((line) => member in line)
  await expect.poll(() => told('listening'), WAIT).toHaveLength(1)
  door.leadTo(told('listening')[0]?.listening)
  await expect.poll(() => client.ask('GET'), WAIT).toHaveLength(1)
  const [{ stream_id: id, delivery }] = await client.ask('GET')
  return {
    ...{ client, told },
    show: () => cli('streams', 'show', id),
    changeHeader: (header: string) =>
      client.ask('PATCH', {
        stream_id: id,
        delivery: { ...delivery, authorization_header: header },
      }),
    verify: () => child.stdin?.write('verify\n'),
    async end() {
      child.stdin?.end()
      const [code] = await once(child, 'close')
      expect(code).toBe(0)
    },
  }
}

function linesOf(child: ChildProcess): Json[] {
  const lines: Json[] = []
  let rest = ''
  child.stdout?.on('data', (data) => {
    const parts = (rest + data).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts.map((part) => JSON.parse(part)))
  })
  return lines
}

/** Ends TLS before the receiver, as a proxy does in front of one that is deployed. */
async function startTlsDoor({ tls }: Pick<ServedStreams, 'tls'>) {
  let port = 0
  const server = createServer(tls, (outside) => {
    const inside = connect(port, '127.0.0.1')
    outside.pipe(inside).pipe(outside)
    outside.on('error', () => inside.destroy())
    inside.on('error', () => outside.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
  })
  const { port: outer } = server.address() as AddressInfo
  return {
    url: `https://localhost:${outer}`,
    leadTo: (inner: number) => {
      port = inner
    },
  }
}

/** Devices come, one of them is quarantined, and the receiver asks for a verification. */
async function follow(world: ServedStreams, receiver: Receiver): Promise<void> {
  const listIds = async (): Promise<readonly string[]> => {
    const devices: Json[] = await world.cli('devices', 'list')
    return devices.map((one) => one.device_id)
  }
  const before = new Set(await listIds())
  await world.attest(2)
  const ids = (await listIds()).filter((id) => !before.has(id)).sort()
  expect(ids).toHaveLength(2)
  const [lost = ''] = ids
  const read = (kind: string) => receiver.told('caep').filter(({ caep }) => caep[0]?.kind === kind)
  await expect.poll(() => read('DeviceComplianceChange').length, WAIT).toBe(2)
  for (const event of read('DeviceComplianceChange')) expect(event.caep[0].status).toBe('compliant')
  const subjects = read('DeviceComplianceChange').map(({ subject }) => subject)
  expect(subjects.sort()).toEqual(ids)

  await world.cli('devices', 'quarantine', lost, '--reason', 'lost')
  await expect.poll(() => read('SessionRevoked').length, WAIT).toBe(1)
  expect(read('SessionRevoked')[0]).toMatchObject({
    subject: lost,
    claims: { iss: world.issuer, events: { [`${CAEP}session-revoked`]: expect.any(Object) } },
  })
  await expect
    .poll(() => read('DeviceComplianceChange')[2], WAIT)
    .toMatchObject({ subject: lost, caep: [{ status: 'not-compliant' }] })

  receiver.verify()
  await expect.poll(() => receiver.told('asked').length, WAIT).toBe(1)
  const [{ asked }] = receiver.told('asked')
  expect(asked).toEqual({ Ok: expect.any(String) })
  const states = () =>
    receiver.told('claims').map(({ claims }) => claims.events[VERIFICATION]?.state)
  await expect.poll(states, WAIT).toContain(asked.Ok)
}
