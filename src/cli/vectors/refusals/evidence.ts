import { digest } from '../../../base/digest.ts'
import { toBase64, toBase64Url, toHex, toUtf8 } from '../../../base/encoding.ts'
import type { RequestData } from '../../../simulator/attestation-request.ts'
import type { SoftTpmBank } from '../../../simulator/soft-tpm.ts'
import { TPM_ALG } from '../../../simulator/tpm-encoding.ts'
import type { VirtualDevice } from '../../../simulator/virtual-device.ts'
import { keysOfDevice, startFixedDevice } from '../fixed-device.ts'
import { CURRENT, type RefusalPlan, SIGNED } from './plan.ts'

/** `current_attestation` of version 2. */
type CurrentAttestation = Extract<
  RequestData['tpm_att_data'],
  { readonly current_attestation: unknown }
>['current_attestation']

/** The request with other evidence of the TPM. */
export function withEvidence(change: (current: CurrentAttestation) => object) {
  return {
    data(data: RequestData): object {
      if (!('current_attestation' in data.tpm_att_data)) throw new TypeError('not version 2')
      const current = data.tpm_att_data.current_attestation
      return { ...data, tpm_att_data: { current_attestation: { ...current, ...change(current) } } }
    },
  }
}

/** The values of the one bank, each as `change` has it; `undefined` leaves it out. */
export function withPcrs(
  change: (value: { readonly index: number; readonly digest: string }) => object | undefined,
) {
  return withEvidence(({ pcrs }) => ({
    pcrs: pcrs.map(({ algorithm, values }) => ({
      algorithm,
      values: values.flatMap((value) => change(value) ?? []),
    })),
  }))
}

/** Another quote of the TPM, over what a request key is bound by, with the values that it covers. */
export function withQuote(
  { tpm }: VirtualDevice,
  { bank, indexes }: { readonly bank: SoftTpmBank; readonly indexes: readonly number[] },
) {
  return {
    data(data: RequestData): object {
      if (!('request_key' in data)) throw new TypeError('not version 2')
      const jwk = toUtf8(JSON.stringify(data.request_key.jwk))
      const nonce = digest('sha256', jwk, Uint8Array.of(0), fromText(data.challenge))
      const quote = tpm.quote({ nonce, bank, indexes })
      const values = [...tpm.readPcrs(bank, indexes)].map(([index, value]) => {
        return { index, digest: toBase64Url(value) }
      })
      return withEvidence(() => ({
        pcrs: [{ algorithm: TPM_ALG[bank], values }],
        quote: toBase64Url(quote.attest),
        signature: toBase64Url(quote.signature),
      })).data(data)
    },
  }
}

const fromText = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'))
/** A size before a structure: what TPM2B has and TPMS has not. */
export function sized(text: string): string {
  const bytes = fromText(text)
  return toBase64Url(Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes]))
}

/** What the TPM signed, and who it is. */
export const EVIDENCE_REFUSALS: readonly RefusalPlan[] = [
  {
    name: 'quote-with-size',
    changed: 'quote is a TPM2B_ATTEST, with a size before it, and not a TPMS_ATTEST.',
    ...{ status: 400, code: 'unexpected_value' },
    where: { member: `${CURRENT}.quote`, offset: 0, structure: 'TPMS_ATTEST.magic' },
    send: (bench) =>
      bench.request({ tamper: withEvidence(({ quote }) => ({ quote: sized(quote) })) }),
  },
  {
    name: 'quote-signature-bare',
    changed: 'signature is the RSA signature alone, without the four bytes and the size before it.',
    ...{ status: 400, code: 'unexpected_value' },
    where: { member: `${CURRENT}.signature`, offset: 0, structure: 'TPMT_SIGNATURE.sigAlg' },
    send: (bench) =>
      bench.request({
        tamper: withEvidence(({ signature }) => {
          return { signature: toBase64Url(fromText(signature).subarray(6)) }
        }),
      }),
  },
  {
    name: 'quote-signature',
    changed: 'One bit of the signature over the quote is another one.',
    ...{ status: 400, code: 'quote_signature_invalid' },
    where: { member: `${CURRENT}.signature` },
    send: (bench) =>
      bench.request({
        tamper: withEvidence(({ signature }) => {
          const bytes = fromText(signature)
          bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
          return { signature: toBase64Url(bytes) }
        }),
      }),
  },
  {
    name: 'quote-nonce-text',
    changed: 'qualifying_data is made with the text of the challenge and not with its octets.',
    ...{ status: 400, code: 'quote_nonce_mismatch' },
    where: { member: `${CURRENT}.quote` },
    async send(bench) {
      const { challenge, serviceContext } = await bench.open()
      const asText = toUtf8(toBase64Url(challenge))
      return bench.answer(
        { challenge: asText, serviceContext },
        { tamper: { data: (data) => ({ ...data, challenge: toBase64Url(challenge) }) } },
      )
    },
  },
  {
    name: 'pcr-value',
    changed: 'The value of PCR 7 is not the one that was quoted.',
    ...{ status: 400, code: 'quote_digest_mismatch' },
    where: { member: `${CURRENT}.pcrs` },
    send: (bench) =>
      bench.request({
        tamper: withPcrs(({ index, digest }) => {
          return { index, digest: index === 7 ? toBase64Url(new Uint8Array(32)) : digest }
        }),
      }),
  },
  {
    name: 'pcr-left-out',
    changed: 'PCR 7 is quoted, and its value is not sent.',
    ...{ status: 400, code: 'quote_pcr_missing' },
    where: { member: `${CURRENT}.pcrs`, bank: 'sha256', pcrs: [7] },
    send: (bench) =>
      bench.request({ tamper: withPcrs((value) => (value.index === 7 ? undefined : value)) }),
  },
  {
    name: 'pcr-in-hex',
    changed: 'The values of the PCRs are in hex and not in base64url.',
    ...{ status: 400, code: 'message_member_invalid' },
    where: { member: `${CURRENT}.pcrs[0].values[0].digest` },
    send: (bench) =>
      bench.request({
        tamper: withPcrs(({ index, digest }) => ({ index, digest: toHex(fromText(digest)) })),
      }),
  },
  {
    name: 'pcrs-not-quoted',
    changed: 'The quote covers PCRs 0 to 7 only.',
    ...{ status: 400, code: 'boot_pcr_not_quoted' },
    where: { member: `${CURRENT}.quote`, bank: 'sha256', pcrs: [11, 12, 13, 14] },
    async send(bench) {
      const device = await bench.device()
      const indexes = [0, 1, 2, 3, 4, 5, 6, 7]
      return bench.request({ device, tamper: withQuote(device, { bank: 'sha256', indexes }) })
    },
  },
  {
    name: 'device-key-of-pem',
    changed: 'The challenge was asked for with the hash of the attestation key in PEM.',
    ...{ status: 400, code: 'device_key_mishashed' },
    where: { member: `${SIGNED}.rp_data` },
    async send(bench) {
      const device = await bench.deviceAfter()
      const pem = device.tpm.attestationKey.export({ type: 'spki', format: 'pem' })
      const device_key = toBase64(digest('sha256', toUtf8(pem.toString())))
      const { answer } = await bench.post('/v1/challenge', { device_key })
      const { nonce: rp_data } = answer.body as { readonly nonce: string }
      return bench.request({ device, tamper: { data: (data) => ({ ...data, rp_data }) } })
    },
  },
  {
    name: 'certificate-missing',
    changed: 'The attestation key comes without a certificate.',
    ...{ status: 400, code: 'aik_not_certified' },
    where: { member: `${CURRENT}.aik_cert` },
    send: (bench) => bench.request({ tamper: withEvidence(() => ({ aik_cert: undefined })) }),
  },
  {
    name: 'certificate-of-another-key',
    changed: 'aik_cert certifies another key than aik_pub.',
    ...{ status: 400, code: 'aik_certificate_key_mismatch' },
    where: { member: `${CURRENT}.aik_cert` },
    async send(bench) {
      const other = await startFixedDevice('v2-basic', { issuer: bench.service.authority.issue })
      const aik_cert = toBase64Url(other.attestationCertificate ?? new Uint8Array())
      return bench.request({ tamper: withEvidence(() => ({ aik_cert })) })
    },
  },
  {
    name: 'request-key-unbound',
    changed: 'request_key says neither tpm_quote nor tpm_certify.',
    ...{ status: 400, code: 'request_key_unbound' },
    where: { member: `${SIGNED}.request_key.info` },
    send: (bench) =>
      bench.request({
        tamper: {
          data: (data) => {
            return 'request_key' in data
              ? { ...data, request_key: { jwk: data.request_key.jwk } }
              : data
          },
        },
      }),
  },
  {
    name: 'certified-key-is-another',
    changed: 'tpm_certify is about another key than the one that signs the request.',
    ...{ status: 400, code: 'certified_key_mismatch' },
    where: { member: `${SIGNED}.request_key.info.tpm_certify.public` },
    async send(bench) {
      const device = await bench.device()
      const other = keysOfDevice('v2-basic').request
      const opened = await bench.open()
      const made = device.tpm.certify({ key: other, nonce: opened.challenge })
      const info = {
        tpm_certify: {
          public: toBase64Url(made.public),
          certification: toBase64Url(made.certification),
          signature: toBase64Url(made.signature),
        },
      }
      return bench.answer(opened, {
        device,
        binding: 'certify',
        tamper: {
          data: (data) => {
            return 'request_key' in data
              ? { ...data, request_key: { jwk: data.request_key.jwk, info } }
              : data
          },
        },
      })
    },
  },
  {
    name: 'enclave-data',
    changed: 'report_signed has a space that was not there when the report was made over it.',
    ...{ status: 400, code: 'enclave_data_mismatch' },
    where: { member: 'request.att_data.vsm_report.enclave.report' },
    async send(bench) {
      const device = await bench.deviceAfter()
      const payload = (text: string) => text.replace('"report_signed":{', '"report_signed":{ ')
      return bench.request({ device, tamper: { payload } })
    },
  },
  {
    name: 'enclave-signature',
    changed: 'One bit of the signature of the enclave report is another one.',
    ...{ status: 400, code: 'report_signature_invalid' },
    where: { member: 'request.att_data.vsm_report.enclave.report' },
    async send(bench) {
      const report = (made: Uint8Array) => {
        const bytes = Uint8Array.from(made)
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
        return bytes
      }
      return bench.request({ device: await bench.deviceAfter(), tamper: { report } })
    },
  },
]
