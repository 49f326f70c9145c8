import type { KeyObject } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digest, type HashAlgorithm } from '../../src/base/digest.ts'
import { toBase64, toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { aikPubHash } from '../../src/evidence/tpm/key.ts'
import { parseTpmPublic } from '../../src/evidence/tpm/public-area.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import { type BootLog, toBootLog } from '../../src/simulator/boot-log.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { type BankDigests, SOFT_TPM_BANKS } from '../../src/simulator/soft-tpm.ts'
import { recordBoot } from '../../src/simulator/virtual-device.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { describeSwtpm, type Swtpm, type SwtpmAk, startSwtpm } from '../support/swtpm.ts'
import {
  type Challenge,
  makeVerifier,
  type Payload,
  RP_DATA,
  readData,
  signRequest,
  type TestVerifier,
} from './harness.ts'

const INDEXES = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14]

describeSwtpm('a TPM that is not ours', () => {
  let tpm: Swtpm
  let ak: SwtpmAk
  let otherAk: SwtpmAk
  let verifier: TestVerifier
  let requestKey: KeyObject
  let log: BootLog

  beforeAll(async () => {
    const keys = independentKeys()
    verifier = await makeVerifier()
    requestKey = await keys()
    // swtpm is started at locality 0, as a machine without a hardware root of trust is.
    const { events } = (await recordBoot(keys, { bootDrivers: 2 })).bootLog
    log = toBootLog(0, events)
    tpm = await startSwtpm()
    ak = await tpm.createAk('rsa')
    otherAk = await tpm.createAk('ecc')
    for (const { pcr, digests } of events) await tpm.extend(pcr, digestMap(digests))
  })

  afterAll(async () => {
    await tpm.stop()
  })

  /** An attReqV2 `basic` request as an agent on this TPM would write it. */
  async function compose(
    { challenge, serviceContext }: Challenge,
    changes: { by?: SwtpmAk; nonce?: Uint8Array } = {},
  ): Promise<Payload> {
    const jwk = publicJwk(requestKey)
    const bound = digest('sha256', toUtf8(JSON.stringify(jwk)), Uint8Array.of(0), challenge)
    const by = changes.by ?? ak
    const nonce = changes.nonce ?? bound
    const quote = await tpm.quote({ ak: by, nonce, banks: ['sha256'], indexes: INDEXES })
    const { values } = await tpm.readPcrs('sha256', INDEXES)
    return {
      att_type: 'basic',
      att_data: {
        rp_id: 'https://rp.example',
        rp_data: RP_DATA,
        challenge: toBase64Url(challenge),
        tpm_att_data: {
          current_attestation: {
            logs: [{ type: 'TCG', log: toBase64Url(log.bytes) }],
            aik_pub: keyOf(by),
            pcrs: [
              {
                algorithm: 11,
                values: [...values].map(([index, value]) => ({
                  index,
                  digest: toBase64Url(value),
                })),
              },
            ],
            quote: toBase64Url(quote.attest),
            signature: toBase64Url(quote.signature),
          },
        },
        request_key: { jwk, info: { tpm_quote: { hash_alg: 'sha-256' } } },
        custom_claims: [],
        service_context: serviceContext,
      },
    }
  }

  const send = async (payload: Payload) =>
    verifier.send({ request: await signRequest(requestKey, 2, payload) })
  const current = (payload: Payload) => payload.att_data.tpm_att_data.current_attestation

  test.each(['rsa', 'ecc'] as const)('is believed, with an %s attestation key', async (kind) => {
    const by = kind === 'rsa' ? ak : otherAk
    const answer = expectOk(await send(await compose(await verifier.challenge(), { by })))
    const claims = decodeJwt(readData(answer.data).payload.report)
    expect(claims).toMatchObject({
      aikPubHash: toBase64(expectOk(await aikPubHash(keyOf(by)))),
      aikValidated: false,
      secureBootEnabled: true,
      vbsEnabled: true,
      nonce: RP_DATA,
    })
  })

  test('another nonce', async () => {
    const challenge = await verifier.challenge()
    const other = await compose(challenge, { nonce: challenge.challenge })
    expectRefusal(await send(other), 'quote_nonce_mismatch')
    const old = await compose(await verifier.challenge())
    old.att_data.challenge = toBase64Url(challenge.challenge)
    old.att_data.service_context = challenge.serviceContext
    expectRefusal(await send(old), 'quote_nonce_mismatch')
  })

  test('another log', async () => {
    const payload = await compose(await verifier.challenge())
    const other = toBootLog(0, log.events.slice(0, -1))
    current(payload).logs[0].log = toBase64Url(other.bytes)
    const failure = expectRefusal(await send(payload), 'log_pcr_mismatch')
    expect(failure).toMatchObject({
      pcrs: [log.events.at(-1)?.pcr],
      provenAik: { deviceKey: expectOk(await aikPubHash(keyOf(ak))) },
    })
  })

  test('another key', async () => {
    const payload = await compose(await verifier.challenge())
    current(payload).aik_pub = keyOf(otherAk)
    expectRefusal(await send(payload), 'quote_signature_invalid')
  })

  test('another key that the TPM certified', async () => {
    const certified = await tpm.createSigningKey({ kind: 'rsa' })
    const { challenge, serviceContext } = await verifier.challenge()
    const proof = await tpm.certify({ ak, key: certified, nonce: challenge })
    const payload = await compose({ challenge, serviceContext })
    const info = {
      public: toBase64Url(certified.publicArea),
      certification: toBase64Url(proof.attest),
      signature: toBase64Url(proof.signature),
    }
    payload.att_data.other_keys = [{ jwk: keyOf(certified), info: { tpm_certify: info } }]
    const answer = expectOk(await send(payload))
    const claims = decodeJwt<Payload>(readData(answer.data).payload.report)
    const [other] = claims['x-ms-tpm-other-keys']
    expect(other.jwk).toEqual(keyOf(certified))
    expect(other.info.tpm_certify).toMatchObject({ name_alg: 11, auth_policy: '' })
    // fixedTPM, fixedParent and sensitiveDataOrigin are among its attributes.
    expect(other.info.tpm_certify.obj_attr & 0x32).toBe(0x32)
  })
})

function keyOf(key: { readonly publicArea: Uint8Array }): JsonWebKey {
  return expectOk(parseTpmPublic(key.publicArea)).jwk
}

function digestMap(digests: BankDigests): Map<HashAlgorithm, Uint8Array> {
  return new Map(SOFT_TPM_BANKS.map((bank) => [bank, digests[bank]]))
}
