import type { Certificate } from './certificate.ts'
import type { CertificateFailure } from './failure.ts'
import type { GeneralName } from './general-name.ts'
import { readName, readText, toComparable } from './name.ts'
import { findRefusedName, type NameConstraints } from './name-constraints.ts'
import { isSelfIssued } from './path-rules.ts'
import { ANY_POLICY } from './policies.ts'
import { PolicyGraph } from './policy-graph.ts'

/** The inputs of RFC 5280 §6.1.1 (c), (e) to (g) about policies; what is absent demands nothing. */
export type PolicySettings = {
  /** Acceptable policies; absent is any. */
  readonly initialPolicies?: ReadonlySet<string>
  readonly isExplicitPolicyRequired?: boolean
  readonly isPolicyMappingInhibited?: boolean
  readonly isAnyPolicyInhibited?: boolean
}

/**
 * What in a path depends on all the certificates above: names and policies. RFC 5280 §6.1.2 to
 * §6.1.5 without the checks of single certificates. `path` goes from the leaf to the certificate
 * that the anchor issued; `constraints` are the anchor's.
 */
export function processPath(
  path: readonly Certificate[],
  constraints: NameConstraints | undefined,
  settings: PolicySettings,
): CertificateFailure | undefined {
  const names = new NameState(constraints)
  const policies = new PolicyState(path.length, settings)
  for (const [depth, certificate] of [...path.entries()].reverse()) {
    const isFinal = depth === 0
    const failure = names.check(certificate, depth) ?? policies.check(certificate, depth)
    if (failure !== undefined) return failure
    if (isFinal) return policies.wrapUp(certificate)
    policies.prepareNext(certificate)
    names.prepareNext(certificate)
  }
  throw new TypeError('a path has a certificate')
}

/** permitted_subtrees and excluded_subtrees, as the constraints that they are made of. */
class NameState {
  readonly #constraints: NameConstraints[]

  constructor(initial: NameConstraints | undefined) {
    this.#constraints = initial === undefined ? [] : [initial]
  }

  /** §6.1.3 (b), (c): not for a self-issued certificate on the way. */
  check(certificate: Certificate, depth: number): CertificateFailure | undefined {
    if (this.#constraints.length === 0 || (depth > 0 && isSelfIssued(certificate))) return undefined
    const names = namesOf(certificate)
    for (const constraints of this.#constraints) {
      const refused = findRefusedName(names, constraints)
      if (refused !== undefined) {
        return { reason: 'certificate_name_constraints', detail: refused, depth }
      }
    }
    return undefined
  }

  /** §6.1.4 (g) */
  prepareNext({ nameConstraints }: Certificate): void {
    if (nameConstraints !== undefined) this.#constraints.push(nameConstraints)
  }
}

const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'

/**
 * Every name that constraints hold for: the subject, the alternative names, and mail addresses in
 * the subject (§4.2.1.10, here also beside alternative names).
 */
function namesOf(certificate: Certificate): readonly GeneralName[] {
  const subject = readName(certificate.subject)
  const mailboxes = subject
    .flat()
    .filter(({ type }) => type === EMAIL_ADDRESS)
    .map(({ value }) => ({ form: 'rfc822Name', text: readText(value) ?? '' }) as const)
  return [
    ...(subject.length === 0
      ? []
      : [{ form: 'directoryName', name: toComparable(subject) } as const]),
    ...mailboxes,
    ...certificate.alternativeNames,
  ]
}

/** The state variables about policies. RFC 5280 §6.1.2 (a), (d) to (f) */
class PolicyState {
  readonly #graph = new PolicyGraph()
  readonly #settings: PolicySettings
  #explicitPolicy: number
  #policyMapping: number
  #inhibitAnyPolicy: number

  constructor(length: number, settings: PolicySettings) {
    const initial = (isSet: boolean | undefined) => (isSet === true ? 0 : length + 1)
    this.#settings = settings
    this.#explicitPolicy = initial(settings.isExplicitPolicyRequired)
    this.#policyMapping = initial(settings.isPolicyMappingInhibited)
    this.#inhibitAnyPolicy = initial(settings.isAnyPolicyInhibited)
  }

  /** §6.1.3 (d) to (f) */
  check(certificate: Certificate, depth: number): CertificateFailure | undefined {
    const anyPolicyCounts = this.#inhibitAnyPolicy > 0 || (depth > 0 && isSelfIssued(certificate))
    this.#graph.extend(certificate.policyExtensions.policies, anyPolicyCounts)
    return this.#explicitPolicy > 0 || !this.#graph.isEmpty
      ? undefined
      : { reason: 'certificate_policies', detail: 'no valid policy', depth }
  }

  /** §6.1.4 (b), (h) to (j) */
  prepareNext(certificate: Certificate): void {
    const { mappings, constraints, inhibitAnyPolicy } = certificate.policyExtensions
    if (mappings !== undefined) this.#graph.map(mappings, this.#policyMapping === 0)
    const step = isSelfIssued(certificate) ? 0 : 1
    const next = (counter: number, limit: number | undefined) =>
      Math.min(Math.max(counter - step, 0), limit ?? Number.POSITIVE_INFINITY)
    this.#explicitPolicy = next(this.#explicitPolicy, constraints?.explicitPolicy)
    this.#policyMapping = next(this.#policyMapping, constraints?.policyMapping)
    this.#inhibitAnyPolicy = next(this.#inhibitAnyPolicy, inhibitAnyPolicy)
  }

  /** §6.1.5 (a), (b), (g) */
  wrapUp({ policyExtensions }: Certificate): CertificateFailure | undefined {
    const isExplicit =
      this.#explicitPolicy <= 1 || policyExtensions.constraints?.explicitPolicy === 0
    if (!isExplicit || this.#isAcceptable()) return undefined
    return { reason: 'certificate_policies', detail: 'no acceptable policy', depth: 0 }
  }

  /** Whether the user-constrained-policy-set has a member. */
  #isAcceptable(): boolean {
    const valid = this.#graph.authorityConstrained
    const { initialPolicies } = this.#settings
    if (initialPolicies === undefined || initialPolicies.has(ANY_POLICY)) return valid.size > 0
    return valid.has(ANY_POLICY) || [...valid].some((policy) => initialPolicies.has(policy))
  }
}
