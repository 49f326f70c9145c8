import { createPublicKey, type KeyObject } from 'node:crypto'
import { digest, digestText } from '../../base/digest.ts'
import { fromUtf8, toHex, toUtf8 } from '../../base/encoding.ts'
import { nameOf } from '../../simulator/tpm-encoding.ts'
import type { VirtualDevice } from '../../simulator/virtual-device.ts'
import { decode, type Members, parse, readData } from './envelope.ts'
import type { VectorExchange } from './exchange.ts'

/** Something that an agent has in its hands on the way, in the order in which it comes to it. */
export type VectorValue = {
  /** snake_case, unique in a run. */
  readonly name: string
  /** What it is, and what it is made of. */
  readonly is: string
} & ({ readonly text: string } | { readonly hex: string })

const text = (name: string, is: string, value: string): VectorValue => ({ name, is, text: value })
const bytes = (name: string, is: string, value: Uint8Array): VectorValue => {
  return { name, is, hex: toHex(value) }
}

/** The values of a good run, read out of what was sent and answered. */
export function listValues(
  device: VirtualDevice,
  exchanges: readonly VectorExchange[],
): readonly VectorValue[] {
  const of = (step: string) => {
    const found = exchanges.find((one) => one.step === step)
    if (found === undefined) throw new TypeError(`no ${step} in the run`)
    return found
  }
  const keys = listKeyValues(device)
  if (exchanges.some(({ step }) => step === 'enrolment')) {
    return [...keys, ...listEnrolmentValues(device, of('enrolment'), of('activation'))]
  }
  return [
    ...keys,
    ...listRequestValues(of('challenge'), of('init'), of('request')),
    ...listSubmissionValues(of('request'), of('submission')),
  ]
}

function listKeyValues(device: VirtualDevice): readonly VectorValue[] {
  const spki = spkiOf(device.tpm.attestationKey)
  return [
    bytes('ak_public', 'the attestation key: TPMT_PUBLIC', device.tpm.attestationKeyPublic),
    bytes('ak_spki', 'the same key: DER of its SubjectPublicKeyInfo', spki),
    text('device_key', 'base64 of SHA-256(ak_spki)', device.deviceKey),
  ]
}

function listEnrolmentValues(
  device: VirtualDevice,
  enrolment: VectorExchange,
  activation: VectorExchange,
): readonly VectorValue[] {
  const asked = parse(enrolment.request.body)
  const begun = enrolment.answer.body as Members
  const answered = parse(activation.request.body)
  const akPublic = decode(asked.ak_public)
  return [
    bytes(
      'ek_certificate',
      'DER of the certificate of the endorsement key',
      decode(asked.ek_certificate),
    ),
    bytes(
      'ak_name',
      'the Name of the attestation key: 000b and SHA-256(ak_public)',
      nameOf(akPublic),
    ),
    bytes('credential_blob', 'TPM2B_ID_OBJECT, from the answer', decode(begun.credential_blob)),
    bytes(
      'encrypted_secret',
      'TPM2B_ENCRYPTED_SECRET, from the answer',
      decode(begun.encrypted_secret),
    ),
    bytes('secret', 'what TPM2_ActivateCredential finds in these', decode(answered.secret)),
    bytes(
      'aik_cert',
      'DER of the certificate that the service answered',
      device.attestationCertificate ?? new Uint8Array(),
    ),
  ]
}

function listRequestValues(
  challenge: VectorExchange,
  init: VectorExchange,
  request: VectorExchange,
): readonly VectorValue[] {
  const { nonce } = challenge.answer.body as Members
  const opened = readData((init.answer.body as Members).data).payload as Members
  const sent = readData(parse(request.request.body).data).payload as Members
  const jws = String(sent.request)
  const [header = '', body = ''] = jws.split('.')
  const payload = fromUtf8(decode(body)) ?? ''
  const message = parse(payload) as { att_type: string; att_data: Members }
  const isBound = message.att_type === 'vbs'
  const data = (isBound ? message.att_data.report_signed : message.att_data) as Members
  const challengeBytes = decode(opened.challenge)
  const key = data.request_key as { jwk: Members; info: Members } | undefined
  const jwk = JSON.stringify(key?.jwk ?? data.attest_key)
  return [
    text('nonce', 'rp_data, as the challenge was answered', String(nonce)),
    bytes(
      'challenge',
      'the octets of challenge in the answer to the first message',
      challengeBytes,
    ),
    text('service_context', 'as it was answered, and goes back', String(opened.service_context)),
    text('request_key_jwk', 'the request key as it stands in the request', jwk),
    ...listEvidenceValues(data, { jwk, key, challenge: challengeBytes }),
    ...(isBound ? listReportValues(payload, message.att_data) : []),
    text(
      'request_header',
      'the protected header of the request, before base64url',
      fromUtf8(decode(header)) ?? '',
    ),
    text('request_payload', 'the payload of the request, before base64url', payload),
    text('request', 'compact JWS, PS256 by the request key', jws),
  ]
}

/** What the TPM says, of either version. */
function listEvidenceValues(
  data: Members,
  {
    jwk,
    key,
    challenge,
  }: { jwk: string; key: { info: Members } | undefined; challenge: Uint8Array },
): readonly VectorValue[] {
  const tpm = data.tpm_att_data as Members
  if (key === undefined) {
    const statement = decode(tpm.current_claim)
    const [signature, quote, pcrs] = splitStatement(statement)
    return [
      bytes('boot_log', 'srtm_boot_log', decode(tpm.srtm_boot_log)),
      bytes('qualifying_data', 'the challenge: version 1 binds no key here', challenge),
      ...listQuoteValues({ quote, signature, pcrs }),
      bytes(
        'current_claim',
        'the platform statement: its header, quote_signature, quote, pcrs',
        statement,
      ),
    ]
  }
  const current = tpm.current_attestation as {
    logs: readonly Members[]
    quote: string
    signature: string
    pcrs: readonly { values: readonly Members[] }[]
  }
  const certified = key.info.tpm_certify as Members | undefined
  const qualifying = digest('sha256', toUtf8(jwk), Uint8Array.of(0), challenge)
  const values = current.pcrs[0]?.values.map(({ digest: value }) => decode(value)) ?? []
  return [
    bytes('boot_log', 'the log of the type TCG', decode(current.logs[0]?.log)),
    certified === undefined
      ? bytes('qualifying_data', 'SHA-256(UTF-8(request_key_jwk) || 00 || challenge)', qualifying)
      : bytes('qualifying_data', 'the challenge: TPM2_Certify binds the key', challenge),
    ...listQuoteValues({
      quote: decode(current.quote),
      signature: decode(current.signature),
      pcrs: Buffer.concat(values),
    }),
    ...(certified === undefined ? [] : listCertifyValues(certified)),
  ]
}

function listQuoteValues(from: {
  readonly quote: Uint8Array
  readonly signature: Uint8Array
  readonly pcrs: Uint8Array
}): readonly VectorValue[] {
  return [
    bytes('pcrs', 'the SHA-256 PCRs 0 to 23, one after the other', from.pcrs),
    bytes('pcr_digest', 'SHA-256(pcrs), as the quote has it', digest('sha256', from.pcrs)),
    bytes('quote', 'TPMS_ATTEST of TPM2_Quote, with qualifying_data as extraData', from.quote),
    bytes('quote_signature', 'TPMT_SIGNATURE over quote by the attestation key', from.signature),
  ]
}

function listCertifyValues(certified: Members): readonly VectorValue[] {
  return [
    bytes('certify_public', 'TPMT_PUBLIC of the request key', decode(certified.public)),
    bytes(
      'certify_attest',
      'TPMS_ATTEST of TPM2_Certify, with the challenge as extraData',
      decode(certified.certification),
    ),
    bytes(
      'certify_signature',
      'TPMT_SIGNATURE over certify_attest by the attestation key',
      decode(certified.signature),
    ),
  ]
}

function listReportValues(payload: string, data: Members): readonly VectorValue[] {
  const vsm = data.vsm_report as string | { enclave: { report: string } }
  const signed = JSON.stringify(data.report_signed)
  if (!payload.includes(`"report_signed":${signed},`))
    throw new TypeError('another text was signed')
  const report = decode(typeof vsm === 'string' ? vsm : vsm.enclave.report)
  return [
    text('report_signed', 'the member report_signed as its text stands in the request', signed),
    bytes(
      'enclave_data',
      'SHA-512(UTF-8(report_signed)): EnclaveData',
      digestText('sha512', signed),
    ),
    bytes('enclave_report', 'VBS_ENCLAVE_REPORT_PKG_HEADER and what follows', report),
  ]
}

function listSubmissionValues(
  request: VectorExchange,
  submission: VectorExchange,
): readonly VectorValue[] {
  const report = readData((request.answer.body as Members).data).payload as Members
  const proof = submission.request.headers.dpop ?? ''
  const [header = '', payload = ''] = proof.split('.')
  const token = String(report.report)
  const [, claims = ''] = token.split('.')
  return [
    text('attestation_token', 'report in the answer: a JWT of the service', token),
    text('attestation_claims', 'its payload, decoded', fromUtf8(decode(claims)) ?? ''),
    text(
      'proof_header',
      'the protected header of the DPoP proof, before base64url',
      fromUtf8(decode(header)) ?? '',
    ),
    text(
      'proof_payload',
      'the payload of the DPoP proof, before base64url',
      fromUtf8(decode(payload)) ?? '',
    ),
    text('proof', 'compact JWS, PS256 by the request key', proof),
  ]
}

/** `TPLA`, version, bank, and the lengths of what follows: signature, quote and PCRs. */
function splitStatement(statement: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const buffer = Buffer.from(statement)
  const [signature, quote] = [buffer.readUInt32LE(12), buffer.readUInt32LE(16)]
  const at = 24
  return [
    buffer.subarray(at, at + signature),
    buffer.subarray(at + signature, at + signature + quote),
    buffer.subarray(at + signature + quote),
  ]
}

function spkiOf(key: KeyObject): Uint8Array {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  return publicKey.export({ type: 'spki', format: 'der' })
}
