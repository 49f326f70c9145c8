import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { base64url, importPKCS8 } from 'jose'
import { deviceIdOf } from '../../src/access/device-id.ts'
import { verifyConfirmationProof } from '../../src/evidence/jws/confirmation.ts'
import { importKeySet, type KeySet } from '../../src/evidence/jws/key-set.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import { toWireError } from '../../src/verifier/protocol/errors.ts'
import { handleAttestMessage, type VerifierConfig } from '../../src/verifier/verifier.ts'
import { verifyToken } from '../support/verify-token.ts'
import { spendInMemory } from '../verifier/harness.ts'

const VALIDITY_MS = 8 * 3_600_000

type Recorded = { readonly verdict: string; readonly validUntil: number }

/**
 * The agent's side of a service: the real verifier and the real checks of tokens and proofs, with a
 * map for a store and four rules for a policy. It lets the simulator be tested in its own room; that the two get on
 * with the real service is tested where that is put together.
 */
export class StandInService {
  readonly url: string
  readonly refusals = new Map<string, string[]>()
  readonly #config: VerifierConfig
  readonly #signing = generateKeyPairSync('rsa', { modulusLength: 2048 })
  readonly #sealing = randomBytes(32)
  readonly #nonces = new Map<string, 'fresh' | 'spent'>()
  readonly #spendContext = spendInMemory()
  readonly #records = new Map<string, Recorded>()
  #offsetMs = 0

  constructor(url: string, trust: VerifierConfig['trust'] = { anchors: [], intermediates: [] }) {
    this.url = url
    const lifetimes = { challengeLifetimeMs: 300_000, tokenLifetimeMs: VALIDITY_MS }
    this.#config = { issuer: url, trust, legacyUnboundRequestKey: 'refuse', ...lifetimes }
  }

  now = (): Date => new Date(Date.now() + this.#offsetMs)

  advanceClock = (ms: number): void => {
    this.#offsetMs += ms
  }

  decide = async (deviceId: string) => {
    const record = this.#records.get(deviceId)
    const stale = record !== undefined && this.now().getTime() >= record.validUntil
    const verdict = stale ? 'stale' : (record?.verdict ?? 'unknown')
    return { decision: verdict === 'trusted', verdict, reasons: [] }
  }

  listRefusals = async (deviceId: string) => this.refusals.get(deviceId) ?? []

  fetch = async (request: Request): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url)
    const text = await request.text()
    switch (pathname) {
      case '/v1/challenge':
        return this.#challenge(JSON.parse(text))
      case '/attest/Tpm':
        return this.#attest(text, searchParams.get('api-version') ?? undefined)
      case '/v1/attestations':
        return this.#record(JSON.parse(text), request.headers.get('dpop') ?? '')
      default:
        return problem(404, 'not_found')
    }
  }

  #challenge(body: { device_key: string }): Response {
    const nonce = base64url.encode(randomBytes(48))
    this.#nonces.set(nonce, 'fresh')
    const expires_at = new Date(this.now().getTime() + 300_000).toISOString()
    return Response.json({ nonce, expires_at, device_id: nameDevice(body.device_key) })
  }

  async #attest(message: string, apiVersion: string | undefined): Promise<Response> {
    const pem = this.#signing.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const privateKey = await importPKCS8(pem, 'RS256')
    const answered = await handleAttestMessage({
      message,
      apiVersion,
      keys: {
        serviceContext: [this.#sealing],
        tokenSigning: { kid: 'stand-in', x5c: ['MA=='], privateKey },
      },
      config: this.#config,
      spendContext: this.#spendContext,
      now: this.now(),
      random: (length) => randomBytes(length),
    })
    if (answered.ok) return Response.json({ data: answered.value.data })
    const { provenAik } = answered.failure
    if (provenAik !== undefined) {
      const device = nameDevice(Buffer.from(provenAik.deviceKey).toString('base64'))
      this.refusals.set(device, [...(this.refusals.get(device) ?? []), answered.failure.reason])
    }
    const error = toWireError(answered.failure, 'req_stand_in')
    return Response.json(error.body, { status: error.status })
  }

  async #record(body: { token: string }, proof: string): Promise<Response> {
    const clock = { now: this.now(), maxAgeSeconds: 600, clockSkewSeconds: 60 }
    const token = await verifyToken(body.token, {
      ...clock,
      issuers: [
        { issuer: this.url, keys: await this.#keySet(), attestationPolicyHashes: 'unpinned' },
      ],
    })
    if (!token.ok) return problem(400, token.failure.reason)
    const { confirmation, nonce: nonceBytes, payload } = token.value
    if (confirmation === undefined || nonceBytes === undefined) return problem(400, 'unbound')
    const nonce = base64url.encode(nonceBytes)
    const url = `${this.url}/v1/attestations`
    const proven = { ...clock, proof, confirmation, method: 'POST', url, nonce }
    const possession = await verifyConfirmationProof(proven)
    if (!possession.ok) return problem(400, possession.failure.reason)
    if (this.#nonces.get(nonce) !== 'fresh') return problem(409, 'nonce_spent')
    this.#nonces.set(nonce, 'spent')
    return this.#answer(payload)
  }

  async #keySet(): Promise<KeySet> {
    const jwk = publicJwk(this.#signing.publicKey)
    const imported = await importKeySet({ keys: [{ ...jwk, kid: 'stand-in' }] })
    if (!imported.ok) throw new TypeError(imported.failure.reason)
    return imported.value
  }

  #answer(claims: Readonly<Record<string, unknown>>): Response {
    const rules: readonly (readonly [string, boolean])[] = [
      ['secure_boot_on', claims.secureBootEnabled === true],
      ['test_signing_off', claims.testSigningDisabled === true],
      ['enclave_not_debuggable', claims.enclaveFlags === 0],
      ['enclave_current', Number(claims.enclaveSvn) >= 3],
    ]
    const reasons = rules.filter(([, holds]) => !holds).map(([code]) => ({ code }))
    const verdict = reasons.length === 0 ? 'trusted' : 'untrusted'
    const device_id = nameDevice(String(claims.aikPubHash))
    const validUntil = this.now().getTime() + VALIDITY_MS
    this.#records.set(device_id, { verdict, validUntil })
    const at = new Date(validUntil).toISOString()
    return Response.json(
      {
        attestation_id: 'att_test',
        device_id,
        verdict,
        reasons,
        device_token: 'token',
        token_type: 'DPoP',
        expires_at: at,
        next_attestation_at: at,
        valid_until: at,
      },
      { status: 201 },
    )
  }
}

function nameDevice(deviceKey: string): string {
  return deviceIdOf(Buffer.from(deviceKey, 'base64'))
}

function problem(status: number, code: string): Response {
  return Response.json({ code }, { status })
}
