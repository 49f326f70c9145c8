import { z } from 'zod'
import { type DocumentHash, nameKeptDocument } from '../base/document-hash.ts'
import { fromBase64Url, toBase64Url } from '../base/encoding.ts'
import { describeIssue } from '../base/fields.ts'
import { err, ok, type Result } from '../base/result.ts'
import {
  type AttestationPolicyHash,
  asAttestationPolicyHash,
} from '../evidence/token/attestation-token.ts'
import {
  MAX_IMAGES_PER_ENCLAVE,
  MAX_REFERENCE_DOCUMENT_CHARS,
  MAX_REFERENCE_ENCLAVES,
  MAX_REFERENCE_NAME_CHARS,
  MAX_REPORTED_PROBLEMS,
  MAX_TRUST_ANCHORS,
} from './limits.ts'
import { groupByFingerprint, type TrustAnchor, trustAnchorSchema } from './trust-anchors.ts'
import {
  countsAt,
  datesOf,
  ENDS_AFTER_BEGINNING,
  endsAfterBeginning,
  type Validity,
  validityMembers,
  validityOf,
} from './validity.ts'

export type { TrustAnchor, Validity }

const securityVersion = z.int().min(0).max(0xffff_ffff)

/** Providers with their policies, of which two are in use while one follows the other. */
const MAX_AZURE_POLICIES = 256

const enclaveSchema = z
  .strictObject({
    name: z.string().min(1).max(MAX_REFERENCE_NAME_CHARS),
    author_id: idOf(32),
    family_id: idOf(16).optional(),
    image_ids: z.array(idOf(16)).min(1).max(MAX_IMAGES_PER_ENCLAVE).optional(),
    minimum_svn: securityVersion,
    minimum_platform_svn: securityVersion.optional(),
    ...validityMembers,
  })
  .refine(endsAfterBeginning, ENDS_AFTER_BEGINNING)

const azurePolicySchema = z
  .strictObject({
    issuer: z
      .string()
      .max(MAX_REFERENCE_NAME_CHARS * 2)
      .refine(isHttpsOrigin, 'must be the https URL of a provider, without a path')
      .meta({ pattern: '^https://[^/?#]+$' }),
    hash: idOf(32),
    name: z.string().min(1).max(MAX_REFERENCE_NAME_CHARS).optional(),
    ...validityMembers,
  })
  .refine(endsAfterBeginning, ENDS_AFTER_BEGINNING)

/**
 * The enclaves that an organisation trusts, as an administrator writes them, the policies of its
 * Azure Attestation providers under which tokens count (`x-ms-policy-hash`), and the root
 * certificates that vouch for attestation keys. Ids and hashes are base64url without padding, as in
 * tokens. Entries of one author, issuer or certificate may overlap in time: what any of them names
 * is listed, so that old → old and new → new has no gap.
 */
export const referenceValuesSchema = z.strictObject({
  name: z.string().min(1).max(MAX_REFERENCE_NAME_CHARS).optional(),
  enclaves: z.array(enclaveSchema).max(MAX_REFERENCE_ENCLAVES),
  azure_policies: z.array(azurePolicySchema).max(MAX_AZURE_POLICIES).optional(),
  trust_anchors: z.array(trustAnchorSchema).max(MAX_TRUST_ANCHORS).optional(),
})

export type ReferenceValuesDocument = z.infer<typeof referenceValuesSchema>

export type EnclaveReference = Validity & {
  readonly name: string
  readonly familyId: string | undefined
  readonly imageIds: ReadonlySet<string> | undefined
  readonly minimumSvn: number
  readonly minimumPlatformSvn: number
}

/** A policy of an Azure provider under which its tokens are believed. */
export type PolicyPin = Validity & { readonly hash: AttestationPolicyHash }

/** A checked document, ready for appraisal. */
export type ReferenceValues = {
  readonly hash: DocumentHash
  readonly document: ReferenceValuesDocument
  readonly enclavesByAuthor: ReadonlyMap<string, readonly EnclaveReference[]>
  readonly pinsByIssuer: ReadonlyMap<string, readonly PolicyPin[]>
  /** By fingerprint. Empty where none are listed: then the configuration alone decides. */
  readonly anchors: ReadonlyMap<string, readonly TrustAnchor[]>
  /**
   * Whether evidence counts only if its hardware is vouched for: where anchors are listed here, or the
   * configuration names some. Everything that asks whether hardware has to be proven asks this.
   */
  readonly requiresHardware: boolean
  /** When, by the clock alone, it may come to say something else: of enclaves, and of origins. */
  readonly dates: { readonly appraisal: readonly number[]; readonly origin: readonly number[] }
}

/** What the configuration adds to a document. */
export type ReferenceValuesOptions = {
  /** `requiresHardware` of the configuration: it names trust anchors. */
  readonly requiresHardware?: boolean | undefined
}

export const REFERENCE_VALUES_REASONS = [
  'reference_values_invalid',
  'reference_values_over_limit',
] as const

export type ReferenceValuesFailure =
  | {
      readonly reason: 'reference_values_invalid'
      readonly problems: readonly DocumentProblem[]
    }
  | { readonly reason: 'reference_values_over_limit'; readonly maxChars: number }

/** Where in a document something is wrong: `enclaves.0.author_id`. */
export type DocumentProblem = { readonly path: string; readonly message: string }

export function parseReferenceValues(
  json: unknown,
  options: ReferenceValuesOptions = {},
): Result<ReferenceValues, ReferenceValuesFailure> {
  const parsed = referenceValuesSchema.safeParse(json)
  if (!parsed.success) {
    return err({ reason: 'reference_values_invalid', problems: problemsOf(parsed.error) })
  }
  const named = nameKeptDocument(parsed.data)
  if (named === undefined) {
    const problems = [
      { path: '', message: 'has text that cannot be kept: U+0000 or half of a surrogate pair' },
    ]
    return err({ reason: 'reference_values_invalid', problems })
  }
  if (named.canonical.length > MAX_REFERENCE_DOCUMENT_CHARS) {
    return err({ reason: 'reference_values_over_limit', maxChars: MAX_REFERENCE_DOCUMENT_CHARS })
  }
  const enclavesByAuthor = groupByAuthor(parsed.data)
  const pinsByIssuer = groupByIssuer(parsed.data)
  const anchors = groupByFingerprint(parsed.data.trust_anchors ?? [])
  const requiresHardware = anchors.size > 0 || options.requiresHardware === true
  const dates = {
    appraisal: datesOf(enclavesByAuthor.values()),
    origin: datesOf([...pinsByIssuer.values(), ...anchors.values()]),
  }
  const grouped = { enclavesByAuthor, pinsByIssuer, anchors, requiresHardware, dates }
  return ok({ hash: named.hash, document: parsed.data, ...grouped })
}

/** The same document under a configuration that says whether hardware has to be proven. */
export function demandHardware(
  values: ReferenceValues,
  requiresHardware: boolean,
): ReferenceValues {
  return requiresHardware ? { ...values, requiresHardware } : values
}

/** The `policyHashes` of an issuer of tokens: an empty list, if nothing is pinned, accepts nothing. */
export function pinnedPolicies(
  referenceValues: ReferenceValues,
  issuer: string,
  now: Date,
): readonly AttestationPolicyHash[] {
  const pins = referenceValues.pinsByIssuer.get(issuer) ?? []
  return pins.filter((pin) => countsAt(pin, now.getTime())).map(({ hash }) => hash)
}

/** The findings of zod as paths and sentences, cut to a number that a person reads. */
export function problemsOf(error: z.ZodError): readonly DocumentProblem[] {
  return error.issues
    .slice(0, MAX_REPORTED_PROBLEMS)
    .map((issue) => ({ path: issue.path.map(String).join('.'), message: describeIssue(issue) }))
}

function groupByAuthor(
  document: ReferenceValuesDocument,
): ReadonlyMap<string, readonly EnclaveReference[]> {
  const byAuthor = new Map<string, EnclaveReference[]>()
  for (const enclave of document.enclaves) {
    const references = byAuthor.get(enclave.author_id) ?? []
    byAuthor.set(enclave.author_id, references)
    references.push({
      name: enclave.name,
      familyId: enclave.family_id,
      imageIds: enclave.image_ids && new Set(enclave.image_ids),
      minimumSvn: enclave.minimum_svn,
      minimumPlatformSvn: enclave.minimum_platform_svn ?? 0,
      ...validityOf(enclave),
    })
  }
  return byAuthor
}

function groupByIssuer(
  document: ReferenceValuesDocument,
): ReadonlyMap<string, readonly PolicyPin[]> {
  const byIssuer = new Map<string, PolicyPin[]>()
  for (const policy of document.azure_policies ?? []) {
    const pins = byIssuer.get(policy.issuer) ?? []
    byIssuer.set(policy.issuer, pins)
    pins.push({ hash: asAttestationPolicyHash(policy.hash), ...validityOf(policy) })
  }
  return byIssuer
}

/** Compared with `iss` as text, so that there is exactly one text per provider. */
/** An https URL without a path, and in the one form that is compared as text. */
export function isHttpsOrigin(text: string): boolean {
  return text.startsWith('https://') && URL.canParse(text) && new URL(text).origin === text
}

/** Exactly one text per id: ids are compared as text, so other forms of the same bytes are out. */
function idOf(bytes: number) {
  const isId = (text: string) => {
    const id = fromBase64Url(text)
    return id !== undefined && id.length === bytes && toBase64Url(id) === text
  }
  const chars = Math.ceil((bytes * 4) / 3)
  return z
    .string()
    .max(64)
    .refine(isId, `must be base64url of ${bytes} bytes without padding`)
    .meta({ pattern: `^[A-Za-z0-9_-]{${chars}}$` })
}
