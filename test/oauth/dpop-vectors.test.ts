import { expect, test } from 'vitest'
import { hashOfToken, verifyDpop } from '../../src/oauth/dpop.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { describeVectors, vectorJson } from '../support/vectors.ts'

type Vectors = {
  readonly access_token: string
  readonly expected_ath: string
  readonly proofs: readonly {
    readonly jwt: string
    readonly jkt: string
    readonly payload: {
      readonly htm: string
      readonly htu: string
      readonly iat: number
      readonly jti: string
      readonly ath?: string
    }
  }[]
}

/** Witness: the three proofs and the token of RFC 9449. */
describeVectors('the proofs of RFC 9449', () => {
  test('are verified at their time, and at no other and for no other token or key', async () => {
    const vectors = vectorJson('dpop/rfc9449-dpop-vectors.json') as Vectors
    const { proofs, access_token: text, expected_ath } = vectors
    expect(hashOfToken(text)).toBe(expected_ath)
    expect(proofs).toHaveLength(3)
    for (const { jwt, jkt, payload } of proofs) {
      const { htm: method, htu: url, iat, jti, ath } = payload
      const request = { header: jwt, method, url }
      const at = { now: new Date(iat * 1000), clockSkewSeconds: 0 }
      const token = ath === undefined ? {} : { token: { text, boundTo: jkt } }
      const proof = expectOk(await verifyDpop(request, { ...at, ...token }))
      expect(proof).toMatchObject({ thumbprint: jkt, jti, nonce: undefined })
      const later = { now: new Date((iat + 301) * 1000), clockSkewSeconds: 0 }
      expectRefusal(await verifyDpop(request, { ...later, ...token }), 'proof_too_old')
      const other = { token: { text, boundTo: 'A'.repeat(43) } }
      expectRefusal(await verifyDpop(request, { ...at, ...other }), 'proof_key_mismatch')
      const changed = { token: { text: `${text}x`, boundTo: jkt } }
      expectRefusal(await verifyDpop(request, { ...at, ...changed }), 'dpop_token_mismatch')
    }
  })
})
