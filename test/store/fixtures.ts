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
  /** Seconds after the start, sealed into the nonce: five minutes after `at` if nothing is said. */
  readonly nonceExpiresAt?: number
  readonly attestationId?: string
  readonly claims?: AttestationToRecord['attestation']['claims']
  readonly confirmationKey?: string
  /** Seconds after the start. */
  readonly at?: number
}

export function attestationOf(changes: Changes): AttestationToRecord {
  const { nonceId, attestationId, claims, confirmationKey, at: seconds = 0, ...others } = changes
  const { nonceExpiresAt = seconds + 300, ...rest } = others
  return {
    keyKind: 'aik',
    deviceKeyHash: 'kH3yV0Yw6sM1f0Zr2mB7xqv8p4d5n6c7b8a9s0d1f2g',
    ring: 42,
    enrolmentMode: 'open',
    linkedKey: null,
    nonce: { id: nonceId ?? newId('nonce-'), expiresAt: at(nonceExpiresAt) },
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
    graces: [],
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

const TABLES = [
  ...(['device', 'spent_nonce', 'attestation', 'recent_attestation', 'refusal'] as const),
  ...(['audit', 'outbox'] as const),
] as const

/** What `everythingAbout` answers of a device of which nothing is kept. */
export const NOTHING = Object.fromEntries(TABLES.map((table) => [table, []]))

/** Everything that is kept about one device, by table, for comparing before and after. */
export async function everythingAbout(
  { query }: StoreUnderTest,
  deviceId: string,
): Promise<Record<(typeof TABLES)[number], unknown[]>> {
  const read = async (table: string) => {
    return [
      ...(await query(`select * from ${table} where device_id = '${deviceId}' order by 1, 2`)),
    ]
  }
  const found = await Promise.all(TABLES.map(async (table) => [table, await read(table)] as const))
  return Object.fromEntries(found) as Record<(typeof TABLES)[number], unknown[]>
}
