import { type IssuerKey, importKeySet } from '../evidence/jws/key-set.ts'
import type { TokenIssuer } from '../evidence/token/attestation-token.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { SigningKey, SigningKeys } from '../keys/signing-keys.ts'
import { BUILT_IN_POLICY_HASH } from '../verifier/built-in-policy.ts'
import type { PublishedCertificate } from '../verifier/protocol/metadata.ts'
import type { TokenSigningKey } from '../verifier/steps/issue-token.ts'
import { onceEach, type Shared } from './key-use.ts'

export type AttestationTokenServices = {
  /** What others verify the built-in verifier's tokens with: `/certs`. */
  readonly publishedCertificates: () => Promise<readonly PublishedCertificate[]>
  /** The key that the built-in verifier signs a token with now. */
  readonly tokenSigningKey: () => Promise<TokenSigningKey>
  /** Our own verifier as an issuer of tokens, with the key that a token names if it is one of ours. */
  readonly builtInIssuer: (kid: string | undefined) => Promise<TokenIssuer>
}

/** The keys of the attestation tokens that the built-in verifier issues. */
export function attestationTokens(
  keyRing: KeyRing,
  { issuer, clock }: Shared,
): AttestationTokenServices {
  const issuerKeyOf = onceEach(importIssuerKey)
  const accepted = (keys: SigningKeys) => keys.acceptedKeys('attestation', clock())
  return {
    async publishedCertificates() {
      return accepted(await keyRing.current()).map(publishCertificate)
    },
    async tokenSigningKey() {
      const key = (await keyRing.current()).signingKey('attestation', clock())
      return { ...publishCertificate(key), privateKey: key.privateKey.cryptoKey }
    },
    async builtInIssuer(kid: string | undefined): Promise<TokenIssuer> {
      if (kid !== undefined) await keyRing.keyOf('attestation', kid)
      const keys = new Map<string, IssuerKey>()
      for (const key of accepted(await keyRing.current())) keys.set(key.kid, await issuerKeyOf(key))
      return {
        issuer,
        keys: { keys, ignored: [] },
        attestationPolicyHashes: [BUILT_IN_POLICY_HASH],
      }
    },
  }
}

function publishCertificate({ kid, certificate }: SigningKey): PublishedCertificate {
  if (certificate === null) throw new TypeError('an attestation key has a certificate')
  return { kid, x5c: [certificate] }
}

/** By the way that others go who read our key set. */
async function importIssuerKey(key: SigningKey): Promise<IssuerKey> {
  const set = await importKeySet({ keys: [{ ...publishCertificate(key), kty: 'RSA' }] })
  const imported = set.ok ? set.value.keys.get(key.kid) : undefined
  if (imported === undefined) throw new Error('our own attestation key cannot be used')
  return imported
}
