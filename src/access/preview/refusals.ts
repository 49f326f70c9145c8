import { appraiseOrigin, type Origin } from '../../appraisal/origin.ts'
import type { ReferenceValues } from '../../appraisal/reference-values.ts'
import type { Rules } from '../assess.ts'
import { keepExample, shareOf } from './clause-changes.ts'
import type { PreviewAttestation, PreviewRecord } from './compare.ts'
import type { PreviewSummary } from './summary.ts'
import { compareKeys } from './tally.ts'

/** Devices whose evidence is believed now, and would not be under the candidate. */
export function createRefusals(input: {
  readonly inForce: Rules
  readonly candidate: Rules
  readonly now: Date
}) {
  const { inForce, candidate, now } = input
  const before = inForce.referenceValues
  const after = candidate.referenceValues
  const policies = createGroups<{ readonly issuer: string; readonly policy_hash: string }>()
  const anchors = createGroups<{ readonly anchor: string | null; readonly name: string | null }>()

  const newOrigin = (attestation: PreviewAttestation): Origin => {
    const { issuer, policyHash, claims } = attestation
    const origin = { issuer, policyHash, claims, now }
    const isBelieved = appraiseOrigin({ ...origin, referenceValues: before }) === 'accepted'
    return isBelieved ? appraiseOrigin({ ...origin, referenceValues: after }) : 'accepted'
  }

  return {
    add({ deviceId, attestation }: PreviewRecord): boolean {
      if (attestation === null || before.hash === after.hash) return false
      const origin = newOrigin(attestation)
      if (origin === 'accepted') return false
      if (origin === 'policy_not_pinned') {
        const { issuer, policyHash } = attestation
        policies.add(deviceId, `${issuer}\n${policyHash}`, () => {
          return { issuer, policy_hash: policyHash }
        })
      } else {
        const anchor = attestation.claims.aikTrustAnchor ?? null
        anchors.add(deviceId, anchor ?? '', () => {
          return { anchor, name: nameOf(anchor, [before, after]) }
        })
      }
      return true
    },
    summary(compared: number): PreviewSummary['newly_refused'] {
      const by_policy = policies.summary(compared)
      const by_anchor = anchors.summary(compared)
      const devices = [...by_policy, ...by_anchor].reduce((sum, one) => sum + one.devices, 0)
      return { devices, share: shareOf(devices, compared), by_policy, by_anchor }
    },
  }
}

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
