import { expect, test } from 'vitest'
import { SPENT_NONCE_MARGIN_SECONDS } from '../../../src/store/system/retention.ts'
import { at, attestationOf, newDeviceId, refusalOf, type StoreUnderTest } from '../fixtures.ts'

const DAY = 86_400

/** Runs a job to its end in several processes' stead at once; each batch as it is claimed. */
async function removeAll(remove: () => Promise<number>): Promise<number> {
  const drain = async () => {
    let total = 0
    for (;;) {
      const removed = await remove()
      if (removed === 0) return total
      total += removed
    }
  }
  const totals = await Promise.all([drain(), drain(), drain()])
  return totals.reduce((sum, total) => sum + total, 0)
}

export function retentionContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const record = (input: Parameters<typeof attestationOf>[0]) =>
    store().recordAttestation(attestationOf(input))
  const countOf = async (table: string, condition: string) => {
    const [row] = await subject().query(
      `select count(*)::integer as rows from ${table} where ${condition}`,
    )
    return Number(row?.rows)
  }

  test('spent nonces go some time after they expire, in batches, each once', async () => {
    const deviceId = newDeviceId()
    for (let second = 0; second < 30; second++) await record({ deviceId, at: second })
    const mine = `device_id = '${deviceId}'`
    // The nonce of second 9 expires at 309.
    const now = at(310 + SPENT_NONCE_MARGIN_SECONDS)
    const all = await countOf('spent_nonce', `expires_at < '${at(310).toISOString()}'`)
    expect(await store().removeSpentNonces(now, 3)).toBe(3)
    expect(await removeAll(() => store().removeSpentNonces(now, 7))).toBe(all - 3)
    expect(await countOf('spent_nonce', mine)).toBe(20)
  })

  test('a nonce cannot be spent again while its row might be missed', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId, nonceId: 'kept' })
    await removeAll(() => store().removeSpentNonces(at(299 + SPENT_NONCE_MARGIN_SECONDS), 50))
    expect((await record({ deviceId, nonceId: 'kept' })).outcome).toBe('nonce_spent')
  })

  test('old history goes, except the newest accepted of each device', async () => {
    const [busy, silent] = [newDeviceId(), newDeviceId()]
    for (let day = 0; day < 10; day++) await record({ deviceId: busy, at: day * DAY })
    await record({ deviceId: silent, at: 0 })
    for (const day of [1, 5, 9]) {
      await store().recordRefusal(refusalOf(busy, { at: at(day * DAY) }))
    }
    const limits = { acceptedBefore: at(8 * DAY), refusedBefore: at(6 * DAY), batch: 2 }
    const left = async (deviceId: string, outcome: string) =>
      countOf('attestation', `device_id = '${deviceId}' and outcome = '${outcome}'`)

    await removeAll(() => store().removeOldHistory({ ...limits, keepLatest: 5 }))
    expect(await left(busy, 'accepted')).toBe(5)
    expect(await left(busy, 'refused')).toBe(1)
    expect(await left(silent, 'accepted')).toBe(1)

    await removeAll(() => store().removeOldHistory({ ...limits, keepLatest: 1 }))
    expect(await left(busy, 'accepted')).toBe(2)
    expect(await left(silent, 'accepted')).toBe(1)

    await removeAll(() => store().removeOldHistory({ ...limits, keepLatest: 0 }))
    expect(await left(silent, 'accepted')).toBe(0)
    // What is known about the device does not go with its history.
    expect((await store().trustRecord(silent)).record?.attestation).not.toBeNull()
  })

  test('events go when they were delivered long ago, or could not be for too long', async () => {
    const deviceIds = [newDeviceId(), newDeviceId(), newDeviceId(), newDeviceId()]
    const [deliveredOld, deliveredNew, waitingOld, waitingNew] = deviceIds
    for (const deviceId of deviceIds) {
      await record({ deviceId, at: deviceId === waitingNew ? 20 * DAY : 0 })
    }
    await subject().query(
      `update outbox set delivered_at = '${at(DAY).toISOString()}' where device_id = '${deliveredOld}'`,
    )
    await subject().query(
      `update outbox set delivered_at = '${at(20 * DAY).toISOString()}' where device_id = '${deliveredNew}'`,
    )
    const limits = { deliveredBefore: at(5 * DAY), undeliveredBefore: at(9 * DAY), batch: 10 }
    await removeAll(() => store().removeOldOutbox(limits))
    const left = deviceIds.map((deviceId) => countOf('outbox', `device_id = '${deviceId}'`))
    expect(await Promise.all(left)).toEqual([0, 1, 0, 1])
    expect(waitingOld).toBeDefined()
  })

  test('audit rows of attestations may go before those of people', async () => {
    const deviceId = newDeviceId()
    await record({ deviceId, at: 500 * DAY })
    const change = { deviceId, by: 'admin', reason: 'lost', now: at(500 * DAY) }
    await store().quarantineDevice(change)
    const limits = { before: at(499 * DAY), attestationsBefore: at(501 * DAY), batch: 50 }
    await removeAll(() => store().removeOldAudit(limits))
    const left = await subject().query(`select action from audit where device_id = '${deviceId}'`)
    expect(left).toEqual([{ action: 'device.quarantined' }])
  })

  test('old audit rows go', async () => {
    const [old, fresh] = [newDeviceId(), newDeviceId()]
    await record({ deviceId: old, at: 0 })
    await record({ deviceId: fresh, at: 600 * DAY })
    await removeAll(() => store().removeOldAudit({ before: at(599 * DAY), batch: 50 }))
    expect(await countOf('audit', `device_id = '${old}'`)).toBe(0)
    expect(await countOf('audit', `device_id = '${fresh}'`)).toBe(1)
  })
}
