import { KNOWN_ANCHORS } from '../../appraisal/known-anchors.ts'
import { parseReferenceValues } from '../../appraisal/reference-values.ts'
import type { Config } from '../../config/config.ts'
import { readTrustAnchors } from '../../config/trust-anchors.ts'
import type { Store } from '../../store/store.ts'
import { readInForce } from '../policy/in-force.ts'
import { type Root, rootOfCertificate, rootOfEntry, rootOfKnown } from './read-roots.ts'

/**
 * The roots that vouch for attestation keys, themselves or by the endorsement key that one was enrolled
 * under, by where they stand; one may stand in several places. Settings are those that this command
 * was started with: what a running service was started with stands in no database.
 */
export async function readRootsInForce(store: Store, config: Config): Promise<readonly Root[]> {
  const { anchors, knownAnchors = new Set() } = readTrustAnchors(config.akTrustAnchors)
  const { hash, body } = await readInForce(store, 'reference-values')
  const values = parseReferenceValues(body)
  if (!values.ok) throw new Error(`the reference values in force cannot be used: ${hash}`)
  const endorsing = readTrustAnchors(config.ekTrustAnchors).anchors
  return [
    ...anchors.map((one) => rootOfCertificate(one, SETTING)),
    ...[...knownAnchors].map(ofFingerprint),
    ...endorsing.map((one) => rootOfCertificate(one, EK_SETTING)),
    ...[...values.value.anchors.values()].flat().map((one) => rootOfEntry(one, REFERENCE_VALUES)),
  ]
}

const SETTING = 'AK_TRUST_ANCHORS'
/** These vouch for endorsement keys, and so for the attestation keys that are enrolled under them. */
export const EK_SETTING = 'EK_TRUST_ANCHORS'
export const REFERENCE_VALUES = 'reference values'

/** A setting may name a root by a fingerprint of which nothing else is known here. */
function ofFingerprint(fingerprint: string): Root {
  const known = KNOWN_ANCHORS.find((one) => one.fingerprint === fingerprint)
  if (known !== undefined) return rootOfKnown(known, SETTING)
  return {
    source: SETTING,
    name: '(by its fingerprint)',
    fingerprint,
    certificate: undefined,
    known: undefined,
    notBefore: new Date(0),
    notAfter: new Date(8.64e15),
  }
}
