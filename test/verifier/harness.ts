import { createPublicKey, type KeyObject } from 'node:crypto'
import { CompactSign } from 'jose'
import { expect } from 'vitest'
import { digest } from '../../src/base/digest.ts'
import { fromBase64Url, toBase64, toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { err, ok, type Result } from '../../src/base/result.ts'
import { parsePemBundle } from '../../src/evidence/x509/certificate.ts'
import { type AkAuthority, createAkAuthority } from '../../src/simulator/ak-authority.ts'
import {
  type AttestationRequestOptions,
  makeAttestationRequest,
} from '../../src/simulator/attestation-request.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { reportEnclave, type VirtualDevice } from '../../src/simulator/virtual-device.ts'
import { toWebKey } from '../../src/simulator/web-key.ts'
import type { SpendContext } from '../../src/verifier/protocol/service-context.ts'
import {
  type AttestAnswer,
  type AttestRefusal,
  handleAttestMessage,
  type VerifierConfig,
  type VerifierKeys,
} from '../../src/verifier/verifier.ts'
import type { Json } from '../support/json.ts'
import { expectOk } from '../support/refusal.ts'

export const NOW = new Date('2026-06-15T12:00:00Z')
export const ISSUER = 'https://countersign.example'
export const RP_DATA = toBase64Url(toUtf8('nonce of the relying party'))

export type Challenge = { readonly challenge: Uint8Array; readonly serviceContext: string }

/** Tests edit requests into every wrong shape. */
export type Payload = Json

/** A built-in verifier with keys of its own, spoken to as over HTTP. */
export type TestVerifier = {
  readonly config: VerifierConfig
  readonly keys: VerifierKeys
  readonly send: (
    payload: unknown,
    changes?: {
      now?: Date
      config?: Partial<VerifierConfig>
      keys?: Partial<VerifierKeys>
      apiVersion?: string
      spendContext?: SpendContext
      tracesValues?: boolean
    },
  ) => Promise<Result<AttestAnswer, AttestRefusal>>
  readonly challenge: () => Promise<Challenge>
}

/** What the authority of the AKs is, with the anchors that believe in it. */
export async function makeAuthority(): Promise<AkAuthority & { trust: VerifierConfig['trust'] }> {
  const authority = await createAkAuthority(NOW)
  const anchors = expectOk(parsePemBundle(authority.anchorPem))
  return { ...authority, trust: { anchors, intermediates: [] } }
}

export async function makeVerifier(changes?: Partial<VerifierConfig>): Promise<TestVerifier> {
  const config: VerifierConfig = {
    issuer: ISSUER,
    trust: { anchors: [], intermediates: [] },
    legacyUnboundRequestKey: 'refuse',
    challengeLifetimeMs: 300_000,
    tokenLifetimeMs: 28_800_000,
    ...changes,
  }
  const keys: VerifierKeys = {
    serviceContext: [digest('sha256', toUtf8('context key'))],
    tokenSigning: await makeSigningKey(),
  }
  const random = countingRandom()
  const spendContext = spendInMemory()
  const send: TestVerifier['send'] = (payload, changed = {}) =>
    handleAttestMessage({
      message: JSON.stringify({ data: toBase64Url(toUtf8(JSON.stringify({ payload }))) }),
      apiVersion: changed.apiVersion ?? '2025-06-01',
      keys: { ...keys, ...changed.keys },
      config: { ...config, ...changed.config },
      spendContext: changed.spendContext ?? spendContext,
      now: changed.now ?? NOW,
      random,
      tracesValues: changed.tracesValues,
    })
  const challenge = async () => {
    const { payload } = readData(expectOk(await send({ type: 'aikcert' })).data)
    return {
      challenge: fromBase64Url(payload.challenge) ?? new Uint8Array(),
      serviceContext: payload.service_context,
    }
  }
  return { config, keys, send, challenge }
}

/** Each context once. That this holds for all processes is shown where the store is. */
export function spendInMemory(): SpendContext {
  const spent = new Set<string>()
  return async ({ contextId }) => {
    if (spent.has(contextId)) return err({ reason: 'context_spent' })
    spent.add(contextId)
    return ok(true)
  }
}

/** The inner JSON of an answer. */
export function readData(data: string): Payload {
  return JSON.parse(Buffer.from(data, 'base64url').toString('utf8'))
}

/** The request that an honest agent makes. */
export function makeRequest(
  device: VirtualDevice,
  challenge: Challenge,
  options: Partial<AttestationRequestOptions> = {},
): Promise<string> {
  return makeAttestationRequest({
    device,
    version: 2,
    rpId: 'https://rp.example',
    rpData: RP_DATA,
    ...challenge,
    ...options,
  })
}

export type Version = 1 | 2

/** Signs a payload as the agent would, whatever it says. */
export async function signRequest(
  key: KeyObject,
  version: Version,
  payload: unknown,
): Promise<string> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const typ = version === 1 ? 'attReq' : 'attReqV2'
  const signer = await toWebKey(key, 'PS256')
  return new CompactSign(toUtf8(text)).setProtectedHeader({ alg: 'PS256', typ }).sign(signer)
}

/** Signs a `vbs` request with a report that the enclave of the device makes over these data. */
export async function signVbsRequest(
  device: VirtualDevice,
  version: Version,
  data: Payload,
): Promise<string> {
  const text = JSON.stringify(data)
  const made = await reportEnclave(device, digest('sha512', toUtf8(text)))
  const report = toBase64Url(made ?? expect.fail('the device has an enclave'))
  const vsm = JSON.stringify(version === 1 ? report : { enclave: { report } })
  const payload = `{"att_type":"vbs","att_data":{"report_signed":${text},"vsm_report":${vsm}}}`
  return signRequest(device.requestKey, version, payload)
}

export function payloadText(request: string): string {
  return Buffer.from(request.split('.')[1] ?? '', 'base64url').toString('utf8')
}

export function payloadOf(request: string): Payload {
  return JSON.parse(payloadText(request))
}

/**
 * Sends requests of `device` over fresh challenges, edited and signed again by the device: what an
 * attacker who controls it could say. They are `basic`, or in version 1, which binds no key by itself,
 * with a report of the enclave.
 */
export function attackerOf(verifier: TestVerifier, device: VirtualDevice) {
  return async (
    edit: (data: Payload, challenge: Challenge) => void,
    options: Partial<AttestationRequestOptions> = {},
  ) => {
    const challenge = await verifier.challenge()
    const honest = await makeRequest(device, challenge, { withoutEnclave: true, ...options })
    const payload = payloadOf(honest)
    edit(payload.att_data, challenge)
    const request =
      options.version === 1
        ? await signVbsRequest(device, 1, payload.att_data)
        : await signRequest(device.requestKey, 2, payload)
    return verifier.send({ request })
  }
}

/** `current_attestation` of a version 2 request. */
export function currentOf(data: Payload): Payload {
  return data.tpm_att_data.current_attestation
}

/** Replaces the quote of a version 2 request. */
export function setQuote(
  data: Payload,
  by: VirtualDevice,
  quoted: Partial<Parameters<VirtualDevice['tpm']['quote']>[0]> & { nonce: Uint8Array },
): void {
  const { attest, signature } = by.tpm.quote({ bank: 'sha256', ...quoted })
  const fields = { quote: toBase64Url(attest), signature: toBase64Url(signature) }
  Object.assign(currentOf(data), fields)
}

/** The nonce that binds the request key of a version 2 request. */
export function boundNonce(data: Payload, { challenge }: Challenge): Uint8Array {
  const jwk = toUtf8(JSON.stringify(data.request_key.jwk))
  return digest('sha256', jwk, Uint8Array.of(0), challenge)
}

/** RSA-2048, published with a certificate as Azure publishes its keys. */
async function makeSigningKey(): Promise<VerifierKeys['tokenSigning']> {
  const key = await independentKeys()()
  const authority = await createAkAuthority(NOW)
  const certificate = await authority.issue(createPublicKey(key))
  const pkcs8 = new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }))
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  return {
    privateKey: await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']),
    kid: toBase64Url(digest('sha1', certificate)),
    x5c: [toBase64(certificate)],
  }
}

/** Different bytes at each call, the same ones in each run. */
function countingRandom(): (length: number) => Uint8Array {
  let count = 0
  return (length) => {
    count += 1
    return digest('sha512', toUtf8(`random ${count}`)).subarray(0, length)
  }
}
