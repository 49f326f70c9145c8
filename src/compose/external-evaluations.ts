import type { JSONWebKeySet } from 'jose'
import { signCompactJws } from '../access/compact-jws.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { type FirstKeyMaking, keysWithFirst, type Shared, signerOf } from './key-use.ts'

export type EvaluationServices = {
  /** Signs an answer to Cloudflare Access; makes the first key for them, if there is none. */
  readonly signEvaluation: (claims: object) => Promise<string>
  /** What Cloudflare verifies those answers with: these keys and no others. */
  readonly evaluationKeys: () => Promise<JSONWebKeySet>
}

/**
 * Answers to external evaluations have keys of their own: Cloudflare's tokens have no type and no audience, so
 * nothing else that is signed here may pass for one.
 */
export function externalEvaluations(
  keyRing: KeyRing,
  input: Shared & FirstKeyMaking,
): EvaluationServices {
  const { clock } = input
  const use = 'external-evaluation'
  const keys = () => keysWithFirst(keyRing, input, use)
  return {
    async signEvaluation(claims) {
      const key = (await keys()).signingKey(use, clock())
      return signCompactJws(claims, { alg: 'RS256', typ: 'JWT', signer: signerOf(key) })
    },
    async evaluationKeys() {
      return (await keys()).publishedKeySet(use, clock())
    },
  }
}
