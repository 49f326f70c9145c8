import { afterAll, beforeAll, expect, test } from 'vitest'
import { deviceIdOf } from '../../../src/access/device-id.ts'
import { createTestService, expectProblem, readOk, startDevice } from '../../support/service.ts'
import {
  makeProof,
  mintedClaims,
  mintToken,
  newDeviceKey,
  rememberHealthy,
  requestNonce,
  submit,
} from '../../support/submission.ts'
import type { TestDatabase } from '../../support/test-database.ts'

const SUBMISSIONS = 32

/** The laws of submissions that come at once, on whichever database. */
export function concurrencyLaws(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase
  beforeAll(async () => {
    database = await open()
  })
  afterAll(() => database?.close())

  const start = async (env = {}) => {
    const service = await createTestService({ database, env })
    await rememberHealthy(service, await startDevice())
    return service
  }
  const generous = { DEVICE_ATTESTATIONS_PER_MINUTE: '100' }

  test('of 32 submissions of one nonce exactly one counts', async () => {
    const service = await start(generous)
    const deviceKey = newDeviceKey()
    const nonce = await requestNonce(service, deviceKey)
    const attempts = await Promise.all(
      Array.from({ length: SUBMISSIONS }, async () => ({
        token: await mintToken(service, mintedClaims(service, { deviceKey, nonce })),
        proof: await makeProof(service, { nonce }),
      })),
    )
    const answers = await Promise.all(attempts.map((attempt) => submit(service, attempt)))

    const [winner, ...others] = answers.filter(({ status }) => status === 201)
    expect(others).toEqual([])
    const { attestation_id } = await readOk(winner ?? expect.unreachable(), 201)
    const lost = answers.filter(({ status }) => status !== 201)
    for (const answer of lost) await expectProblem(answer, 409, 'nonce_spent')
    const deviceId = deviceIdOf(deviceKey)
    const rowsOf = (table: string, more = '') =>
      database.query(`select * from ${table} where device_id = '${deviceId}' ${more}`)
    expect(await rowsOf('attestation', `and outcome = 'accepted'`)).toMatchObject([
      { attestation_id },
    ])
    expect(await rowsOf('device')).toMatchObject([{ attestation_id, verdict: 'trusted' }])
    expect(await rowsOf('spent_nonce')).toHaveLength(1)
    expect(await rowsOf('audit')).toHaveLength(1)
    expect(await rowsOf('outbox')).toHaveLength(1)
    expect(await rowsOf('attestation', `and outcome = 'refused'`)).toHaveLength(20)
  })

  test('of 32 nonces of one device all count, and its record is that of one of them', async () => {
    const service = await start(generous)
    const deviceKey = newDeviceKey()
    const attempts = await Promise.all(
      Array.from({ length: SUBMISSIONS }, async () => {
        const nonce = await requestNonce(service, deviceKey)
        const token = await mintToken(service, mintedClaims(service, { deviceKey, nonce }))
        return { token, proof: await makeProof(service, { nonce }) }
      }),
    )
    const answers = await Promise.all(attempts.map((attempt) => submit(service, attempt)))
    expect(answers.map(({ status }) => status)).toEqual(Array(SUBMISSIONS).fill(201))
    const ids = await Promise.all(
      answers.map(
        async (answer) => ((await answer.json()) as Record<string, string>).attestation_id,
      ),
    )
    const [record] = await database.query(
      `select * from device where device_id = '${deviceIdOf(deviceKey)}'`,
    )
    expect(ids).toContain(record?.attestation_id)
  })
}
