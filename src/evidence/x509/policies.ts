import { DER, DerFields, decodeDer, MalformedDer, readList, readOid, readSmall } from './der.ts'

/** RFC 5280 §4.2.1.4 */
export const ANY_POLICY = '2.5.29.32.0'

/** What a certificate says about policies; a member is absent where the extension is. */
export type PolicyExtensions = {
  /** Object identifiers, each once, `ANY_POLICY` among them where it is listed. */
  readonly policies: ReadonlySet<string> | undefined
  /** Subject domain policies by the issuer domain policy that they count as. */
  readonly mappings: ReadonlyMap<string, ReadonlySet<string>> | undefined
  /** After how many further certificates a member begins to hold. */
  readonly constraints:
    | { readonly explicitPolicy: number | undefined; readonly policyMapping: number | undefined }
    | undefined
  readonly inhibitAnyPolicy: number | undefined
}

/** Reads the four extensions by their identifier. Throws `MalformedDer`. */
export function readPolicyExtensions(
  value: (oid: string) => Uint8Array | undefined,
): PolicyExtensions {
  return {
    policies: readPolicies(value('2.5.29.32')),
    mappings: readMappings(value('2.5.29.33')),
    constraints: readConstraints(value('2.5.29.36')),
    inhibitAnyPolicy: readInhibitAnyPolicy(value('2.5.29.54')),
  }
}

/** RFC 5280 §4.2.1.4: one policy must not stand twice. Qualifiers are for people to read. */
function readPolicies(value: Uint8Array | undefined): ReadonlySet<string> | undefined {
  if (value === undefined) return undefined
  const policies = new Set<string>()
  for (const node of readList(value, 'certificatePolicies')) {
    const fields = new DerFields(node, 'PolicyInformation')
    const oid = readOid(fields.next(DER.objectIdentifier, 'policyIdentifier'), 'policyIdentifier')
    fields.optional(DER.sequence)
    fields.end('PolicyInformation')
    if (policies.has(oid)) throw new MalformedDer('certificatePolicies: repeated')
    policies.add(oid)
  }
  return policies
}

/** RFC 5280 §4.2.1.5, §6.1.4 (a): anyPolicy must not stand on either side. */
function readMappings(
  value: Uint8Array | undefined,
): ReadonlyMap<string, ReadonlySet<string>> | undefined {
  if (value === undefined) return undefined
  const mappings = new Map<string, Set<string>>()
  for (const node of readList(value, 'policyMappings')) {
    const fields = new DerFields(node, 'policyMapping')
    const issuer = readOid(fields.next(DER.objectIdentifier, 'policyMapping'), 'policyMapping')
    const subject = readOid(fields.next(DER.objectIdentifier, 'policyMapping'), 'policyMapping')
    fields.end('policyMapping')
    if (issuer === ANY_POLICY || subject === ANY_POLICY) {
      throw new MalformedDer('policyMappings: anyPolicy')
    }
    mappings.set(issuer, (mappings.get(issuer) ?? new Set()).add(subject))
  }
  return mappings
}

/** RFC 5280 §4.2.1.11: an empty sequence says nothing and must not be issued. */
function readConstraints(value: Uint8Array | undefined): PolicyExtensions['constraints'] {
  if (value === undefined) return undefined
  const fields = new DerFields(decodeDer(value, 'policyConstraints'), 'policyConstraints')
  const [explicitPolicy, policyMapping] = [fields.optional(0x80), fields.optional(0x81)].map(
    (node) => node && readSmall({ ...node, tag: DER.integer }, 'policyConstraints'),
  )
  fields.end('policyConstraints')
  if (explicitPolicy === undefined && policyMapping === undefined) {
    throw new MalformedDer('policyConstraints')
  }
  return { explicitPolicy, policyMapping }
}

/** RFC 5280 §4.2.1.14 */
function readInhibitAnyPolicy(value: Uint8Array | undefined): number | undefined {
  return value && readSmall(decodeDer(value, 'inhibitAnyPolicy'), 'inhibitAnyPolicy')
}
