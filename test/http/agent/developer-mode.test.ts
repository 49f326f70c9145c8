import { createHash } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import { createAkAuthority } from '../../../src/simulator/ak-authority.ts'
import { claimSecureBoot } from '../../../src/simulator/tampering.ts'
import {
  createTestService,
  everythingStored,
  expectProblem,
  readOk,
  START,
  startDevice,
  type TestService,
} from '../../support/service.ts'
import { requestNonce } from '../../support/submission.ts'
import { openTestDatabase } from '../../support/test-database.ts'

const database = await openTestDatabase()
const service = await createTestService({ database, developer: true })
const plain = await createTestService({ database })
const bad = await startDevice({ boot: { secureBoot: false } })
afterAll(() => database.close())

/** The answer to evidence of a machine that is not what it says. */
async function refusedBy(asked: TestService): Promise<{ status: number; error: unknown }> {
  let answer = new Response()
  const fetch = async (request: Request) => {
    answer = await asked.app.fetch(request)
    return answer.clone()
  }
  await asked.agentOf(claimSecureBoot(bad, 'recomputed'), { fetch }).obtainToken('AQID')
  const { error } = (await answer.json()) as { error: unknown }
  return { status: answer.status, error }
}

describe('a service for whoever develops an agent', () => {
  test('says so in its log, and to whoever asks for its health', async () => {
    const lines = service.logs.map((line) => JSON.parse(line))
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'warn', event: 'developer_mode' }),
    )
    expect(await readOk(await service.request('/healthz'))).toEqual({
      status: 'ok',
      developer: true,
    })
  })

  test('answers refused evidence with every step, and the values that it compared', async () => {
    expect(await refusedBy(service)).toMatchObject({
      status: 400,
      error: {
        code: 'InvalidParameter',
        innererror: {
          trace: [
            { step: 'service_context', outcome: 'passed' },
            { step: 'request_signature', outcome: 'passed' },
            { step: 'attestation_key', outcome: 'passed' },
            { step: 'quote', outcome: 'passed', compared: expect.any(Array) },
            { step: 'attestation_key_certificate', outcome: 'passed' },
            { step: 'service_context_use', outcome: 'passed' },
            { step: 'key_bindings', outcome: 'passed' },
            {
              step: 'boot_log',
              outcome: 'failed',
              detail: 'log_pcr_mismatch',
              compared: [
                {
                  what: 'sha256 PCR 7',
                  expected: expect.stringMatching(/^[0-9a-f]{64}$/),
                  found: expect.stringMatching(/^[0-9a-f]{64}$/),
                },
              ],
            },
          ],
        },
      },
    })
  })

  test('names the device key that the nonce was made for, where it is the hash of something else', async () => {
    const device = await startDevice()
    const pem = device.tpm.attestationKey.export({ type: 'spki', format: 'pem' })
    const nonce = await requestNonce(service, createHash('sha256').update(pem).digest())
    const traced = async (rpData: string) => {
      let body = ''
      const fetch = async (request: Request) => {
        const answer = await service.app.fetch(request)
        body = await answer.clone().text()
        return answer
      }
      await service.agentOf(device, { fetch }).obtainToken(rpData)
      return JSON.parse(body)
    }
    const { error } = await traced(nonce)
    expect(error.innererror.trace.at(-1)).toEqual({
      ...{ step: 'rp_data', outcome: 'failed', detail: 'device_key_mishashed' },
      compared: [
        {
          what: 'device key that the nonce was made for',
          expected: device.deviceKey,
          found: createHash('sha256').update(pem).digest('base64'),
        },
      ],
    })
  })

  test('writes no value of evidence into its log or its database', async () => {
    const { error } = await refusedBy(service)
    const [value] = /[0-9a-f]{64}/.exec(JSON.stringify(error)) ?? expect.fail('a value is told')
    expect(service.logs.join('')).not.toContain(value)
    expect(JSON.stringify(await everythingStored(service.query))).not.toContain(value)
  })

  test('any other tells no step and no value', async () => {
    const { error } = await refusedBy(plain)
    expect(JSON.stringify(error)).not.toMatch(/trace|compared|[0-9a-f]{64}/)
    expect(plain.logs.join('')).not.toContain('developer_mode')
  })

  test('does not start with the settings of production, whoever starts it', async () => {
    const env = { AK_TRUST_ANCHORS: 'microsoft' }
    const started = createTestService({ database, developer: true, env })
    await expect(started).rejects.toThrow(/--developer: AK_TRUST_ANCHORS/)
  })

  test('is over once reference values in force list trust anchors, and does not start then', async () => {
    const own = await openTestDatabase()
    const mine = await createTestService({ database: own, developer: true })
    const { anchorPem } = await createAkAuthority(START)
    const certificate = anchorPem.replaceAll(/-----[A-Z ]+-----|\s/g, '')
    const anchors = [{ name: 'ours', certificate }]
    const headers = await mine.as('admin.read', 'admin.write')
    const { document } = await readOk(await mine.request('/v1/reference-values', { headers }))
    const body = { reason: 'real machines', document: { ...document, trust_anchors: anchors } }
    await readOk(await mine.post('/v1/reference-values', body, { method: 'PUT', headers }))
    mine.clock.advance(60)
    expect(JSON.stringify(await refusedBy(mine))).not.toContain('trace')
    await expect(createTestService({ database: own, developer: true })).rejects.toThrow(
      /trust anchors/,
    )
    await own.close()
  })
})

describe('what was refused, by the id of its request', () => {
  const find = async (id: string, asked = plain) => {
    const headers = await asked.as('admin.read')
    const path = `/v1/refusals?request_id=${encodeURIComponent(id)}`
    return readOk(await asked.request(path, { headers }))
  }
  const named = (id: string) => ({ headers: { 'x-request-id': id } })
  const PATH = '/attest/Tpm?api-version=2025-06-01'
  const envelope = (message: unknown) => ({ data: toBase64Url(toUtf8(JSON.stringify(message))) })

  test('is there although no quote was verified, and nothing is in the database', async () => {
    await plain.as('admin.read')
    const before = await everythingStored(plain.query)
    await plain.post(PATH, envelope({ payload: { request: 'a.b' } }), named('agent 7/1'))
    await plain.post(PATH, null, { ...named('agent 7/2'), body: '{' })
    await plain.post('/v1/attestations', { token: 'x' }, named('agent 7/3'))
    await plain.post('/v1/attestations', {}, named('agent 7/4'))
    const answers = await Promise.all([1, 2, 3, 4].map((n) => find(`agent 7/${n}`)))
    expect(answers.map(({ refusals: [one] }) => [one.stage, one.reason])).toEqual([
      ['evidence', 'request_jws_malformed'],
      ['evidence', 'json_malformed'],
      ['submission', 'token_malformed'],
      ['submission', 'request_malformed'],
    ])
    expect(answers[0]).toMatchObject({
      process: plain.services.processId,
      remembered_since: expect.any(String),
      detail: expect.stringContaining('each process'),
    })
    expect(await everythingStored(plain.query)).toEqual(before)
  })

  test('is there with the steps that were taken, and no values', async () => {
    await refusedBy(plain)
    const [line] = plain.logs.filter((text) => text.includes('evidence_refused')).slice(-1)
    const { refusals } = await find(JSON.parse(line ?? '').request_id)
    expect(refusals).toMatchObject([{ reason: 'log_pcr_mismatch', where: { pcrs: [7] } }])
    expect(refusals[0].trace).toContainEqual({
      step: 'quote',
      outcome: 'passed',
      detail: expect.any(String),
    })
    expect(JSON.stringify(refusals)).not.toMatch(/[0-9a-f]{64}/)
  })

  test('is that of each process alone', async () => {
    await plain.post(PATH, envelope({}), named('only here'))
    expect((await find('only here')).refusals).toHaveLength(1)
    expect((await find('only here', service)).refusals).toEqual([])
  })

  test('a refused enrolment is there, too', async () => {
    const body = { ek_certificate: 'AAAA', ak_public: 'AAAA' }
    await plain.post('/v1/enrolments', body, named('enrol'))
    const { refusals } = await find('enrol')
    expect(refusals).toMatchObject([{ stage: 'enrolment', reason: expect.any(String) }])
  })

  test.each([
    [
      '',
      { ek_certificate: 'AAAA', ak_public: 'AA==' },
      'ak_public',
      /^TPMT_PUBLIC or TPM2B_PUBLIC in/,
    ],
    [
      '',
      { ek_certificate: 'AAAA', chain: 'AAAA', ak_public: 'AAAA' },
      'chain',
      /^an array of at most 6/,
    ],
    ['', { ek_certificate: 'AAAA', chain: ['!'], ak_public: 'AAAA' }, 'chain.0', /^an array of at/],
    ['', { ak_public: 'AAAA' }, 'ek_certificate', /^the certificate of the endorsement key, DER/],
    ['/activate', { secret: 'AAAA' }, 'ticket', /^the ticket of the answer/],
    ['/activate', { ticket: 'x', secret: 7 }, 'secret', /^what TPM2_ActivateCredential gave/],
  ])(
    'and so is a body of /v1/enrolments%s that has another form: %j',
    async (path, body, member, expected) => {
      const id = `form ${member}`
      const answer = await plain.post(`/v1/enrolments${path}`, body, named(id))
      const said = { where: { member }, expected: expect.stringMatching(expected) }
      expect(await expectProblem(answer, 400, 'request_malformed')).toMatchObject(said)
      const { refusals } = await find(id)
      expect(refusals).toMatchObject([{ stage: 'enrolment', reason: 'request_malformed', ...said }])
    },
  )

  test('of many under one id what is left out is counted', async () => {
    for (let sent = 0; sent < 52; sent += 1) await plain.post(PATH, envelope({}), named('flood'))
    const { refusals, left_out } = await find('flood')
    expect(refusals).toHaveLength(50)
    expect(left_out).toBe(2)
  })

  test.each(['since=2026-01-01T00:00:00Z', 'limit=5', 'before=x'])(
    'is no list of the database: %s beside the id is refused',
    async (other) => {
      const headers = await plain.as('admin.read')
      const answer = await plain.request(`/v1/refusals?request_id=x&${other}`, { headers })
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ code: 'request_malformed' })
    },
  )

  test('is for administrators', async () => {
    const answer = await plain.request('/v1/refusals?request_id=x')
    expect(answer.status).toBe(401)
  })
})
