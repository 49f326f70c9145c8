import { CLAIMS, type ClaimName } from '../../appraisal/claims.ts'
import { toBase64 } from '../../base/encoding.ts'
import { plural } from '../../base/words.ts'
import { nameKey } from '../../evidence/x509/name.ts'
import { readFleet } from '../../store/devices/fleet-reads.ts'
import type { Store } from '../../store/store.ts'
import type { Root } from './read-roots.ts'

/** What the last attestations of the recorded devices say about the roots of their keys. */
export type FleetAnchors = {
  /** Devices that were looked at, and whether these are all that there are. */
  readonly devices: number
  readonly isWhole: boolean
  /** By fingerprint of the root that their key's certificate ended at. */
  readonly byAnchor: ReadonlyMap<string, number>
  /**
   * Devices of whose key no root is recorded: it had no certificate, or one under no root that was
   * trusted then. Certificates are not recorded, so nobody can tell what would vouch for them.
   */
  readonly unknown: number
}

/** Ids are hashes: the first devices of a larger fleet are a sample by chance. */
const MOST_DEVICES = 100_000

const NEEDED: readonly ClaimName[] = ['aikTrustAnchor']
const LEFT_OUT = (Object.keys(CLAIMS) as ClaimName[]).filter((name) => !NEEDED.includes(name))

export async function countAnchors(
  store: Store,
  signal: AbortSignal,
  mostDevices = MOST_DEVICES,
): Promise<FleetAnchors> {
  const byAnchor = new Map<string, number>()
  let devices = 0
  let unknown = 0
  for await (const batch of readFleet(store, { leaveOut: LEFT_OUT, signal })) {
    for (const { attestation } of batch) {
      if (devices === mostDevices) return { devices, isWhole: false, byAnchor, unknown }
      devices += 1
      const anchor = attestation?.claims.aikTrustAnchor
      if (anchor === undefined) unknown += 1
      else byAnchor.set(anchor, (byAnchor.get(anchor) ?? 0) + 1)
    }
  }
  return { devices, isWhole: true, byAnchor, unknown }
}

/**
 * Devices whose keys a root vouches for: those whose chains ended at it, or at another certificate
 * of the same name and key, which is the same authority before or after a renewal.
 */
export function admittedBy(
  root: Root,
  { byAnchor }: FleetAnchors,
  others: readonly Root[],
): number {
  const authority = authorityOf(root)
  const same = others.filter((one) => authority !== undefined && authorityOf(one) === authority)
  const fingerprints = new Set([root, ...same].map(({ fingerprint }) => fingerprint))
  return [...fingerprints].reduce((sum, one) => sum + (byAnchor.get(one) ?? 0), 0)
}

function authorityOf({ certificate }: Root): string | undefined {
  return certificate && `${nameKey(certificate.subject)} ${toBase64(certificate.spki)}`
}

/** What the numbers say, and what they cannot. */
export function describeFleet({ devices, isWhole, unknown }: FleetAnchors): string {
  const looked = isWhole
    ? `Of ${plural(devices, 'recorded device')}`
    : `Of the first ${plural(devices, 'device')} of a larger fleet, which are a sample by chance,`
  const counted = `${looked}: "admits" counts those whose last attestation ended at the root.\n`
  if (unknown === 0) return counted
  return `${counted}Of ${unknown} it cannot be told what would vouch for them: no root is recorded of them, and certificates
of keys are not kept. They show it when they attest again.\n`
}
