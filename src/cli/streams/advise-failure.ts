import { ADDRESS_NOT_PUBLIC } from '../../signals/push-answer.ts'
import { NO_GOOGLE_ACCOUNT, STATE } from '../../signals/state-target.ts'
import type { StoredStream } from '../../store/signals/streams.ts'

export const ENTRA_GUIDE = 'docs/guides/entra-device-filter.md'
export const GOOGLE_GUIDE = 'docs/guides/google-context-aware.md'

/** What becomes of it in any case: the last pause between two tries is `LAST_RETRY_MS`. */
const GOES_ON = 'It is tried again by itself, after five minutes at the latest.'

/** Says what to do where a stream fails: by the cause that was kept, of which most are codes of other programs. */
export function adviseFailure(
  { delivery }: Pick<StoredStream, 'delivery'>,
  failure: string,
): string {
  const advice =
    delivery.method === STATE ? adviseState(delivery.target.kind, failure) : advisePush(failure)
  return `${advice} ${GOES_ON}`
}

function adviseState(kind: 'entra' | 'google', failure: string): string {
  const guide = kind === 'entra' ? ENTRA_GUIDE : GOOGLE_GUIDE
  if (failure === NO_GOOGLE_ACCOUNT) {
    return `Set GOOGLE_SERVICE_ACCOUNT_FILE where the service runs, and start it again (${guide}).`
  }
  if (failure === 'provider_credential_refused' || /^40[13]\b/.test(failure)) {
    const settings = kind === 'entra' ? 'AZURE_CREDENTIAL and its like' : 'GOOGLE_SERVICE_ACCOUNT'
    return `Look at ${settings} where the service runs, and at what the credential may do (${guide}).`
  }
  return `Look whether the service reaches it (${guide}).`
}

/** Codes of OpenSSL, by the names that Node gives them (`tls`, *X509 certificate error codes*). */
const OWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

const UNREACHED: Readonly<Record<string, string>> = {
  [ADDRESS_NOT_PUBLIC]:
    'If the receiver may be on a private network, name its host in PUSH_PRIVATE_HOSTS of the service.',
  CERT_HAS_EXPIRED: 'The receiver needs another certificate.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'The receiver needs a certificate for the name in its URL.',
  ENOTFOUND: 'Its name is not known where the service runs: look at the URL, and at the DNS there.',
  ECONNREFUSED: 'Nothing listens there: look at the receiver, and at the port in its URL.',
}

/** What a receiver says by RFC 8935 §2.4, or by the status alone. */
function advisePush(failure: string): string {
  if (OWN_AUTHORITY.has(failure)) {
    return 'Where the receiver has a certificate of your own authority, start the service with NODE_EXTRA_CA_CERTS.'
  }
  if (/^40[13]\b|^400 (?:authentication_failed|access_denied)$/.test(failure)) {
    return 'The receiver does not let us in: its client gives the stream another authorization_header.'
  }
  if (failure === '400 invalid_audience') return 'The receiver has to expect the audience above.'
  if (/^400 invalid_(?:key|issuer)$/.test(failure)) {
    return 'The receiver has to take issuer and keys from /.well-known/ssf-configuration of PUBLIC_URL.'
  }
  return UNREACHED[failure] ?? 'Look at the receiver.'
}
