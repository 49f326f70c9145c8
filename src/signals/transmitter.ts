import { POLL, PUSH } from './stream.ts'

/** Paths of the transmitter, below our URL. */
export const STREAM_PATH = '/ssf/stream'
export const STATUS_PATH = '/ssf/status'
export const VERIFY_PATH = '/ssf/verify'
export const ADD_SUBJECT_PATH = '/ssf/subjects/add'
export const REMOVE_SUBJECT_PATH = '/ssf/subjects/remove'
export const POLL_PATH = '/ssf/poll'

/** What a receiver finds out about us first (SSF 1.0 §7.1, CAEP interoperability profile 1.0 §2.3). */
export function describeTransmitter(issuer: string) {
  return {
    spec_version: '1_0',
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    delivery_methods_supported: [PUSH, POLL],
    configuration_endpoint: `${issuer}${STREAM_PATH}`,
    status_endpoint: `${issuer}${STATUS_PATH}`,
    add_subject_endpoint: `${issuer}${ADD_SUBJECT_PATH}`,
    remove_subject_endpoint: `${issuer}${REMOVE_SUBJECT_PATH}`,
    verification_endpoint: `${issuer}${VERIFY_PATH}`,
    // OAuth, which the interoperability profile asks for, and HTTP Basic.
    authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:6749' }, { spec_urn: 'urn:ietf:rfc:7617' }],
    default_subjects: 'ALL',
  }
}

export function pollUrlOf(issuer: string, streamId: string): string {
  return `${issuer}${POLL_PATH}/${streamId}`
}
