import { assess } from '../../access/assess.ts'
import { describeResult, type EarClaims } from '../../access/ear/ear.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Store } from '../../store/store.ts'
import type { RulesReader } from '../release/rules-in-force.ts'

export type ResultDependencies = {
  readonly store: Pick<Store, 'trustRecord'>
  readonly rules: Pick<RulesReader, 'at'>
  readonly config: { readonly publicUrl: string }
  readonly clock: () => Date
  readonly signAttestationResult: (claims: EarClaims) => Promise<string>
}

export const ATTESTATION_RESULT_REASONS = [
  /** Nobody knows the device, it never attested with success, or its evidence has ended. */
  'attestation_result_absent',
] as const

export type ResultFailure = { readonly reason: (typeof ATTESTATION_RESULT_REASONS)[number] }

/**
 * The attestation result of a device for a relying party that asks for it (RFC 9334 §5.2, background check):
 * a signed EAR, made of the record as a decision would find it now. `nonce` is the relying party's.
 */
export async function findAttestationResult(
  dependencies: ResultDependencies,
  { deviceId, nonce }: { readonly deviceId: string; readonly nonce: string | undefined },
): Promise<Result<string, ResultFailure>> {
  const { store, rules, config, clock, signAttestationResult } = dependencies
  const answer = await store.trustRecord(deviceId)
  const { record } = answer
  const now = clock()
  const attestation = record?.attestation ?? null
  // A fraction of a second is not in the result: it must not end before it is there.
  if (record === null || attestation === null || !endsLater(attestation.validUntil, now)) {
    return err({ reason: 'attestation_result_absent' })
  }
  const deviceRules = (await rules.at(answer)).rulesFor(record, now)
  const { verdict } = assess({ ...deviceRules.rules, ...deviceRules, record, now })
  if (verdict === 'stale') return err({ reason: 'attestation_result_absent' })
  const about = { issuer: config.publicUrl, deviceId: record.deviceId, attestation, nonce, now }
  return ok(await signAttestationResult(describeResult({ ...about, ...deviceRules, verdict })))
}

function endsLater(validUntil: Date, now: Date): boolean {
  return Math.floor(validUntil.getTime() / 1000) > Math.floor(now.getTime() / 1000)
}
