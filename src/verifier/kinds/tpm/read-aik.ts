import { MAX_CERTIFICATE_BYTES, MAX_CHAIN_CERTIFICATES } from '../../limits.ts'
import type { Accept, MessageReader } from '../../protocol/message-reader.ts'
import { type JwkFailure, readPublicJwk } from '../../protocol/public-jwk.ts'
import type { AikEvidence } from './tpm-evidence.ts'

/**
 * Both versions name the attestation key by certificate, by key, or by both. `aik_cert_chain` is our
 * own: Azure's protocol has room for one certificate, and ignores members that it does not know.
 */
export function readAik(reader: MessageReader, accept: Accept<JwkFailure>): AikEvidence {
  const publicKey = reader.optionalObject('aik_pub')
  return {
    member: reader.path,
    publicKey: publicKey && accept(readPublicJwk(publicKey)),
    certificate: reader.optionalBytes('aik_cert', MAX_CERTIFICATE_BYTES),
    chain: reader.optionalByteStrings(
      'aik_cert_chain',
      MAX_CHAIN_CERTIFICATES,
      MAX_CERTIFICATE_BYTES,
    ),
  }
}
