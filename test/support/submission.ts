import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { CompactSign, decodeJwt, type JWK, type JWTPayload } from 'jose'
import { deviceIdOf } from '../../src/access/device-id.ts'
import { digest } from '../../src/base/digest.ts'
import { toBase64, toUtf8 } from '../../src/base/encoding.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import type { VirtualDevice } from '../../src/simulator/virtual-device.ts'
import { expectOk } from './refusal.ts'
import type { TestService } from './service.ts'

/** What an agent has when all is right, for tests that change one thing of it. */
export type Honest = {
  readonly token: string
  readonly nonce: string
  readonly payload: JWTPayload
}

const PATH = '/v1/attestations'

/** Lets a device attest up to the point where it would hand in its token. */
export async function obtainHonestToken(
  service: TestService,
  device: VirtualDevice,
): Promise<Honest> {
  const agent = service.agentOf(device)
  const { nonce } = expectOk(await agent.requestChallenge())
  const token = expectOk(await agent.obtainToken(nonce))
  return { token, nonce, payload: decodeJwt(token) }
}

/** Signs claims as the service's own verifier does. */
export async function mintToken(
  service: TestService,
  payload: JWTPayload | string,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { kid, privateKey } = await service.services.tokenSigningKey()
  return sign(payload, { alg: 'RS256', kid, typ: 'JWT', ...header }, privateKey)
}

export function sign(
  payload: object | string,
  header: Readonly<Record<string, unknown>>,
  key: CryptoKey | KeyObject,
): Promise<string> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const crit = Array.isArray(header.crit) ? { crit: { [String(header.crit[0])]: true } } : {}
  return new CompactSign(toUtf8(text))
    .setProtectedHeader({ alg: 'RS256', ...header })
    .sign(key instanceof CryptoKey ? key : (key.export({ format: 'jwk' }) as JWK), crit)
}

export type ProofChanges = {
  readonly nonce: string
  /** The confirmation key of minted tokens, unless told otherwise. */
  readonly key?: KeyObject
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
}

/** A proof for a submission to the service, at its time, with what a test changes about it. */
export function makeProof(service: TestService, changes: ProofChanges): Promise<string> {
  const { key = confirmationKey, nonce, header, claims } = changes
  const alg = key.asymmetricKeyType === 'ec' ? 'ES256' : 'PS256'
  const payload = {
    jti: randomUUID(),
    htm: 'POST',
    htu: service.url + PATH,
    iat: service.clock.now().getTime() / 1000,
    nonce,
    ...claims,
  }
  return sign(payload, { typ: 'dpop+jwt', alg, jwk: publicJwk(key), ...header }, key)
}

export function submit(
  service: TestService,
  submission: { readonly token: unknown; readonly proof?: string; readonly language?: string },
): Promise<Response> {
  const { token, proof, language } = submission
  const headers = new Headers({ 'content-type': 'application/json' })
  if (proof !== undefined) headers.set('dpop', proof)
  if (language !== undefined) headers.set('accept-language', language)
  return service.post(PATH, { token }, { headers })
}

/** Proves every minted token: signing with it is quick. */
export const confirmationKey: KeyObject = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
}).privateKey

let devices = 0

/**
 * Attests without evidence: the token is signed with the verifier's own key, so that a test that is
 * about something else has any number of devices for the price of three signatures.
 */
export async function attestMinted(
  service: TestService,
  change: {
    readonly deviceKey?: Uint8Array
    readonly claims?: Readonly<Record<string, unknown>>
    /** The request key that is proven, instead of the one that all others share. */
    readonly key?: KeyObject
  } = {},
): Promise<{
  readonly deviceId: string
  readonly deviceKey: Uint8Array
  readonly answer: Response
}> {
  const deviceKey = change.deviceKey ?? newDeviceKey()
  const nonce = await requestNonce(service, deviceKey)
  const { key = confirmationKey } = change
  const claims = { cnf: { jwk: publicJwk(key) }, ...change.claims }
  const token = await mintToken(service, mintedClaims(service, { nonce, claims, deviceKey }))
  const proof = await makeProof(service, { nonce, key })
  const answer = await submit(service, { token, proof })
  return { deviceId: deviceIdOf(deviceKey), deviceKey, answer }
}

/** What an attestation key's hash could be, and no other device's is. */
export function newDeviceKey(): Uint8Array {
  devices += 1
  return digest('sha256', toUtf8(`device ${devices}`))
}

export async function requestNonce(service: TestService, deviceKey: Uint8Array): Promise<string> {
  const answer = await service.post('/v1/challenge', { device_key: toBase64(deviceKey) })
  const { nonce } = (await answer.json()) as { nonce: string }
  return nonce
}

/** Claims that the baseline finds nothing wrong with, in a simulator's reference values. */
export function mintedClaims(
  service: TestService,
  input: {
    readonly deviceKey: Uint8Array
    readonly nonce: string
    readonly claims?: Readonly<Record<string, unknown>>
  },
): JWTPayload {
  const iat = Math.floor(service.clock.now().getTime() / 1000)
  return {
    ...template(),
    iss: service.url,
    iat,
    nbf: iat,
    exp: iat + 28_800,
    jti: randomUUID(),
    rp_data: input.nonce,
    nonce: input.nonce,
    cnf: { jwk: publicJwk(confirmationKey) },
    aikPubHash: toBase64(input.deviceKey),
    ...input.claims,
  }
}

let healthy: JWTPayload | undefined

/** What the built-in verifier says of a healthy device: `rememberHealthy` has to come first. */
function template(): JWTPayload {
  if (healthy === undefined) throw new TypeError('no healthy device has attested yet')
  return healthy
}

export async function rememberHealthy(service: TestService, device: VirtualDevice): Promise<void> {
  healthy = (await obtainHonestToken(service, device)).payload
}
