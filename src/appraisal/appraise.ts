import type { AttestationClaims } from './claims.ts'
import type { EnclaveReference, ReferenceValues } from './reference-values.ts'
import { type EnclaveFacts, vectorOf } from './trust-mapping.ts'
import { type EarStatus, statusOf, type TrustVector } from './trust-vector.ts'

/**
 * An appraised attestation: claims held against reference values (EAR terms). It says what is; a
 * policy says what is enough.
 */
export type AttestationResult = {
  readonly status: EarStatus
  readonly vector: TrustVector
  readonly enclave: EnclaveFacts
  /** Hash of the reference values that were used. */
  readonly referenceValues: string
}

export function appraise(input: {
  readonly claims: AttestationClaims
  readonly referenceValues: ReferenceValues
  readonly now: Date
}): AttestationResult {
  const { claims, referenceValues, now } = input
  const enclave = appraiseEnclave(claims, referenceValues, now.getTime())
  const vector = vectorOf({ claims, enclave })
  return { status: statusOf(vector), vector, enclave, referenceValues: referenceValues.hash }
}

const NO_ENCLAVE: EnclaveFacts = {
  listed: undefined,
  name: undefined,
  svnCurrent: undefined,
  debuggable: undefined,
}

function appraiseEnclave(
  claims: AttestationClaims,
  referenceValues: ReferenceValues,
  now: number,
): EnclaveFacts {
  if (claims.vbsReportPresent === false) return NO_ENCLAVE
  const { enclaveAuthorId, enclaveFlags } = claims
  // Bits without a meaning today may be debug switches tomorrow, so only 0 is closed.
  const debuggable = enclaveFlags === undefined ? undefined : enclaveFlags !== 0
  if (enclaveAuthorId === undefined || referenceValues.enclavesByAuthor.size === 0) {
    return { ...NO_ENCLAVE, debuggable }
  }

  let listed: boolean | undefined = false
  let svnCurrent: boolean | undefined = false
  let name: string | undefined
  for (const reference of referenceValues.enclavesByAuthor.get(enclaveAuthorId) ?? []) {
    if (now < reference.validFrom || now >= reference.validUntil) continue
    const matches = matchesReference(claims, reference)
    if (matches === false) continue
    if (matches === undefined) {
      if (listed === false) listed = undefined
      continue
    }
    const current = reachesMinimum(claims, reference)
    if (listed !== true || (current === true && svnCurrent !== true)) name = reference.name
    listed = true
    svnCurrent = eitherHolds(svnCurrent, current)
  }
  return { listed, name, svnCurrent: listed === true ? svnCurrent : undefined, debuggable }
}

/**
 * The entry in force that names the enclave of these claims, and of several the one that asks for the
 * least: whose minimum it has to reach.
 */
export function findReference(input: {
  readonly claims: AttestationClaims
  readonly referenceValues: ReferenceValues
  readonly now: Date
}): EnclaveReference | undefined {
  const { claims, referenceValues, now } = input
  const at = now.getTime()
  return (referenceValues.enclavesByAuthor.get(claims.enclaveAuthorId ?? '') ?? [])
    .filter(({ validFrom, validUntil }) => at >= validFrom && at < validUntil)
    .filter((reference) => matchesReference(claims, reference) === true)
    .reduce<EnclaveReference | undefined>((least, one) => {
      return least === undefined || one.minimumSvn < least.minimumSvn ? one : least
    }, undefined)
}

/** Whether an entry names this enclave; `undefined` when the token lacks an id that it needs. */
function matchesReference(
  claims: AttestationClaims,
  reference: EnclaveReference,
): boolean | undefined {
  const { familyId, imageIds } = reference
  const { enclaveFamilyId, enclaveImageId } = claims
  let matches: boolean | undefined = true
  if (familyId !== undefined && familyId !== enclaveFamilyId) {
    if (enclaveFamilyId !== undefined) return false
    matches = undefined
  }
  if (imageIds !== undefined) {
    if (enclaveImageId === undefined) matches = undefined
    else if (!imageIds.has(enclaveImageId)) return false
  }
  return matches
}

function reachesMinimum(
  claims: AttestationClaims,
  reference: EnclaveReference,
): boolean | undefined {
  const enclave = atLeast(claims.enclaveSvn, reference.minimumSvn)
  const platform =
    reference.minimumPlatformSvn === 0
      ? true
      : atLeast(claims.enclavePlatformSvn, reference.minimumPlatformSvn)
  if (enclave === false || platform === false) return false
  return enclave === undefined || platform === undefined ? undefined : true
}

function atLeast(value: number | undefined, minimum: number): boolean | undefined {
  return value === undefined ? undefined : value >= minimum
}

/** Kleene's or. */
function eitherHolds(a: boolean | undefined, b: boolean | undefined): boolean | undefined {
  if (a === true || b === true) return true
  return a === undefined || b === undefined ? undefined : false
}
