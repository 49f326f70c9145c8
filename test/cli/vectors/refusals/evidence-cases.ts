import { type KeyObject, sign } from 'node:crypto'
import { toBase64Url } from '../../../../src/base/encoding.ts'
import { keysOfDevice, startFixedDevice } from '../../../../src/cli/vectors/fixed-device.ts'
import { type RefusalBench, TRYING_RUN } from '../../../../src/cli/vectors/refusal-bench.ts'
import { withEvidence, withQuote } from '../../../../src/cli/vectors/refusals/evidence.ts'
import { CURRENT, SIGNED } from '../../../../src/cli/vectors/refusals/plan.ts'
import type { RequestData } from '../../../../src/simulator/attestation-request.ts'
import { ByteWriter } from '../../../../src/simulator/byte-writer.ts'
import { privateJwk } from '../../../../src/simulator/fixed-keys.ts'
import {
  type AttestContext,
  encodeCertify,
  encodeTpmPublic,
  encodeTpmSignature,
  nameOf,
} from '../../../../src/simulator/tpm-encoding.ts'
import type { RefusalCase } from './case.ts'

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'))
const ALL = Array.from({ length: 24 }, (_, index) => index)

/** The bytes of a member, with some replaced. */
function patched(text: string, at: number, ...values: readonly number[]): string {
  const bytes = bytesOf(text)
  bytes.set(values, at < 0 ? bytes.length + at : at)
  return toBase64Url(bytes)
}

/** TPMT_SIGNATURE of the attestation key over anything: it is in software, and signs it. */
function signedByAk(message: Uint8Array): string {
  const { attestation } = keysOfDevice(TRYING_RUN)
  const pem = attestation.export({ type: 'pkcs8', format: 'pem' })
  return toBase64Url(encodeTpmSignature('rsassa', sign('sha256', message, pem)))
}

type Certification = {
  readonly public: string
  readonly certification: string
  readonly signature: string
}

/** A request whose key is certified, with something else in the certification. */
function certified(
  change: (certification: Certification, challenge: Uint8Array) => Partial<Certification>,
) {
  return async (bench: RefusalBench) => {
    const opened = await bench.open()
    const data = (it: RequestData) => {
      if (!('request_key' in it)) throw new TypeError('not version 2')
      const { jwk, info } = it.request_key
      if (!('tpm_certify' in info)) throw new TypeError('not certified')
      const { tpm_certify } = info
      const changed = { ...tpm_certify, ...change(tpm_certify, opened.challenge) }
      return { ...it, request_key: { jwk, info: { tpm_certify: changed } } }
    }
    return bench.answer(opened, { binding: 'certify', tamper: { data } })
  }
}

function contextOf(extraData: Uint8Array): AttestContext {
  const [resetCount, restartCount] = [42, 0]
  return {
    ...{ qualifiedSigner: new Uint8Array(34), extraData, clock: 1n, resetCount, restartCount },
    firmwareVersion: 1n,
  }
}

/** TPM2_Certify of a public area by our attestation key, whatever the TPM would say. */
function certifyArea(publicArea: Uint8Array, nonce: Uint8Array, name = nameOf(publicArea)) {
  const attest = encodeCertify(contextOf(nonce), { name, qualifiedName: name })
  return {
    public: toBase64Url(publicArea),
    certification: toBase64Url(attest),
    signature: signedByAk(attest),
  }
}

const requestKey = (): KeyObject => keysOfDevice(TRYING_RUN).request

function withSignature(change: (signature: string) => string) {
  return (bench: RefusalBench) =>
    bench.request({
      tamper: withEvidence(({ signature }) => ({ signature: change(signature) })),
    })
}

/** Quotes and certified keys. */
export const EVIDENCE_CASES: readonly RefusalCase[] = [
  {
    reason: 'truncated',
    tries: 'a quote without its last byte',
    where: { member: `${CURRENT}.quote`, offset: 111, structure: 'TPMS_ATTEST.pcrDigest' },
    send: (bench) =>
      bench.request({
        tamper: withEvidence(({ quote }) => ({ quote: toBase64Url(bytesOf(quote).slice(0, -1)) })),
      }),
  },
  {
    reason: 'length_over_limit',
    tries: 'a quote whose first size is 65535',
    where: { member: `${CURRENT}.quote`, offset: 6, structure: 'TPMS_ATTEST.qualifiedSigner' },
    send: (bench) =>
      bench.request({
        tamper: withEvidence(({ quote }) => ({ quote: patched(quote, 6, 0xff, 0xff) })),
      }),
  },
  {
    reason: 'quote_type_wrong',
    tries: 'what TPM2_Certify says for a quote',
    where: { member: `${CURRENT}.quote` },
    async send(bench) {
      const device = await bench.device()
      const made = device.tpm.certify({ key: requestKey(), nonce: new Uint8Array(32) })
      const quote = toBase64Url(made.certification)
      const signature = toBase64Url(made.signature)
      return bench.request({ device, tamper: withEvidence(() => ({ quote, signature })) })
    },
  },
  {
    reason: 'quote_signature_algorithm_refused',
    tries: 'a signature over SHA-1',
    where: { member: `${CURRENT}.signature` },
    send: withSignature((signature) => patched(signature, 2, 0x00, 0x04)),
  },
  {
    reason: 'quote_selects_nothing',
    tries: 'a quote of no PCR',
    where: { member: `${CURRENT}.quote` },
    async send(bench) {
      const device = await bench.device()
      const tamper = withQuote(device, { bank: 'sha256', indexes: [] })
      return bench.request({ device, tamper })
    },
  },
  {
    reason: 'quote_pcr_bank_repeated',
    tries: 'the values of one bank twice',
    where: { member: `${CURRENT}.pcrs`, bank: 'sha256', pcrs: ALL },
    send: (bench) =>
      bench.request({ tamper: withEvidence(({ pcrs }) => ({ pcrs: [...pcrs, ...pcrs] })) }),
  },
  {
    reason: 'quote_pcr_unexpected',
    tries: 'a value of a PCR that is not quoted',
    where: { member: `${CURRENT}.pcrs`, bank: 'sha256', pcrs: [23] },
    async send(bench) {
      const device = await bench.device()
      const few = withQuote(device, { bank: 'sha256', indexes: ALL.slice(0, 23) })
      const extra = { index: 23, digest: toBase64Url(new Uint8Array(32)) }
      const more = withEvidence(({ pcrs }) => ({
        pcrs: pcrs.map((bank) => ({ ...bank, values: [...bank.values, extra] })),
      }))
      const data = (it: RequestData) => more.data(few.data(it) as RequestData)
      return bench.request({ device, tamper: { data } })
    },
  },
  {
    reason: 'boot_pcr_bank_weak',
    tries: 'a quote of the bank of SHA-1',
    where: { member: `${CURRENT}.quote` },
    async send(bench) {
      const device = await bench.device()
      return bench.request({ device, tamper: withQuote(device, { bank: 'sha1', indexes: ALL }) })
    },
  },
  {
    reason: 'boot_pcr_order_wrong',
    tries: 'values from the last PCR to the first',
    where: { member: `${CURRENT}.pcrs`, bank: 'sha256', pcrs: ALL },
    send: (bench) =>
      bench.request({
        tamper: withEvidence(({ pcrs }) => ({
          pcrs: pcrs.map((bank) => ({ ...bank, values: bank.values.toReversed() })),
        })),
      }),
  },
  {
    reason: 'certify_type_wrong',
    tries: 'a quote for what TPM2_Certify says',
    where: { member: `${SIGNED}.request_key.info.tpm_certify.certification` },
    async send(bench) {
      const device = await bench.device()
      const quote = device.tpm.quote({ nonce: new Uint8Array(16), bank: 'sha256' })
      return certified(() => ({
        certification: toBase64Url(quote.attest),
        signature: toBase64Url(quote.signature),
      }))(bench)
    },
  },
  {
    reason: 'certify_signature_algorithm_refused',
    tries: 'a certification signed over SHA-1',
    where: { member: `${SIGNED}.request_key.info.tpm_certify.signature` },
    send: certified(({ signature }) => ({ signature: patched(signature, 2, 0x00, 0x04) })),
  },
  {
    reason: 'certify_signature_invalid',
    tries: 'a certification with another signature',
    where: { member: `${SIGNED}.request_key.info.tpm_certify.signature` },
    send: certified(({ signature }) => ({ signature: patched(signature, -1, 0) })),
  },
  {
    reason: 'certify_nonce_mismatch',
    tries: 'a certification over another challenge',
    where: { member: `${SIGNED}.request_key.info.tpm_certify.certification` },
    send: certified(() => certifyArea(encodeTpmPublic(requestKey(), false), new Uint8Array(16))),
  },
  {
    reason: 'certify_name_mismatch',
    tries: 'a certification of another object',
    where: { member: `${SIGNED}.request_key.info.tpm_certify.public` },
    send: certified((_, challenge) => {
      const area = encodeTpmPublic(requestKey(), false)
      return certifyArea(area, challenge, nameOf(Uint8Array.of(1)))
    }),
  },
  {
    reason: 'certify_attributes_missing',
    tries: 'a certified key that may leave the TPM',
    where: { member: `${SIGNED}.request_key.info.tpm_certify.public` },
    send: certified((_, challenge) => {
      const area = encodeTpmPublic(requestKey(), false)
      // fixedTPM is bit 1 of the attributes, which end at byte 8.
      area[7] = (area[7] ?? 0) & ~(1 << 1)
      return certifyArea(area, challenge)
    }),
  },
  {
    reason: 'aik_missing',
    tries: 'no attestation key',
    where: { member: `${CURRENT}.aik_pub` },
    send: (bench) =>
      bench.request({
        tamper: withEvidence(() => ({ aik_pub: undefined, aik_cert: undefined })),
      }),
  },
  {
    reason: 'jwk_private',
    tries: 'the private half of the attestation key',
    where: { member: `${CURRENT}.aik_pub.d` },
    send: (bench) =>
      bench.request({
        tamper: withEvidence(() => ({
          aik_pub: privateJwk(keysOfDevice(TRYING_RUN).attestation),
        })),
      }),
  },
  {
    reason: 'resume_aik_mismatch',
    tries: 'a boot of another machine before the hibernation',
    where: { member: `${SIGNED}.tpm_att_data.boot_attestation.aik_cert` },
    async send(bench) {
      const { authority } = bench.service
      const other = await startFixedDevice('v2-basic', { issuer: authority.issue })
      return bench.request({
        device: await bench.deviceAfter(),
        tamper: withBootBefore(other),
      })
    },
  },
  {
    reason: 'resume_boot_unlinked',
    tries: 'a boot of long ago before the hibernation',
    where: { member: `${SIGNED}.tpm_att_data.boot_attestation.quote` },
    async send(bench) {
      const before = await bench.deviceAfter((events) => events, { bootCounter: 7 })
      return bench.request({ device: await bench.deviceAfter(), tamper: withBootBefore(before) })
    },
  },
]

/** `boot_attestation`: the boot before the hibernation, as that machine would prove it. */
function withBootBefore(other: Awaited<ReturnType<RefusalBench['device']>>) {
  return {
    data(data: RequestData): object {
      const { tpm, attestationCertificate } = other
      const quote = tpm.quote({ nonce: new Uint8Array(16), bank: 'sha256' })
      const values = [...tpm.readPcrs('sha256')].map(([index, value]) => {
        return { index, digest: toBase64Url(value) }
      })
      const boot_attestation = {
        logs: [{ type: 'TCG', log: toBase64Url(other.bootLog.bytes) }],
        aik_cert: toBase64Url(attestationCertificate ?? new ByteWriter().toBytes()),
        pcrs: [{ algorithm: 11, values }],
        quote: toBase64Url(quote.attest),
        signature: toBase64Url(quote.signature),
      }
      return { ...data, tpm_att_data: { ...data.tpm_att_data, boot_attestation } }
    },
  }
}
