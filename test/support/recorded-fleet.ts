import { createSecretKey } from 'node:crypto'
import { deviceIdOf, ringOf } from '../../src/access/device-id.ts'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { digest } from '../../src/base/digest.ts'
import type { DocumentHash } from '../../src/base/document-hash.ts'
import { toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import type { DocumentKind } from '../../src/rollout/in-force.ts'
import type { AttestationToRecord } from '../../src/store/devices/recording.ts'
import type { Store } from '../../src/store/store.ts'
import { BUILT_IN_POLICY_HASH } from '../../src/verifier/built-in-policy.ts'
import { agent, HEALTHY } from '../policy/healthy-device.ts'
import type { Json } from './json.ts'
import { putInForce } from './put-in-force.ts'
import { expectOk } from './refusal.ts'

/** Of no service: rings of a fleet that is read and not asked. */
const RING_SECRET = createSecretKey(new Uint8Array(32))

/** What the recorded devices meet. */
export const FLEET_VALUES = { name: 'fleet', enclaves: [agent()] }

const VALIDITY_MS = 8 * 3_600_000

/**
 * Devices that have attested, without the evidence: healthy ones under the baseline and
 * `FLEET_VALUES`. Their ids.
 */
export async function recordFleet(
  store: Store,
  fleet: {
    readonly devices: number
    readonly now: Date
    /** What is otherwise about all of them. */
    readonly change?: Partial<
      Pick<AttestationToRecord['attestation'], 'issuer' | 'attestationPolicyHash'>
    >
  },
): Promise<readonly string[]> {
  const { devices, now, change } = fleet
  const keys = Array.from({ length: devices }, (_, at) => {
    return digest('sha256', toUtf8(`recorded device ${at} of ${now.toISOString()}`))
  })
  for (const key of keys) {
    const id = toBase64Url(key)
    const attestation = {
      attestationId: `att_${id}`,
      attestedAt: now,
      validUntil: new Date(now.getTime() + VALIDITY_MS),
      issuer: 'http://localhost:8080',
      attestationPolicyHash: BUILT_IN_POLICY_HASH,
      confirmationKey: 'key',
      claims: HEALTHY,
      ...change,
    }
    await store.recordAttestation({
      deviceId: deviceIdOf(key),
      keyKind: 'aik',
      deviceKeyHash: id,
      ring: ringOf(key, RING_SECRET),
      enrolmentMode: 'open',
      linkedKey: null,
      nonce: { id: `nonce ${id}`, expiresAt: new Date(now.getTime() + 300_000) },
      attestation,
      verdict: 'trusted',
      announcedVerdict: 'trusted',
      reasons: [],
      failedClauses: [],
      graces: [],
      digests: {},
      trace: [],
      evaluatedPolicyHash: 'policy',
      referenceValuesHash: 'values',
    })
  }
  return keys.map(deviceIdOf)
}

/** Puts the baseline and `FLEET_VALUES` in force. */
export async function enforceFleetDocuments(store: Store, now: Date): Promise<void> {
  await enforce(store, 'policy', { body: BASELINE_POLICY, now })
  await enforce(store, 'reference-values', { body: FLEET_VALUES, now })
}

/** Puts a document in force without asking anybody. */
export async function enforce(
  store: Store,
  kind: DocumentKind,
  { body, now }: { readonly body: Json; readonly now: Date },
): Promise<DocumentHash> {
  const hash = hashOfDocument(kind, body)
  await putInForce(store, { kind, hash, body, author: 'test', reason: 'test', now })
  return hash
}

export function hashOfDocument(kind: DocumentKind, body: Json): DocumentHash {
  return kind === 'policy'
    ? expectOk(compilePolicy(body)).hash
    : expectOk(parseReferenceValues(body)).hash
}

/** The document that a rollout of this kind begins beside. */
export async function besideOf(
  store: Pick<Store, 'activeDocument'>,
  kind: DocumentKind,
): Promise<DocumentHash | null> {
  const other = kind === 'policy' ? 'reference-values' : 'policy'
  return (await store.activeDocument(other))?.hash ?? null
}
