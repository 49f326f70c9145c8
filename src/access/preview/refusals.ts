import { pinnedPolicies } from '../../appraisal/reference-values.ts'
import type { Rules } from '../assess.ts'
import { keepExample, shareOf } from './clause-changes.ts'
import type { PreviewRecord } from './compare.ts'
import type { PreviewSummary } from './summary.ts'

/** Devices whose token was issued under a policy that is pinned now and not by the candidate. */
export function createRefusals(input: {
  readonly inForce: Rules
  readonly candidate: Rules
  readonly now: Date
}) {
  const lost = new Map<string, { devices: number; issuer: string; hash: string; ids: string[] }>()
  for (const issuer of input.inForce.referenceValues.pinsByIssuer.keys()) {
    const kept = pinnedPolicies(input.candidate.referenceValues, issuer, input.now)
    for (const hash of pinnedPolicies(input.inForce.referenceValues, issuer, input.now)) {
      if (kept.includes(hash)) continue
      lost.set(`${issuer}\n${hash}`, { devices: 0, issuer, hash, ids: [] })
    }
  }
  return {
    add({ deviceId, attestation }: PreviewRecord): boolean {
      if (lost.size === 0 || attestation === null) return false
      const policy = lost.get(`${attestation.issuer}\n${attestation.policyHash}`)
      if (policy === undefined) return false
      policy.devices += 1
      keepExample(policy.ids, deviceId)
      return true
    },
    summary(compared: number): PreviewSummary['newly_refused'] {
      const found = [...lost.values()].filter(({ devices }) => devices > 0)
      const devices = found.reduce((sum, one) => sum + one.devices, 0)
      const by_policy = found.map((one) => ({
        issuer: one.issuer,
        policy_hash: one.hash,
        devices: one.devices,
        share: shareOf(one.devices, compared),
        examples: [...one.ids],
      }))
      by_policy.sort((a, b) => b.devices - a.devices || (a.policy_hash < b.policy_hash ? -1 : 1))
      return { devices, share: shareOf(devices, compared), by_policy }
    },
  }
}
