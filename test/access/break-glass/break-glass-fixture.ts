import type { BreakGlassClaims } from '../../../src/access/break-glass/claims.ts'
import { importBreakGlassKeys, readBreakGlassKeys } from '../../../src/access/break-glass/keys.ts'
import {
  addSignature,
  type BreakGlassSigner,
  signBreakGlass,
} from '../../../src/access/break-glass/sign.ts'
import { decodeBreakGlass, signingInput } from '../../../src/access/break-glass/token.ts'
import { type BreakGlassRules, verifyBreakGlass } from '../../../src/access/break-glass/verify.ts'
import { toBase64Url, toUtf8 } from '../../../src/base/encoding.ts'
import type { Json } from '../../support/json.ts'
import { expectOk } from '../../support/refusal.ts'

/** Break-glass tokens and those who sign them, on every runtime. */
export const AUDIENCE = 'https://trust.example.com'
export const DEVICE = `dev_${'a'.repeat(52)}`
export const OTHER_DEVICE = `dev_${'b'.repeat(52)}`
export const NOW = new Date('2026-03-02T08:00:00Z')

export const CLAIMS: BreakGlassClaims = {
  jti: `bgl_${'a'.repeat(26)}`,
  iss: 'alice',
  aud: AUDIENCE,
  sub: DEVICE,
  reason: 'the verifier is down',
  iat: NOW.getTime() / 1000,
  exp: NOW.getTime() / 1000 + 1800,
}

export type Holder = BreakGlassSigner & { readonly jwk: Json & { readonly x: string } }

/** Somebody with a key, which has this name in the set. */
export async function createHolder(kid: string): Promise<Holder> {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TypeError('not a pair')
  const { x = '' } = await crypto.subtle.exportKey('jwk', pair.publicKey)
  const sign = async (message: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, new Uint8Array(message)))
  return { kid, sign, jwk: { kty: 'OKP', crv: 'Ed25519', x, kid } }
}

/** The same key under another name. */
export function renamed(holder: Holder, kid: string): Holder {
  return { ...holder, kid, jwk: { ...holder.jwk, kid } }
}

export function keySetOf(...holders: readonly Holder[]): string {
  return JSON.stringify({ keys: holders.map(({ jwk }) => jwk) })
}

export async function rulesOf(
  holders: readonly Holder[],
  more: Partial<BreakGlassRules> = {},
): Promise<BreakGlassRules> {
  const keys = await importBreakGlassKeys(expectOk(readBreakGlassKeys(keySetOf(...holders))))
  return { keys, threshold: 2, audience: AUDIENCE, maxSeconds: 3600, skewSeconds: 60, ...more }
}

export async function tokenOf(
  [first, ...others]: readonly BreakGlassSigner[],
  claims: Partial<BreakGlassClaims> = {},
): Promise<string> {
  if (first === undefined) throw new TypeError('somebody must sign')
  let token = await signBreakGlass({ ...CLAIMS, ...claims }, first)
  for (const other of others) {
    token = await addSignature(expectOk(decodeBreakGlass(token)).envelope, other)
  }
  return token
}

export const verify = (token: string, rules: BreakGlassRules | undefined, now: Date = NOW) =>
  verifyBreakGlass(token, { rules, now })

export const pack = (value: unknown) =>
  toBase64Url(toUtf8(typeof value === 'string' ? value : JSON.stringify(value)))

export const unpack = (text: string): Json => JSON.parse(Buffer.from(text, 'base64url').toString())

/** Signs whatever it is told to, under whatever header: what `signBreakGlass` would never make. */
export async function forge(
  holders: readonly BreakGlassSigner[],
  parts: { readonly header?: object; readonly payload?: unknown; readonly envelope?: object },
): Promise<string> {
  const payload = pack(parts.payload ?? CLAIMS)
  const signatures = await Promise.all(
    holders.map(async ({ kid, sign }) => {
      const header = { alg: 'EdDSA', kid, typ: 'countersign-break-glass+jwt', ...parts.header }
      const signed = pack(header)
      return {
        protected: signed,
        signature: toBase64Url(await sign(signingInput(signed, payload))),
      }
    }),
  )
  return pack({ payload, signatures, ...parts.envelope })
}
