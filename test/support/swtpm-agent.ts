import type { KeyObject } from 'node:crypto'
import { CompactSign } from 'jose'
import { digest, type HashAlgorithm } from '../../src/base/digest.ts'
import { fromBase64Url, toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { aikPubHash } from '../../src/evidence/tpm/key.ts'
import { parseTpmPublic } from '../../src/evidence/tpm/public-area.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import { toBootLog } from '../../src/simulator/boot-log.ts'
import { makeEnclaveReport } from '../../src/simulator/enclave.ts'
import { type BankDigests, SOFT_TPM_BANKS } from '../../src/simulator/soft-tpm.ts'
import type { RecordedBoot } from '../../src/simulator/virtual-device.ts'
import { CURRENT_ENCLAVE, listEnclaveModules } from '../../src/simulator/virtual-enclave.ts'
import type { Json } from './json.ts'
import { expectOk } from './refusal.ts'
import type { TestService } from './service.ts'
import { makeProof, submit } from './submission.ts'
import type { Swtpm, SwtpmAk, SwtpmKey } from './swtpm.ts'

const INDEXES = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14]

/** What an agent asks to be enrolled with, for tests that change one thing of it. */
export type EnrolmentBody = Readonly<Record<string, unknown>>

/** Lets a TPM that is not ours start as the recorded boot did. */
export async function bootSwtpm(tpm: Swtpm, { bootLog }: RecordedBoot): Promise<void> {
  for (const { pcr, digests } of bootLog.events) await tpm.extend(pcr, digestMap(digests))
}

export function enrolmentOf(
  ek: { readonly certificate: Uint8Array; readonly publicArea: Uint8Array },
  ak: SwtpmKey,
  chain: readonly Uint8Array[] = [],
): EnrolmentBody {
  return {
    ek_certificate: toBase64Url(ek.certificate),
    chain: chain.map(toBase64Url),
    ek_public: toBase64Url(ek.publicArea),
    ak_public: toBase64Url(ak.publicArea),
  }
}

/** The secret that the TPM finds in the answer to the beginning of an enrolment. */
export async function openCredential(
  tpm: Swtpm,
  begun: Json,
  keys: { readonly ek: SwtpmKey; readonly ak: SwtpmKey },
): Promise<string> {
  const credential = Buffer.concat([
    fromBase64Url(begun.credential_blob) ?? new Uint8Array(),
    fromBase64Url(begun.encrypted_secret) ?? new Uint8Array(),
  ])
  return toBase64Url(await tpm.activate({ ...keys, credential }))
}

/** Attests over HTTP with a quote of the TPM's, and a report of an enclave that runs since its boot. */
export async function attestSwtpm(
  service: TestService,
  input: {
    readonly tpm: Swtpm
    readonly ak: SwtpmAk
    readonly boot: RecordedBoot
    readonly requestKey: KeyObject
    /** base64url; absent: the key comes without a certificate. */
    readonly certificate?: string
  },
): Promise<{ readonly report: Response; readonly answer: Response | undefined }> {
  const { ak, requestKey } = input
  const { jwk: aik } = expectOk(parseTpmPublic(ak.publicArea))
  const deviceKey = Buffer.from(expectOk(await aikPubHash(aik))).toString('base64')
  const { nonce } = await post(service, '/v1/challenge', { device_key: deviceKey })
  const exchange = (payload: Json) =>
    service.post('/attest/Tpm?api-version=2025-06-01', {
      data: toBase64Url(toUtf8(JSON.stringify({ payload }))),
    })
  const opened = read((await (await exchange({ type: 'aikcert' })).json()) as Json)
  const request = await compose(input, { ...opened.payload, nonce, aik })
  const report = await exchange({ request })
  if (report.status !== 200) return { report, answer: undefined }
  const token = read((await report.clone().json()) as Json).payload.report
  const proof = await makeProof(service, { nonce, key: requestKey })
  return { report, answer: await submit(service, { token, proof }) }
}

async function compose(
  input: Parameters<typeof attestSwtpm>[1],
  opened: { challenge: string; service_context: string; nonce: string; aik: JsonWebKey },
): Promise<string> {
  const { tpm, ak, boot, requestKey, certificate } = input
  const jwk = publicJwk(requestKey)
  const challenge = fromBase64Url(opened.challenge) ?? new Uint8Array()
  const nonce = digest('sha256', toUtf8(JSON.stringify(jwk)), Uint8Array.of(0), challenge)
  const quote = await tpm.quote({ ak, nonce, banks: ['sha256'], indexes: INDEXES })
  const { values } = await tpm.readPcrs('sha256', INDEXES)
  const digests = [...values].map(([index, value]) => ({ index, digest: toBase64Url(value) }))
  const signed = JSON.stringify({
    rp_id: 'https://rp.example',
    rp_data: opened.nonce,
    challenge: opened.challenge,
    tpm_att_data: {
      current_attestation: {
        logs: [{ type: 'TCG', log: toBase64Url(toBootLog(0, boot.bootLog.events).bytes) }],
        ...(certificate === undefined ? {} : { aik_cert: certificate }),
        aik_pub: opened.aik,
        pcrs: [{ algorithm: 11, values: digests }],
        quote: toBase64Url(quote.attest),
        signature: toBase64Url(quote.signature),
      },
    },
    request_key: { jwk, info: { tpm_quote: { hash_alg: 'sha-256' } } },
    custom_claims: [],
    service_context: opened.service_context,
  })
  const report = await makeEnclaveReport({
    signingKey: boot.secureKernel.signing,
    identity: CURRENT_ENCLAVE,
    modules: listEnclaveModules(CURRENT_ENCLAVE),
    enclaveData: digest('sha512', toUtf8(signed)),
  })
  const vsm = JSON.stringify({ enclave: { report: toBase64Url(report) } })
  const text = `{"att_type":"vbs","att_data":{"report_signed":${signed},"vsm_report":${vsm}}}`
  const header = { alg: 'PS256', typ: 'attReqV2' }
  return new CompactSign(toUtf8(text)).setProtectedHeader(header).sign(requestKey)
}

async function post(service: TestService, path: string, body: unknown): Promise<Json> {
  return (await (await service.post(path, body)).json()) as Json
}

function read({ data }: Json): Json {
  return JSON.parse(Buffer.from(data, 'base64url').toString('utf8'))
}

function digestMap(digests: BankDigests): ReadonlyMap<HashAlgorithm, Uint8Array> {
  return new Map(SOFT_TPM_BANKS.map((bank) => [bank, digests[bank]]))
}
