import { expect, test } from 'vitest'
import { type DeviceToLink, KEYS_PER_DEVICE_MOST } from '../../../src/store/devices/links.ts'
import {
  at,
  attestationOf,
  everythingAbout,
  NOTHING,
  newDeviceId,
  newId,
  refusalOf,
  type StoreUnderTest,
} from '../fixtures.ts'

/** One TPM is one device: what has to hold of names, whichever of them comes first. */
export function linksContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const about = (deviceId: string) => everythingAbout(subject(), deviceId)
  const record = (input: Parameters<typeof attestationOf>[0]) =>
    store().recordAttestation(attestationOf(input))
  const link = (tpm: string, key: string, changes: Partial<DeviceToLink> = {}) =>
    store().linkDevice(linkOf(tpm, key, changes))
  const quarantine = (deviceId: string) =>
    store().quarantineDevice({ deviceId, by: 'cli_1', reason: 'stolen', now: at(1) })
  const detail = async (deviceId: string) => {
    const found = await store().deviceDetail(deviceId, at(10))
    if (found === null) throw new Error(`no device ${deviceId}`)
    return found
  }

  test('a key of a TPM that nobody has seen makes the device of that TPM', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    const answer = await link(tpm, key)
    expect(answer).toEqual({
      outcome: 'linked',
      deviceId: tpm,
      enrolment: 'admitted',
      isQuarantined: false,
    })
    const rows = await about(tpm)
    expect(rows.device).toMatchObject([{ key_kind: 'tpm', linked_keys: [key], verdict: null }])
    expect(rows.audit).toMatchObject([{ action: 'device.linked', detail: { created: true } }])
    expect(rows.outbox).toMatchObject([{ type: 'device-linked' }])
    expect(await about(key)).toEqual(NOTHING)
  })

  test('nothing is recorded for a TPM before its key is linked, and then at the first try', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    const nonceId = newId('nonce-')
    const attempt = { deviceId: tpm, linkedKey: key, nonceId }
    expect(await record(attempt)).toEqual({ outcome: 'link_needed', device: null })
    expect(await about(tpm)).toEqual(NOTHING)
    await link(tpm, key)
    expect(await record(attempt)).toMatchObject({ outcome: 'recorded' })
    expect(await record(attempt)).toMatchObject({ outcome: 'nonce_spent' })
    const other = { deviceId: tpm, linkedKey: newDeviceId() }
    expect(await record(other)).toEqual({ outcome: 'link_needed', device: null })
  })

  test('the name of a key is that of its TPM from then on, and has nothing of its own', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    await link(tpm, key)
    const nonceId = newId('nonce-')
    const answer = await record({ deviceId: key, nonceId })
    expect(answer).toEqual({ outcome: 'linked', device: null, linkedDeviceId: tpm })
    expect(await about(key)).toEqual(NOTHING)
    const there = { deviceId: tpm, linkedKey: key, nonceId }
    expect(await record(there)).toMatchObject({ outcome: 'recorded' })
    expect((await store().trustRecord(key)).record).toMatchObject({ deviceId: tpm })
    const { records } = await store().trustRecords([key, tpm, newDeviceId()])
    expect([...records].map(([name, { deviceId }]) => [name, deviceId]).sort()).toEqual(
      [
        [key, tpm],
        [tpm, tpm],
      ].sort(),
    )
    expect((await detail(key)).record.deviceId).toBe(tpm)
    expect((await store().deviceHistory(key, { limit: 9 })).entries).toHaveLength(1)
  })

  test('a listed key keeps its place on the list under its TPM, and another stays outside', async () => {
    const mode = { enrolmentMode: 'listed' } as const
    const [tpm, key, stranger] = [newDeviceId(), newDeviceId(), newDeviceId()]
    const listed = { ring: 5, attributes: { owner: 'ada', labels: ['lab'] } }
    const by = { by: 'cli_1', now: at(0) }
    await store().enrolDevice({
      deviceId: key,
      keyKind: 'aik',
      deviceKeyHash: key,
      ...listed,
      ...by,
    })
    const strangers = newDeviceId()
    expect(await link(strangers, stranger, mode)).toEqual({ outcome: 'device_not_listed' })
    expect(await about(strangers)).toEqual(NOTHING)
    expect(await link(tpm, key, mode)).toMatchObject({ outcome: 'linked', deviceId: tpm })
    expect((await detail(tpm)).record).toMatchObject({ owner: 'ada', labels: ['lab'], ring: 5 })
    expect(await record({ deviceId: key, ...mode })).toMatchObject({ linkedDeviceId: tpm })
    const again = { deviceId: key, keyKind: 'aik', deviceKeyHash: key, ...listed, ...by } as const
    expect(await store().enrolDevice(again)).toBe('unchanged')
    expect((await about(key)).device).toEqual([])
  })

  test('everything that a device was told of stays with it when its key is linked', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    const note = {
      clause: 'a',
      state: 'fails' as const,
      bound: { since: at(0), anew: null },
      forgottenAfterMs: 1000,
    }
    const graced = { graces: [note] }
    const first = attestationOf({ deviceId: key, ring: 17, failedClauses: ['a'], ...graced })
    await store().recordAttestation(first)
    await store().setDeviceAttributes({
      deviceId: key,
      changes: { owner: 'ada', entraDeviceId: 'entra', labels: ['finance'] },
      by: 'cli_1',
      now: at(1),
    })
    await quarantine(key)
    expect(await link(tpm, key)).toMatchObject({ deviceId: tpm, isQuarantined: true })
    const { record: kept, firstFailedAt } = await detail(tpm)
    expect(kept).toMatchObject({
      owner: 'ada',
      entraDeviceId: 'entra',
      labels: ['finance'],
      ring: 17,
      quarantine: { by: 'cli_1', reason: 'stolen' },
      attestation: first.attestation,
      graces: { a: { since: at(0).toISOString() } },
    })
    expect(Object.keys(firstFailedAt)).toEqual(['a'])
    expect((await store().deviceHistory(tpm, { limit: 9 })).entries).toHaveLength(1)
    const nonces = (await about(tpm)).spent_nonce
    expect(nonces).toMatchObject([{ nonce_id: first.nonce.id }])
    // Others were told of the old name, and are told that it counts no more.
    const told = (await about(key)).outbox as { payload: { currentVerdict: string } }[]
    expect(told.at(-1)?.payload).toMatchObject({ cause: 'merged', currentVerdict: 'unknown' })
    expect((await about(key)).device).toEqual([])
    expect((await about(key)).recent_attestation).toEqual([])
  })

  test('an exception that was made for a device holds for it by its new name', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    await record({ deviceId: key })
    const overrideId = newId('ovr_')
    await store().createOverride({
      overrideId,
      target: { kind: 'device', name: key },
      what: { action: 'allow' },
      reason: 'repair',
      author: 'cli_1',
      now: at(0),
      expiresAt: at(3600),
    })
    const { controlRevision } = await store().inForce()
    await link(tpm, key)
    const { overrides } = await store().control(at(10))
    expect(overrides.find((one) => one.overrideId === overrideId)?.target.name).toBe(tpm)
    // Every process reads the exceptions anew.
    expect((await store().inForce()).controlRevision).toBeGreaterThan(controlRevision)
  })

  test('a quarantine is not escaped by another key, by linking anew or by an old name', async () => {
    const [tpm, one, two] = [newDeviceId(), newDeviceId(), newDeviceId()]
    await record({ deviceId: one })
    await link(tpm, one)
    expect(await quarantine(one)).toBe('applied')
    expect((await detail(tpm)).record.quarantine).not.toBeNull()
    await record({ deviceId: two })
    for (const key of [two, one, two]) {
      expect(await link(tpm, key)).toMatchObject({ deviceId: tpm, isQuarantined: true })
      const answer = await record({ deviceId: tpm, linkedKey: key })
      expect(answer.device?.quarantine).toMatchObject({ reason: 'stolen' })
      expect(await record({ deviceId: key })).toMatchObject({ linkedDeviceId: tpm })
    }
    const release = { deviceId: two, by: 'cli_2', reason: 'found', now: at(2) }
    expect(await store().releaseDevice(release)).toBe('applied')
    expect((await detail(tpm)).record.quarantine).toBeNull()
  })

  test('a quarantine of any of several devices that turn out to be one holds for it', async () => {
    const [tpm, one, two] = [newDeviceId(), newDeviceId(), newDeviceId()]
    for (const second of [11, 12, 20]) await record({ deviceId: one, at: second })
    for (const second of [10, 13, 30])
      await record({ deviceId: two, at: second, verdict: 'untrusted' })
    await link(tpm, one)
    await quarantine(two)
    expect(await link(tpm, two)).toMatchObject({ isQuarantined: true })
    const merged = await detail(tpm)
    expect(merged.recordedVerdict).toBe('untrusted')
    expect(merged.linkedKeys.toSorted()).toEqual([one, two].sort())
    const events = (await about(tpm)).outbox as { payload: Record<string, unknown> }[]
    expect(events.map(({ payload }) => payload.currentVerdict)).toContain('quarantined')
    // Under any of the names the history is of all of them, and so is what outlives it.
    const seconds = async (name: string) =>
      (await store().deviceHistory(name, { limit: 9 })).entries.map(
        (entry) => (entry.at.getTime() - at(0).getTime()) / 1000,
      )
    for (const name of [tpm, one, two]) {
      expect(await seconds(name)).toEqual([30, 20, 13, 12, 11, 10])
    }
    await subject().query(`delete from attestation where device_id in ('${one}', '${two}')`)
    expect(await seconds(two)).toEqual([30, 20, 13, 12, 11])
  })

  test('two descriptions of one TPM that share a key become one device', async () => {
    const [endorsement, serial, key] = [newDeviceId(), newDeviceId(), newDeviceId()]
    await link(serial, key)
    await quarantine(serial)
    const answer = await link(endorsement, key)
    // Nobody has seen the other description: the device keeps the name that it has.
    expect(answer).toMatchObject({ deviceId: serial, isQuarantined: true })
    expect(await record({ deviceId: endorsement })).toMatchObject({ linkedDeviceId: serial })
  })

  test('two descriptions of one TPM that are devices become one, whatever led there', async () => {
    const [endorsement, serial, one, two] = [
      newDeviceId(),
      newDeviceId(),
      newDeviceId(),
      newDeviceId(),
    ]
    await link(serial, one)
    await link(endorsement, two)
    await quarantine(serial)
    const answer = await link(endorsement, one)
    expect(answer).toMatchObject({ deviceId: endorsement, isQuarantined: true })
    for (const name of [serial, one, two]) {
      expect(await record({ deviceId: name })).toMatchObject({ linkedDeviceId: endorsement })
    }
    const [links] = await subject().query(
      `select count(*)::int as chained from device_link a join device_link b on a.target_id = b.device_id`,
    )
    expect(links).toEqual({ chained: 0 })
  })

  test('a ticket links once, and a refused one is not used up', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    const ticket = { id: newId('ticket-'), expiresAt: at(300) }
    const refused = await link(tpm, key, { ticket, enrolmentMode: 'listed' })
    expect(refused).toEqual({ outcome: 'device_not_listed' })
    const answers = await Promise.all(Array.from({ length: 8 }, () => link(tpm, key, { ticket })))
    const count = (outcome: string) => answers.filter((one) => one.outcome === outcome).length
    expect([count('linked'), count('ticket_spent')]).toEqual([1, 7])
    const { audit } = await about(tpm)
    expect(audit).toHaveLength(1)
  })

  test('a ticket is spent for good, also once the device has another name', async () => {
    const [tpm, key, other] = [newDeviceId(), newDeviceId(), newDeviceId()]
    const ticket = { id: newId('ticket-'), expiresAt: at(300) }
    await link(tpm, key, { ticket })
    await link(other, tpm)
    expect((await store().trustRecord(tpm)).record).toMatchObject({ deviceId: other })
    expect(await link(tpm, key, { ticket })).toEqual({ outcome: 'ticket_spent' })
    const next = { id: newId('ticket-'), expiresAt: at(300) }
    expect(await link(tpm, key, { ticket: next })).toMatchObject({ deviceId: other })
    expect(await link(tpm, key, { ticket: next })).toEqual({ outcome: 'ticket_spent' })
  })

  test('a link that fails at its last write leaves everything as it was', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    await record({ deviceId: key })
    await quarantine(key)
    const before = await about(key)
    await subject().query(
      `create function refuse_link() returns trigger language plpgsql as
       $$ begin raise exception 'refused'; end $$`,
    )
    await subject().query(
      `create trigger refuse_link before insert on outbox for each row
       when (new.type = 'device-linked' and new.device_id = '${tpm}')
       execute function refuse_link()`,
    )
    const ticket = { id: newId('ticket-'), expiresAt: at(300) }
    await expect(link(tpm, key, { ticket })).rejects.toThrow()
    await subject().query('drop trigger refuse_link on outbox')
    await subject().query('drop function refuse_link()')
    expect(await about(key)).toEqual(before)
    expect(await about(tpm)).toEqual(NOTHING)
    expect(await link(tpm, key, { ticket })).toMatchObject({ isQuarantined: true })
  })

  test('a TPM has a bounded number of keys, and those that are known stay', async () => {
    const tpm = newDeviceId()
    const keys = Array.from({ length: KEYS_PER_DEVICE_MOST }, newDeviceId)
    for (const key of keys) await link(tpm, key)
    expect(await link(tpm, newDeviceId())).toEqual({ outcome: 'device_keys_exhausted' })
    expect(await link(tpm, keys[0] ?? '')).toMatchObject({ outcome: 'linked' })
  })

  test('of first attestations and links of one key at once no device is left beside the TPM', async () => {
    for (let round = 0; round < 12; round += 1) {
      const [tpm, key] = [newDeviceId(), newDeviceId()]
      const outcomes = await Promise.all([
        record({ deviceId: key }),
        link(tpm, key),
        record({ deviceId: key }),
        link(tpm, key),
        store().enrolDevice({
          deviceId: key,
          keyKind: 'aik',
          deviceKeyHash: key,
          ring: 1,
          attributes: {},
          by: 'cli_1',
          now: at(0),
        }),
      ])
      expect(outcomes[1]).toMatchObject({ outcome: 'linked', deviceId: tpm })
      expect((await about(key)).device).toEqual([])
      expect((await about(key)).spent_nonce).toEqual([])
      expect(await record({ deviceId: key })).toMatchObject({ linkedDeviceId: tpm })
      // What was recorded before the link is the device's, and nothing is there twice.
      const recorded = outcomes.filter((one) => typeof one === 'object' && 'device' in one)
      const kept = recorded.filter(({ outcome }) => outcome === 'recorded').length
      expect((await store().deviceHistory(tpm, { limit: 9 })).entries).toHaveLength(kept)
    }
  })

  test('a key whose device is not kept any more is a device again, by what names it now', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    await link(tpm, key)
    await subject().query(`delete from device where device_id = '${tpm}'`)
    const attempt = { deviceId: tpm, linkedKey: key }
    expect(await record({ deviceId: key })).toMatchObject({ linkedDeviceId: tpm })
    expect(await record(attempt)).toMatchObject({ outcome: 'link_needed' })
    expect(await link(key, key, { keyKind: 'aik' })).toMatchObject({ deviceId: key })
    expect(await record({ deviceId: key })).toMatchObject({ outcome: 'recorded' })
    expect(await record(attempt)).toMatchObject({ linkedDeviceId: key })
    expect(await link(tpm, key)).toMatchObject({ outcome: 'linked', deviceId: key })
  })

  test('refused attempts of any name are kept with the device', async () => {
    const [tpm, key] = [newDeviceId(), newDeviceId()]
    await link(tpm, key)
    await store().recordRefusal(refusalOf(key, {}))
    expect((await about(key)).refusal).toEqual([])
    expect((await store().deviceHistory(key, { limit: 9 })).entries).toHaveLength(1)
  })
}

export function linkOf(
  tpm: string,
  key: string,
  changes: Partial<DeviceToLink> = {},
): DeviceToLink {
  return {
    deviceId: tpm,
    keyKind: 'tpm',
    identity: tpm,
    ring: 42,
    key,
    names: [{ deviceId: key, keyKind: 'aik', keyHash: key }],
    enrolmentMode: 'open',
    ticket: null,
    detail: { cause: 'certificate' },
    now: at(5),
    ...changes,
  }
}
