import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { digest } from '../base/digest.ts'
import { toBase64Url, toUtf8 } from '../base/encoding.ts'
import { signPs256 } from './compact-jws.ts'
import { TPM_ALG } from './tpm-encoding.ts'
import { reportEnclave, type VirtualDevice } from './virtual-device.ts'

const QUOTED_BANK = 'sha256'
const REQUEST_TYPES = { 1: 'attReq', 2: 'attReqV2' } as const

export type AttestationRequestOptions = {
  readonly device: VirtualDevice
  /** 1: `attReq` with a Windows platform claim; 2: `attReqV2` with quote and PCR values. */
  readonly version: 1 | 2
  readonly challenge: Uint8Array
  readonly serviceContext: string
  /** URL of the relying party. */
  readonly rpId: string
  /** Base64url of what the relying party wants bound into the token. */
  readonly rpData: string
  /** How the TPM vouches for the request key, in version 2. `quote` unless told otherwise. */
  readonly binding?: 'quote' | 'certify'
  /** Holds the request back from the enclave: a `basic` request of a device that has one. */
  readonly withoutEnclave?: boolean
  readonly tamper?: RequestTampering
}

/** What a forger, or a mistaken agent, makes of a request on its way, from the inside out. */
export type RequestTampering = {
  /** What is signed by the enclave's report, before that is made over it. */
  readonly data?: (data: RequestData) => object
  readonly report?: (report: Uint8Array) => Uint8Array
  /** The JSON that is signed by the request key. */
  readonly payload?: (text: string) => string
  readonly header?: (header: { readonly alg: string; readonly typ: string }) => object
  /** Signs in place of the request key. */
  readonly key?: KeyObject
}

/** What a request says, of either version, as it is made. */
export type RequestData = ReturnType<typeof listDataV1> | ReturnType<typeof listDataV2>

/** Azure Attestation's request message: a compact JWS, PS256, signed by the request key. */
export async function makeAttestationRequest(options: AttestationRequestOptions): Promise<string> {
  const { device, version, tamper = {} } = options
  const header = { alg: 'PS256', typ: REQUEST_TYPES[version] }
  const payload = await composePayload(options)
  return signPs256({
    header: tamper.header?.(header) ?? header,
    payload: toUtf8(tamper.payload?.(payload) ?? payload),
    key: tamper.key ?? device.requestKey,
    chance: device.chance,
  })
}

/**
 * The report of an enclave binds the text of `report_signed` as it stands on the wire, so the text
 * is put together here and never written twice.
 */
async function composePayload(options: AttestationRequestOptions): Promise<string> {
  const { device, version, tamper = {} } = options
  const listed = version === 1 ? listDataV1(options) : listDataV2(options)
  const data = JSON.stringify(tamper.data?.(listed) ?? listed)
  const made = options.withoutEnclave
    ? null
    : await reportEnclave(device, digest('sha512', toUtf8(data)))
  if (made === null) return `{"att_type":"basic","att_data":${data}}`
  const encoded = toBase64Url(tamper.report?.(made) ?? made)
  const vsm = JSON.stringify(version === 1 ? encoded : { enclave: { report: encoded } })
  return `{"att_type":"vbs","att_data":{"report_signed":${data},"vsm_report":${vsm}}}`
}

function listDataV1(options: AttestationRequestOptions) {
  const { device, challenge } = options
  return {
    rp_id: options.rpId,
    rp_data: options.rpData,
    challenge: toBase64Url(challenge),
    tpm_att_data: {
      srtm_boot_log: toBase64Url(device.bootLog.bytes),
      ...listAttestationKey(device),
      current_claim: toBase64Url(device.tpm.claimPlatform(challenge)),
    },
    attest_key: publicJwk(device.requestKey),
    custom_claims: [],
    service_context: options.serviceContext,
  }
}

function listDataV2(options: AttestationRequestOptions) {
  const { device, challenge } = options
  const jwk = publicJwk(device.requestKey)
  const certify = options.binding === 'certify'
  const nonce = certify ? challenge : bindKey(jwk, challenge)
  const quote = device.tpm.quote({ nonce, bank: QUOTED_BANK })
  const values = [...device.tpm.readPcrs(QUOTED_BANK)].map(([index, value]) => ({
    index,
    digest: toBase64Url(value),
  }))
  return {
    rp_id: options.rpId,
    rp_data: options.rpData,
    challenge: toBase64Url(challenge),
    tpm_att_data: {
      current_attestation: {
        logs: [{ type: 'TCG', log: toBase64Url(device.bootLog.bytes) }],
        ...listAttestationKey(device),
        pcrs: [{ algorithm: TPM_ALG[QUOTED_BANK], values }],
        quote: toBase64Url(quote.attest),
        signature: toBase64Url(quote.signature),
      },
    },
    request_key: {
      jwk,
      info: certify ? certifyRequestKey(device, challenge) : { tpm_quote: { hash_alg: 'sha-256' } },
    },
    other_keys: [],
    custom_claims: [],
    service_context: options.serviceContext,
  }
}

function listAttestationKey(device: VirtualDevice) {
  const { attestationCertificate: certificate, attestationChain: chain = [] } = device
  return {
    ...(certificate === null ? {} : { aik_cert: toBase64Url(certificate) }),
    ...(chain.length === 0 ? {} : { aik_cert_chain: chain.map(toBase64Url) }),
    aik_pub: publicJwk(device.tpm.attestationKey),
  }
}

/** `HASH(UTF8(jwk) || 0x00 || challenge)`, over the JWK as it stands on the wire. */
function bindKey(jwk: JsonWebKey, challenge: Uint8Array): Uint8Array {
  return digest('sha256', toUtf8(JSON.stringify(jwk)), Uint8Array.of(0), challenge)
}

function certifyRequestKey(device: VirtualDevice, challenge: Uint8Array) {
  const certified = device.tpm.certify({ key: device.requestKey, nonce: challenge })
  return {
    tpm_certify: {
      public: toBase64Url(certified.public),
      certification: toBase64Url(certified.certification),
      signature: toBase64Url(certified.signature),
    },
  }
}

/** `kty`, `n` and `e` of an RSA key, or `kty`, `crv`, `x` and `y` of an EC key, in this order. */
export function publicJwk(key: KeyObject): JsonWebKey {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const jwk = publicKey.export({ format: 'jwk' })
  const { kty, n = '', e = '', crv = '', x = '', y = '' } = jwk
  return kty === 'RSA' ? { kty, n, e } : { kty: 'EC', crv, x, y }
}
