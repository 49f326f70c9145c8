import { describe, expect, test } from 'vitest'
import { at, attestationOf, newDeviceId, newId, type StoreUnderTest } from '../fixtures.ts'

/** What processes tell each other of verifiers. */
export function verifierObservationsContract(subject: () => StoreUnderTest): void {
  const store = () => subject().store
  const newIssuer = () => `https://${newId('issuer-')}.example`
  const tell = (
    issuer: string,
    seconds: number,
    failure: string | null,
    changes: { readonly reporter?: string; readonly sign?: 'believed' } = {},
  ) =>
    store().observeVerifier({
      issuer,
      sign: 'answers',
      reporter: 'a',
      failure,
      at: at(seconds),
      expiresAt: at(seconds + 100),
      ...changes,
    })
  const toldOf = async (issuer: string, seconds: number) => {
    const all = await store().verifierObservations(at(seconds))
    return all
      .filter((one) => one.issuer === issuer)
      .map(({ issuer: _, at: __, expiresAt: ___, ...one }) => one)
  }

  describe('an observation', () => {
    test('counts its rounds from the last change between well and not, whatever is wrong', async () => {
      const issuer = newIssuer()
      await tell(issuer, 0, null)
      await tell(issuer, 10, 'provider_timed_out')
      await tell(issuer, 20, 'provider_failed')
      const row = { reporter: 'a', sign: 'answers' }
      expect(await toldOf(issuer, 25)).toEqual([
        { ...row, failure: 'provider_failed', since: at(10), rounds: 2 },
      ])
      await tell(issuer, 30, null)
      expect(await toldOf(issuer, 35)).toEqual([
        { ...row, failure: null, since: at(30), rounds: 1 },
      ])
    })

    test('is one row of each process and sign', async () => {
      const issuer = newIssuer()
      await tell(issuer, 0, 'provider_failed')
      await tell(issuer, 1, null, { reporter: 'b' })
      await tell(issuer, 2, 'policy_not_pinned', { sign: 'believed' })
      const names = (await toldOf(issuer, 5)).map(({ sign, reporter }) => `${sign} ${reporter}`)
      expect(names).toEqual(['answers a', 'answers b', 'believed a'])
    })

    test('says nothing any more when it has expired, and what comes later begins anew', async () => {
      const issuer = newIssuer()
      await tell(issuer, 0, 'provider_failed')
      expect(await toldOf(issuer, 99)).toHaveLength(1)
      expect(await toldOf(issuer, 100)).toEqual([])
      await tell(issuer, 150, 'provider_failed')
      expect(await toldOf(issuer, 150)).toMatchObject([{ since: at(150), rounds: 1 }])
    })

    test('that comes late changes nothing', async () => {
      const issuer = newIssuer()
      await tell(issuer, 10, null)
      expect(await tell(issuer, 5, 'provider_failed')).toBe('superseded')
      expect(await toldOf(issuer, 20)).toMatchObject([{ failure: null }])
    })

    test('is removed when it has expired', async () => {
      const issuer = newIssuer()
      await tell(issuer, 0, null)
      await tell(issuer, 50, null, { reporter: 'b' })
      await store().forgetVerifierObservations(at(120))
      const rows = await subject().query(
        `select reporter from verifier_observation where issuer = '${issuer}'`,
      )
      expect(rows).toEqual([{ reporter: 'b' }])
      expect(await store().forgetVerifierObservations(at(120))).toBe(0)
    })

    test('is told by many processes at once', async () => {
      const issuer = newIssuer()
      const processes = Array.from({ length: 16 }, (_, index) => `process-${index}`)
      await Promise.all(
        processes.flatMap((reporter) => [
          tell(issuer, 1, null, { reporter }),
          tell(issuer, 2, 'provider_failed', { reporter }),
        ]),
      )
      const told = await toldOf(issuer, 5)
      expect(told).toHaveLength(16)
      expect(told.every(({ failure }) => failure === 'provider_failed')).toBe(true)
    })
  })

  test('when a token of an issuer was accepted last is known to all processes, refusals aside', async () => {
    const issuer = newIssuer()
    const of = (seconds: number) => {
      const input = attestationOf({ deviceId: newDeviceId(), at: seconds })
      return { ...input, attestation: { ...input.attestation, issuer } }
    }
    expect(await store().lastAccepted(issuer, at(0))).toBeNull()
    for (const seconds of [20, 10]) await store().recordAttestation(of(seconds))
    const { deviceId } = of(30)
    await store().recordRefusal({
      deviceId,
      attestationId: newId('att_'),
      at: at(30),
      stage: 'submission',
      reasons: [],
      claims: null,
      digests: {},
      trace: [],
      issuer,
      attestationPolicyHash: null,
      referenceValuesHash: null,
      isVouched: true,
    })
    expect(await store().lastAccepted(issuer, at(0))).toEqual(at(20))
    expect(await store().lastAccepted(issuer, at(20))).toBeNull()
  })
}
