import { afterAll, beforeAll, expect, test } from 'vitest'
import { toBase64 } from '../../src/base/encoding.ts'
import { ok } from '../../src/base/result.ts'
import { aikPubHash } from '../../src/evidence/tpm/key.ts'
import { parseTpmPublic } from '../../src/evidence/tpm/public-area.ts'
import { type BootLog, toBootLog } from '../../src/simulator/boot-log.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { SOFT_TPM_BANKS } from '../../src/simulator/soft-tpm.ts'
import { recordBoot } from '../../src/simulator/virtual-device.ts'
import { BUILT_IN_KINDS } from '../../src/verifier/kinds/built-in.ts'
import { readAttestRequest } from '../../src/verifier/protocol/attest-request.ts'
import { openServiceContext } from '../../src/verifier/protocol/service-context.ts'
import { beginTrace } from '../../src/verifier/steps/trace.ts'
import { importRequestKey, verifyEvidence } from '../../src/verifier/steps/verify-evidence.ts'
import { expectOk } from '../support/refusal.ts'
import { describeSwtpm, type Swtpm, type SwtpmAk, startSwtpm } from '../support/swtpm.ts'
import { makeVerifier, NOW, type TestVerifier } from './harness.ts'
import {
  expectedRefusal,
  hasPart,
  KINDS,
  type Kind,
  nameOf,
  type Part,
} from './substitution-model.ts'
import {
  type Exchange,
  exchange,
  factsOf,
  listCertification,
  type Machine,
  makeRun,
  payloadOf,
  type Run,
} from './substitution-runs.ts'

const INDEXES = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14]
const PARTS = ['key', 'certification', 'quote', 'ak', 'challenge', 'context', 'rp_data'] as const

/**
 * Quotes by tpm2_quote and TPM2_Certify of a TPM that nobody here wrote (Debian's swtpm): that they
 * bind what the model of the substitutions says. The other device is a second attestation key of the
 * TPM with keys of its own, so the boot is one. What is signed outside of a TPM has its witness
 * elsewhere: the request in request-jws.test.ts.
 */
describeSwtpm('parts that a TPM signed, exchanged for those of another', () => {
  let tpm: Swtpm
  let verifier: TestVerifier
  let log: BootLog
  let machines: Readonly<Record<'rsa' | 'before' | 'other', Machine>>

  beforeAll(async () => {
    const keys = independentKeys()
    verifier = await makeVerifier()
    const { events } = (await recordBoot(keys, { bootDrivers: 0 })).bootLog
    log = toBootLog(0, events)
    tpm = await startSwtpm()
    const [ak, otherAk] = [await tpm.createAk('rsa'), await tpm.createAk('ecc')]
    for (const { pcr, digests } of events) {
      await tpm.extend(pcr, new Map(SOFT_TPM_BANKS.map((bank) => [bank, digests[bank]])))
    }
    machines = {
      rsa: await makeMachine('device', ak, 'key'),
      before: await makeMachine('device', ak, 'key of before'),
      other: await makeMachine('other', otherAk, 'key of other'),
    }
  })
  afterAll(() => tpm?.stop())

  /** Its request key lives in the TPM, whether it is certified or quoted. */
  async function makeMachine(name: string, ak: SwtpmAk, keyName: string): Promise<Machine> {
    const held = await tpm.createSigningKey({ kind: 'rsa' })
    return {
      name,
      boot: 'of the TPM',
      ak: keyOf(ak),
      cert: undefined,
      log: log.bytes,
      // Nothing is signed with it here.
      requestKey: { name: keyName, jwk: keyOf(held), key: await independentKeys()() },
      quote: async (nonce) => {
        const quoted = await tpm.quote({ ak, nonce, banks: ['sha256'], indexes: INDEXES })
        const { values } = await tpm.readPcrs('sha256', INDEXES)
        const all = [...(await tpm.readPcrs('sha256')).values.values()]
        return { ...quoted, values, all }
      },
      certify: async (nonce) => {
        const { attest, signature } = await tpm.certify({ ak, key: held, nonce })
        return listCertification({ public: held.publicArea, certification: attest, signature })
      },
      report: undefined,
    }
  }

  async function judge(kind: Kind, run: Run) {
    const payload = payloadOf(kind, run)
    const { version } = kind
    const request = expectOk(
      readAttestRequest({ compact: '', version, payload, signature: new Uint8Array() }),
    )
    const { serviceContext: text, challenge } = request
    const keys = verifier.keys.serviceContext
    const context = openServiceContext({ text, challenge, keys, now: NOW })
    if (!context.ok) return context
    return verifyEvidence(request, BUILT_IN_KINDS, {
      request,
      requestKey: expectOk(await importRequestKey(request)),
      context: context.value,
      spendContext: async () => ok(true),
      trust: verifier.config.trust,
      now: NOW,
      trace: beginTrace(),
      findings: [],
      provenAik: undefined,
    })
  }

  const basic = KINDS.filter(({ type }) => type === 'basic')
  test.each(basic.map((kind) => [nameOf(kind), kind] as const))('%s', async (_name, kind) => {
    const challenge = { ...(await verifier.challenge()), name: 'now' }
    const earlier = { ...(await verifier.challenge()), name: 'before' }
    const now = await makeRun(kind, machines.rsa, { ...challenge, rpData: 'bm93' })
    const before = await makeRun(kind, machines.before, { ...earlier, rpData: 'YmVmb3Jl' })
    const other = await makeRun(kind, machines.other, { ...challenge, rpData: 'b3RoZXI' })

    const sound = expectOk(await judge(kind, now))
    expect(sound.requestKey.key.jwk).toEqual(now.key.wire)
    expect(toBase64(sound.attester.hash)).toBe(
      toBase64(expectOk(await aikPubHash(machines.rsa.ak))),
    )

    const exchanges = Object.entries({ other, before }).flatMap(([from, run]) =>
      PARTS.filter((part) => hasPart(kind, part))
        .filter((part) => JSON.stringify(run[part].fact) !== JSON.stringify(now[part].fact))
        .map((part) => ({ part, from, run })),
    )
    for (const changes of onesAndPairs(exchanges)) {
      const changed = exchange(now, withCertificate(changes))
      const expected = expectedRefusal(factsOf(changed), kind, 'accept')
      const judged = await judge(kind, changed)
      const name = changes.map(({ part, from }) => `${part} of ${from}`).join(', ')
      expect([name, judged.ok ? undefined : judged.failure.reason]).toEqual([name, expected])
    }
  })
})

function* onesAndPairs(exchanges: readonly Exchange[]): Generator<readonly Exchange[]> {
  for (const [at, one] of exchanges.entries()) {
    yield [one]
    for (const two of exchanges.slice(at + 1)) if (two.part !== one.part) yield [one, two]
  }
}

/** A key without a certificate has none that could name another key. */
function withCertificate(changes: readonly Exchange[]): readonly Exchange[] {
  const part: Part = 'cert'
  return changes.flatMap((one) => (one.part === 'ak' ? [one, { ...one, part }] : [one]))
}

function keyOf(key: { readonly publicArea: Uint8Array }): JsonWebKey {
  return expectOk(parseTpmPublic(key.publicArea)).jwk
}
