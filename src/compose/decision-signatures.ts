import { signCompactJws } from '../access/compact-jws.ts'
import { EAR_TYPE, type EarClaims } from '../access/ear/ear.ts'
import {
  type AuthzenConfiguration,
  type SignedConfiguration,
  signConfiguration,
} from '../access/metadata.ts'
import { type DecisionFacts, type IssuedReceipt, issueReceipt } from '../access/receipt/receipt.ts'
import { toBase32 } from '../base/encoding.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { SigningKey } from '../keys/signing-keys.ts'
import { type Shared, signerOf } from './key-use.ts'

/** What a decision point says to relying parties. */
export type DecisionSignatures = {
  /** By the key that receipts are signed with, and of another type. */
  readonly signAttestationResult: (claims: EarClaims) => Promise<string>
  /** Signs what a decision came to, under a fresh id. */
  readonly issueReceipt: (facts: DecisionFacts) => Promise<IssuedReceipt>
  /** What a relying party reads of this decision point, with our signature over it. */
  readonly signMetadata: (configuration: AuthzenConfiguration) => Promise<SignedConfiguration>
}

/** Signs with the keys of receipts; what is signed is told apart by its `typ`. */
export function decisionSignatures(keyRing: KeyRing, input: Shared): DecisionSignatures {
  const { clock } = input
  return {
    issueReceipt: receiptIssuer(keyRing, input),
    async signAttestationResult(claims) {
      const key = (await keyRing.current()).signingKey('receipt', clock())
      return signCompactJws(claims, { typ: EAR_TYPE, signer: signerOf(key) })
    },
    signMetadata: metadataSigner(keyRing, input),
  }
}

/** Its own key, so that nothing that is signed here can be taken for a device token. */
function receiptIssuer(
  keyRing: KeyRing,
  { issuer, clock, random }: Shared,
): DecisionSignatures['issueReceipt'] {
  return async (facts) => {
    const key = (await keyRing.current()).signingKey('receipt', clock())
    const jti = `rcp_${toBase32(random(16))}`
    const receipt = await issueReceipt(facts, { issuer, signer: signerOf(key), jti })
    return { receipt, receiptId: jti }
  }
}

/**
 * With the keys of receipts: both are what a decision point says to relying parties, verified with the
 * set that these have anyway, and told apart by their `typ`. A use of keys of its own would be one that
 * processes of the version before cannot open.
 */
function metadataSigner(
  keyRing: KeyRing,
  { issuer, clock }: Shared,
): DecisionSignatures['signMetadata'] {
  const signed = new WeakMap<SigningKey, SignedConfiguration>()
  return async (configuration) => {
    const key = (await keyRing.current()).signingKey('receipt', clock())
    // Anybody may ask for it, and it says the same until the key changes.
    const known = signed.get(key)
    if (known !== undefined) return known
    const made = await signConfiguration(configuration, { issuer, signer: signerOf(key) })
    signed.set(key, made)
    return made
  }
}
