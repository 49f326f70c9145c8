import { type CompactJWSHeaderParameters, CompactSign } from 'jose'
import { toUtf8 } from '../../../src/base/encoding.ts'
import { importKeySet, type KeySet } from '../../../src/evidence/jws/key-set.ts'
import { asAttestationPolicyHash } from '../../../src/evidence/token/attestation-token.ts'
import { makeKeyPair } from '../../support/certificates.ts'
import { expectOk } from '../../support/refusal.ts'

export const ISSUER = 'https://contoso.eus.attest.azure.net'
export const KID = 'signing-key-1'
export const POLICY_HASH = asAttestationPolicyHash('GiGQCTOylCohHt4rd3pEppD9arh5mXC3ifF1m1hONh0')
export const ISSUED_AT = 1_735_689_600

export const signingKeys = await makeKeyPair({ kind: 'rsa' })
export const signingJwk = await crypto.subtle.exportKey('jwk', signingKeys.publicKey)
const confirmationKeys = await makeKeyPair({ kind: 'rsa' })
const { n, e } = await crypto.subtle.exportKey('jwk', confirmationKeys.publicKey)
export const confirmationJwk = { kty: 'RSA', n, e }

export type Claims = Record<string, unknown>

/** The claims of a TPM token, times and all. `undefined` takes a claim away. */
export function tpmClaims(change: Claims = {}): Claims {
  return {
    iss: ISSUER,
    iat: ISSUED_AT,
    nbf: ISSUED_AT - 300,
    exp: ISSUED_AT + 28_800,
    jti: '2b63663acbcafefa004d20969991c0b1f063c9be',
    ver: '1.0',
    'x-ms-ver': '1.0',
    rp_data: 'AQIDBA',
    nonce: 'AQIDBA',
    cnf: { jwk: confirmationJwk },
    'x-ms-policy-hash': POLICY_HASH,
    secureBootEnabled: true,
    ...change,
  }
}

/** Signs a payload, or a text that is to be the payload, as the issuer would. */
export function signToken(
  payload: Claims | string = tpmClaims(),
  header: Partial<CompactJWSHeaderParameters> = {},
  key: CryptoKey = signingKeys.privateKey,
): Promise<string> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  return new CompactSign(toUtf8(text))
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: KID, ...header })
    .sign(key)
}

/** Of keys as they are on the wire: an exported one may have members that are `undefined`. */
export async function keySetOf(...keys: unknown[]): Promise<KeySet> {
  return expectOk(await importKeySet(JSON.parse(JSON.stringify({ keys }))))
}

/** One part of a compact JWS from the text it stands for. */
export function part(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url')
}
