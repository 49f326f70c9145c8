import { describe, expect, test } from 'vitest'
import { createLog } from '../../../src/base/log.ts'
import { err, ok } from '../../../src/base/result.ts'
import type { KeySet } from '../../../src/evidence/jws/key-set.ts'
import { createReportExaminer } from '../../../src/operations/attest/examine-report.ts'
import type { TokenIssuers } from '../../../src/operations/attest/token-issuers.ts'
import type { VerifierObservations } from '../../../src/store/system/verifier-observations.ts'
import { testClock } from '../../support/service.ts'

const ISSUER = 'https://contoso.eus.attest.azure.net'

/** The inner answer of a provider, with a token that this key set cannot verify. */
function answerWith(payload: object, header: object = {}): string {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
  const head = part({ alg: 'RS256', typ: 'JWT', kid: 'new', ...header })
  return JSON.stringify({ payload: { report: `${head}.${part(payload)}.c2ln` } })
}

function open(change: { readonly of?: TokenIssuers['of']; readonly fails?: boolean } = {}) {
  const clock = testClock()
  const told: Parameters<VerifierObservations['observeVerifier']>[0][] = []
  const logs: string[] = []
  const keys: KeySet = { keys: new Map(), ignored: [] }
  const examiner = createReportExaminer({
    issuers: {
      of: change.of ?? (async () => ok([{ issuer: ISSUER, keys, attestationPolicyHashes: [] }])),
    },
    store: {
      async observeVerifier(input) {
        if (change.fails) throw new Error('the database is away')
        told.push(input)
        return 'applied'
      },
    },
    config: { tokenMaxAgeSeconds: 600, clockSkewSeconds: 60 },
    log: createLog({ level: 'debug', write: (line) => logs.push(line), clock: clock.now }),
    clock: clock.now,
    reporter: 'a',
  })
  return { examiner, clock, told, logs }
}

describe('a report that a provider gave', () => {
  test('and that is signed by a key that nobody knows is told as what is wrong with the issuer', async () => {
    const { examiner, told, clock } = open()
    await examiner.examine(ISSUER, answerWith({ iss: ISSUER }))
    expect(told).toMatchObject([
      { issuer: ISSUER, sign: 'believed', failure: 'token_key_unknown', at: clock.now() },
    ])
  })

  test('and whose key set cannot be had is told as well', async () => {
    const failure = { reason: 'key_set_unavailable', retryAfterSeconds: 1 } as const
    const { examiner, told } = open({ of: async () => err(failure) })
    await examiner.examine(ISSUER, answerWith({ iss: ISSUER }))
    expect(told).toMatchObject([{ failure: 'key_set_unavailable' }])
  })

  test('and with which only an agent can have done something says nothing', async () => {
    const { examiner, told } = open()
    await examiner.examine(ISSUER, answerWith({ iss: 'https://other.example' }))
    expect(told).toEqual([])
  })

  test('is looked at once in ten seconds, whoever causes how many', async () => {
    const { examiner, told, clock } = open()
    for (let reports = 0; reports < 50; reports += 1) {
      await examiner.examine(ISSUER, answerWith({ iss: ISSUER }))
    }
    expect(told).toHaveLength(1)
    clock.advance(10)
    await examiner.examine(ISSUER, answerWith({ iss: ISSUER }))
    expect(told).toHaveLength(2)
  })

  test('reaches the agent although it cannot be noted', async () => {
    const { examiner, logs } = open({ fails: true })
    await examiner.examine(ISSUER, answerWith({ iss: ISSUER }))
    expect(logs.join('')).toContain('"event":"report_not_examined"')
  })
})
