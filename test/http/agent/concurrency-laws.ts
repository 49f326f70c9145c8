import { afterAll, beforeAll, expect, test } from 'vitest'
import { deviceIdOf } from '../../../src/access/device-id.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { expectOk } from '../../support/refusal.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  START,
  startDevice,
} from '../../support/service.ts'
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
const authority = await createAkAuthority(START)

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
    const rowsOf = (table: string) =>
      database.query(`select * from ${table} where device_id = '${deviceId}'`)
    expect(await rowsOf('attestation')).toMatchObject([{ attestation_id }])
    expect(await rowsOf('device')).toMatchObject([{ attestation_id, verdict: 'trusted' }])
    expect(await rowsOf('spent_nonce')).toHaveLength(1)
    expect(await rowsOf('outbox')).toHaveLength(1)
    expect(await rowsOf('refusal')).toHaveLength(20)
  })

  test('of 32 copies of one message to two processes exactly one is answered', async () => {
    const env = { AK_TRUST_ANCHORS: authority.anchorPem, ...generous }
    const processes = [
      await createTestService({ database, env }),
      await createTestService({ database, env }),
    ] as const
    const device = await startDevice({ issuer: authority.issue })
    let message = ''
    const fetch = async (request: Request) => {
      const isInit = message === ''
      message = await request.clone().text()
      return isInit ? processes[0].app.fetch(request) : new Response('{}', { status: 400 })
    }
    await processes[0].agentOf(device, { fetch }).obtainToken('AQID')
    const path = '/attest/Tpm?api-version=2025-06-01'
    const sent = Array.from({ length: SUBMISSIONS }, (_, index) =>
      processes[index % 2 === 0 ? 0 : 1].post(path, JSON.parse(message)),
    )
    const answers = await Promise.all(sent)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expect(await answer.json()).toMatchObject({
        error: { code: 'InvalidParameter', message: expect.stringContaining('has been used') },
      })
    }
    expect(await database.query('select * from spent_context')).toHaveLength(1)
    // A new challenge is all that it takes.
    expectOk(await processes[1].agentOf(device).obtainToken('AQID'))
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
