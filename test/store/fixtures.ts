import { asAttestationPolicyHash } from '../../src/evidence/token/attestation-token.ts'
import type { AttestationToRecord, RefusalToRecord } from '../../src/store/devices/recording.ts'
import type { Store } from '../../src/store/store.ts'

/** A store under test, with a way to look at its tables past it. */
export type StoreUnderTest = {
  readonly store: Store
  readonly query: (text: string) => Promise<readonly Record<string, unknown>[]>
  readonly close: () => Promise<void>
}

const START = Date.parse('2026-03-01T12:00:00Z')

/** Seconds after the fixed start of every test. */
export function at(seconds: number): Date {
  return new Date(START + seconds * 1000)
}

let devices = 0
let ids = 0

/** An id that no other test of the run uses. */
export function newDeviceId(): string {
  devices += 1
  return `dev_${String(devices).padStart(52, 'q')}`
}

export function newId(prefix: string): string {
  ids += 1
  return `${prefix}${ids}-${process.pid}`
}

export const VALIDITY_SECONDS = 3600

type Changes = Partial<Omit<AttestationToRecord, 'attestation' | 'nonce'>> & {
  readonly deviceId: string
  readonly nonceId?: string
  readonly attestationId?: string
  readonly claims?: AttestationToRecord['attestation']['claims']
  readonly confirmationKey?: string
  /** Seconds after the start. */
  readonly at?: number
}

export function attestationOf(changes: Changes): AttestationToRecord {
  const { nonceId, attestationId, claims, confirmationKey, at: seconds = 0, ...rest } = changes
  return {
    keyKind: 'aik',
    deviceKeyHash: 'kH3yV0Yw6sM1f0Zr2mB7xqv8p4d5n6c7b8a9s0d1f2g',
    ring: 42,
    enrolmentMode: 'open',
    linkedKey: null,
    nonce: { id: nonceId ?? newId('nonce-'), expiresAt: at(seconds + 300) },
    attestation: {
      attestationId: attestationId ?? newId('att_'),
      attestedAt: at(seconds),
      validUntil: at(seconds + VALIDITY_SECONDS),
      issuer: 'https://verifier.example',
      attestationPolicyHash: asAttestationPolicyHash('verifier-policy'),
      confirmationKey: confirmationKey ?? 'confirmation-key',
      claims: claims ?? { secureBootEnabled: true, bootCounter: 7, elamDrivers: ['a', 'b'] },
    },
    verdict: 'trusted',
    announcedVerdict: rest.verdict ?? 'trusted',
    reasons: [],
    failedClauses: [],
    digests: { token: 'token-digest' },
    trace: { steps: ['token', 'proof'] },
    evaluatedPolicyHash: 'policy-1',
    referenceValuesHash: 'values-1',
    ...rest,
  }
}

export function refusalOf(deviceId: string, changes: Partial<RefusalToRecord>): RefusalToRecord {
  return {
    deviceId,
    isVouched: true,
    attestationId: newId('att_'),
    at: at(0),
    stage: 'token',
    reasons: [{ code: 'token_expired' }],
    claims: null,
    digests: {},
    trace: null,
    issuer: null,
    attestationPolicyHash: null,
    referenceValuesHash: null,
    ...changes,
  }
}

/** Everything that is kept about one device, by table, for comparing before and after. */
export async function everythingAbout(
  { query }: StoreUnderTest,
  deviceId: string,
): Promise<Record<'device' | 'spent_nonce' | 'attestation' | 'audit' | 'outbox', unknown[]>> {
  const read = async (table: string) => {
    return [
      ...(await query(`select * from ${table} where device_id = '${deviceId}' order by 1, 2`)),
    ]
  }
  return {
    device: await read('device'),
    spent_nonce: await read('spent_nonce'),
    attestation: await read('attestation'),
    audit: await read('audit'),
    outbox: await read('outbox'),
  }
}
