import type { Documents } from '../../access/assess.ts'
import type { Origin } from '../../appraisal/origin.ts'
import type { ReferenceValues } from '../../appraisal/reference-values.ts'
import { keepExample, shareOf } from './clause-changes.ts'
import type { PreviewAttestation } from './compare.ts'
import type { PreviewSummary } from './summary.ts'
import { compareKeys } from './tally.ts'

/** Devices whose evidence is believed now, and would not be under the candidate. */
export function createRefusals(input: {
  readonly inForce: Documents
  readonly candidate: Documents
}) {
  const { inForce, candidate } = input
  const before = inForce.referenceValues
  const after = candidate.referenceValues
  const policies = createGroups<{ readonly issuer: string; readonly policy_hash: string }>()
  const anchors = createGroups<{ readonly anchor: string | null; readonly name: string | null }>()

  return {
    add(deviceId: string, attestation: PreviewAttestation, origin: Refused): void {
      if (origin === 'policy_not_pinned') {
        const { issuer, attestationPolicyHash } = attestation
        policies.add(deviceId, `${issuer}\n${attestationPolicyHash}`, () => {
          return { issuer, policy_hash: attestationPolicyHash }
        })
      } else {
        const isProven = origin === 'anchor_not_listed'
        const anchor = isProven ? (attestation.claims.aikTrustAnchor ?? null) : null
        anchors.add(deviceId, anchor ?? '', () => {
          return { anchor, name: nameOf(anchor, [before, after]) }
        })
      }
    },
    summary(compared: number): PreviewSummary['newly_refused'] {
      const by_policy = policies.summary(compared)
      const by_anchor = anchors.summary(compared)
      const devices = [...by_policy, ...by_anchor].reduce((sum, one) => sum + one.devices, 0)
      return { devices, share: shareOf(devices, compared), by_policy, by_anchor }
    },
  }
}

export type Refused = Exclude<Origin, 'accepted'>

/** Few keys: pins that are in force, and roots that are or were trusted. */
function createGroups<T>() {
  const groups = new Map<string, { readonly is: T; devices: number; readonly ids: string[] }>()
  return {
    add(deviceId: string, key: string, describe: () => T): void {
      let group = groups.get(key)
      if (group === undefined) {
        group = { is: describe(), devices: 0, ids: [] }
        groups.set(key, group)
      }
      group.devices += 1
      keepExample(group.ids, deviceId)
    },
    summary: (compared: number) =>
      [...groups]
        .sort(([a, one], [b, other]) => other.devices - one.devices || compareKeys(a, b))
        .map(([, { is, devices, ids }]) => {
          return { ...is, devices, share: shareOf(devices, compared), examples: [...ids] }
        }),
  }
}

function nameOf(anchor: string | null, values: readonly ReferenceValues[]): string | null {
  if (anchor === null) return null
  for (const { anchors } of values) {
    const entry = anchors.get(anchor)?.at(-1)
    if (entry !== undefined) return entry.name
  }
  return null
}
