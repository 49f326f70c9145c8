import { randomBytes } from 'node:crypto'
import { decodeJwt, type JWTPayload, SignJWT } from 'jose'
import { deviceIdOf } from '../../src/access/device-id.ts'
import { digest } from '../../src/base/digest.ts'
import { toBase64, toBase64Url, toHex, toUtf8 } from '../../src/base/encoding.ts'
import { createNodeLog } from '../../src/compose/node-service.ts'
import { createServices, type Services } from '../../src/compose/services.ts'
import { type Config, parseConfig } from '../../src/config/config.ts'
import { sealNonce } from '../../src/evidence/nonce.ts'
import {
  CLIENT_SECRET_BYTES,
  hashClientSecret,
  newClientSecret,
} from '../../src/keys/client-secret.ts'
import { parseMasterSecret } from '../../src/keys/master-secret.ts'
import { recordAttestation } from '../../src/operations/attest/record-attestation.ts'
import { type Submission, verifySubmission } from '../../src/operations/attest/verify-submission.ts'
import { makeDpopProof } from '../../src/simulator/dpop-proof.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice, type VirtualDevice } from '../../src/simulator/virtual-device.ts'
import { listSimulatorReferenceValues } from '../../src/simulator/virtual-enclave.ts'
import type { AttestationToRecord } from '../../src/store/devices/recording.ts'
import { openStore } from '../../src/store/drivers/open-store.ts'
import type { TokenSigningKey } from '../../src/verifier/steps/issue-token.ts'
import { handleAttestMessage } from '../../src/verifier/verifier.ts'
import type { BenchDatabase } from './database.ts'
import { makeMessage } from './message.ts'
import { countUp, runConcurrently } from './variant.ts'

export const PUBLIC_URL = 'https://countersign.example'
export const DEVICES = 10_000
/** One device in so many started without Secure Boot and is denied. */
const DENIED_EVERY = 10
/** How long before the others it attested, and has been failing since. */
export const DENIED_SECONDS = 120
const NONCE_LIFETIME_MS = 28_800_000
const CONCURRENCY = 16

/** Recorded devices, and how to speak for them. */
export type Fleet = {
  readonly environment: Readonly<Record<string, string>>
  readonly client: { readonly id: string; readonly secret: string }
  /** What the service itself would record of device number `index` now. */
  readonly recordingOf: (index: number) => AttestationToRecord
  /** A submission by that device that was never made before. */
  readonly makeSubmission: (index: number) => Promise<Submission & { readonly proof: string }>
}

/** Records `DEVICES` devices, all with the claims of one that attested for real. */
export async function prepareFleet(database: BenchDatabase): Promise<Fleet> {
  const environment = {
    DATABASE_URL: database.url,
    SECRET_KEY: toBase64(randomBytes(32)),
    PUBLIC_URL,
    LOG_LEVEL: 'info',
    // Submissions are made once and handed in by every run.
    TOKEN_MAX_AGE_SECONDS: '28800',
  }
  const services = await openServices({ ...environment, LOG_LEVEL: 'error' })
  const device = await startVirtualDevice({ name: 'bench', keys: independentKeys() })
  const token = decodeJwt(await attest(services, device))
  // Kept, because submissions are made when the store of these services is closed.
  const signing = await services.tokenSigningKey()
  const makeSubmission: Fleet['makeSubmission'] = (index) =>
    submit(services, { token, signing, key: device.requestKey, deviceKey: deviceKeyOf(index) })
  const template = await captureRecording(services, await makeSubmission(0))
  const recordingOf: Fleet['recordingOf'] = (index) => adapt(template, index)
  await runConcurrently(CONCURRENCY, {
    next: countUp(0, DEVICES),
    run: async (index) => {
      await services.store.recordAttestation(deny(recordingOf(index), index))
    },
  })
  const client = await createBenchClient(services)
  await services.store.close()
  await database.execute('vacuum analyze')
  return { environment, client, recordingOf, makeSubmission }
}

export function readBenchConfig(environment: Readonly<Record<string, string>>): Config {
  const config = parseConfig(environment)
  if (!config.ok) throw new Error(config.failure.mistakes.join('; '))
  return config.value
}

/** The services as a process of the service has them. */
export async function openServices(environment: Fleet['environment']): Promise<Services> {
  const config = readBenchConfig(environment)
  const masterSecret = parseMasterSecret(config.secretKey ?? '')
  if (masterSecret === undefined) throw new TypeError('no master secret')
  const store = await openStore(config.database)
  const log = createNodeLog(config)
  return createServices({
    config,
    log,
    store,
    secrets: [masterSecret],
    clock: () => new Date(),
    simulatedHardware: listSimulatorReferenceValues(),
  })
}

/** 32 bytes, as the hash of a key would be. */
export function deviceKeyOf(index: number): Uint8Array {
  return digest('sha256', toUtf8(`device ${index}`))
}

export function isDenied(index: number): boolean {
  return index % DENIED_EVERY === DENIED_EVERY - 1
}

/** An attestation token of the built-in verifier. */
async function attest(services: Services, device: VirtualDevice): Promise<string> {
  const input = {
    apiVersion: '2025-06-01',
    keys: await services.verifier.keys(),
    config: services.verifier.config,
    spendContext: services.verifier.spendContext,
    now: services.clock(),
    random: services.random,
  }
  const message = await makeMessage(device, {
    serviceContextKey: input.keys.serviceContext[0],
    now: input.now,
  })
  const answer = await handleAttestMessage({ ...input, message })
  if (!answer.ok) throw new Error(`the bench device was refused: ${answer.failure.reason}`)
  return JSON.parse(Buffer.from(answer.value.data, 'base64url').toString()).payload.report
}

/** The token of one device, said of another; one `cnf` key serves them all. */
async function submit(
  services: Services,
  by: {
    readonly token: JWTPayload
    readonly signing: TokenSigningKey
    readonly key: VirtualDevice['requestKey']
    readonly deviceKey: Uint8Array
  },
): Promise<Submission & { readonly proof: string }> {
  const { token, signing, key, deviceKey } = by
  const now = services.clock()
  const sealed = sealNonce({
    secret: services.sealing.nonce[0],
    deviceKey,
    random: services.random(16),
    expiresAt: new Date(now.getTime() + NONCE_LIFETIME_MS),
  })
  const nonce = toBase64Url(sealed)
  const { kid, x5c, privateKey } = signing
  const url = `${PUBLIC_URL}/v1/attestations`
  return {
    url,
    token: await new SignJWT({
      ...token,
      aikPubHash: toBase64(deviceKey),
      rp_data: nonce,
      nonce,
      jti: toHex(services.random(20)),
    })
      .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT', x5c: [...x5c] })
      .sign(privateKey),
    proof: await makeDpopProof({ key, method: 'POST', url, nonce, now }),
  }
}

/** Lets the service handle a submission and catches what it asks its store to write. */
async function captureRecording(
  services: Services,
  submission: Submission,
): Promise<AttestationToRecord> {
  const now = services.clock()
  const verified = await verifySubmission(services, submission, now)
  if (!verified.ok) throw new Error(`refused: ${verified.refused.failure.reason}`)
  let captured: AttestationToRecord | undefined
  const store: Services['store'] = {
    ...services.store,
    async recordAttestation(input) {
      captured = input
      // Nothing is written, so nothing has happened.
      return { outcome: 'nonce_spent', device: null }
    },
  }
  await recordAttestation({ ...services, store }, verified.value, now)
  if (captured === undefined) throw new Error('nothing was to be recorded')
  if (captured.verdict !== 'trusted') throw new Error(`the bench device is ${captured.verdict}`)
  return captured
}

function adapt(template: AttestationToRecord, index: number): AttestationToRecord {
  const deviceKey = deviceKeyOf(index)
  return {
    ...template,
    deviceId: deviceIdOf(deviceKey),
    deviceKeyHash: toBase64Url(deviceKey),
    ring: index % 100,
    nonce: { ...template.nonce, id: toBase64Url(randomBytes(16)) },
    attestation: {
      ...template.attestation,
      attestationId: `att_${toHex(randomBytes(13))}`,
      claims: { ...template.attestation.claims, aikPubHash: toBase64(deviceKey) },
    },
  }
}

function deny(recording: AttestationToRecord, index: number): AttestationToRecord {
  if (!isDenied(index)) return recording
  const { attestation } = recording
  const attestedAt = new Date(attestation.attestedAt.getTime() - DENIED_SECONDS * 1000)
  const claims = { ...attestation.claims, secureBootEnabled: false }
  return {
    ...recording,
    attestation: { ...attestation, attestedAt, claims },
    verdict: 'untrusted',
    announcedVerdict: 'untrusted',
    reasons: [{ code: 'clause_failed', clause: 'secure_boot_on' }],
    failedClauses: ['secure_boot_on'],
    graces: [],
  }
}

export async function createBenchClient(services: Services): Promise<Fleet['client']> {
  const id = 'bench'
  const secret = newClientSecret(services.random(CLIENT_SECRET_BYTES))
  await services.store.createClient({
    clientId: id,
    name: 'Benchmark',
    secretHash: hashClientSecret(secret),
    scopes: ['access.evaluate'],
    by: 'bench',
    now: services.clock(),
  })
  return { id, secret }
}
