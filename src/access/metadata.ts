import { type JwsSigner, signCompactJws } from './compact-jws.ts'
import type { EntityKind } from './directory.ts'

/** AuthZEN §9: where the endpoints of this decision point are. */
export type AuthzenConfiguration = {
  readonly policy_decision_point: string
  readonly access_evaluation_endpoint: string
  readonly access_evaluations_endpoint: string
  readonly search_subject_endpoint: string
  readonly search_resource_endpoint: string
  readonly search_action_endpoint: string
}

/** The same with a JWS over it (§9.1), whose members go before those beside it. */
export type SignedConfiguration = AuthzenConfiguration & { readonly signed_metadata: string }

export const EVALUATION_PATH = '/access/v1/evaluation'
export const EVALUATIONS_PATH = '/access/v1/evaluations'

export function searchPath(kind: EntityKind): string {
  return `/access/v1/search/${kind}`
}

const WELL_KNOWN = '/.well-known/authzen-configuration'

/** Where the metadata of an identifier is: the well-known string is inserted before its path (§9.2). */
export function metadataPath(identifier: string): string {
  return WELL_KNOWN + new URL(identifier).pathname.replace(/\/+$/, '')
}

/** For the identifier that the well-known URL was built from, which the answer must repeat. */
export function describeDecisionPoint(identifier: string): AuthzenConfiguration {
  const { search, hash } = new URL(identifier)
  if (search !== '' || hash !== '') throw new TypeError('an identifier has no query or fragment')
  const base = identifier.replace(/\/+$/, '')
  return {
    policy_decision_point: identifier,
    access_evaluation_endpoint: base + EVALUATION_PATH,
    access_evaluations_endpoint: base + EVALUATIONS_PATH,
    search_subject_endpoint: base + searchPath('subject'),
    search_resource_endpoint: base + searchPath('resource'),
    search_action_endpoint: base + searchPath('action'),
  }
}

/** Tells what we say of ourselves from all else that is signed with the same key. */
export const METADATA_TYPE = 'countersign-authzen-configuration+jwt'

/** `iss` is who attests to it (§9.1): ourselves. There is no `signed_metadata` in what is signed. */
export async function signConfiguration(
  configuration: AuthzenConfiguration,
  { issuer, signer }: { readonly issuer: string; readonly signer: JwsSigner },
): Promise<SignedConfiguration> {
  const payload = { iss: issuer, ...configuration }
  const signed_metadata = await signCompactJws(payload, { typ: METADATA_TYPE, signer })
  return { ...configuration, signed_metadata }
}
