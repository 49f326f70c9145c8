import { randomBytes } from 'node:crypto'
import { decodeJwt, generateKeyPair, SignJWT } from 'jose'
import { ISSUED_CLAIMS } from '../../../src/verifier/built-in-policy.ts'
import { handleAttestMessage, type VerifierKeys } from '../../../src/verifier/verifier.ts'
import { azureError } from './azure-errors.ts'
import type { PublishedKey } from './certificates.ts'
import type { Answer, Received } from './https-server.ts'

const CHALLENGE_LIFETIME_MS = 300_000
/** Of both public samples of TPM tokens. */
const TOKEN_LIFETIME_SECONDS = 345_600
const BACKDATED_SECONDS = 300

export type TpmProtocol = { readonly answer: (received: Received) => Promise<Answer> }

/**
 * Azure's TPM protocol. Evidence is verified by the project's own verifier, under other keys; the
 * token is Azure's: its header, times and bindings, and of all claims those that the policy issues.
 */
export async function createTpmProtocol(input: {
  readonly url: () => string
  readonly pkiKey: () => PublishedKey
  readonly policy: () => { readonly text: string | undefined; readonly hash: string }
  readonly clock: () => Date
}): Promise<TpmProtocol> {
  const { url, pkiKey, policy, clock } = input
  const { privateKey } = await generateKeyPair('RS256')
  const keys: VerifierKeys = {
    serviceContext: [randomBytes(32)],
    tokenSigning: { kid: 'inner', x5c: [], privateKey },
  }

  const reshape = (report: string): Promise<string> => {
    const verified = decodeJwt(report)
    const { text = '', hash } = policy()
    const issued = issuedBy(text)
    const claims = ISSUED_CLAIMS.filter((name) => issued.has(name) && verified[name] !== undefined)
    const { nonce, cnf } = verified
    const iat = Math.floor(clock().getTime() / 1000)
    const { kid, x5c, privateKey: key } = pkiKey()
    return new SignJWT({
      nbf: iat - BACKDATED_SECONDS,
      exp: iat + TOKEN_LIFETIME_SECONDS,
      iat,
      iss: url(),
      jti: randomBytes(20).toString('hex'),
      ver: '1.0',
      'x-ms-ver': '1.0',
      ...(nonce !== undefined && { rp_data: nonce, nonce }),
      cnf,
      'x-ms-policy-hash': hash,
      ...Object.fromEntries(claims.map((name) => [name, verified[name]])),
    })
      .setProtectedHeader({ typ: 'JWT', alg: 'RS256', x5c: [...x5c], kid })
      .sign(key)
  }

  return {
    async answer({ body, path }) {
      const answer = await handleAttestMessage({
        message: body,
        apiVersion: new URL(path, url()).searchParams.get('api-version') ?? undefined,
        keys,
        config: {
          issuer: url(),
          trust: { anchors: [], intermediates: [] },
          challengeLifetimeMs: CHALLENGE_LIFETIME_MS,
          tokenLifetimeMs: TOKEN_LIFETIME_SECONDS * 1000,
        },
        now: clock(),
        random: (length) => randomBytes(length),
      })
      if (!answer.ok) return azureError(400, 'InvalidParameter')
      const { kind, data } = answer.value
      if (kind === 'challenge') return { status: 200, body: { data } }
      if (!/=>\s*permit\(\)/.test(policy().text ?? '')) {
        return azureError(400, 'PolicyEvaluationError')
      }
      const inner = JSON.parse(Buffer.from(data, 'base64url').toString('utf8'))
      const payload = { report: await reshape(inner.payload.report) }
      const wrapped = Buffer.from(JSON.stringify({ payload })).toString('base64url')
      return { status: 200, body: { data: wrapped } }
    },
  }
}

/** The names that the issuance rules of a policy give to claims. */
function issuedBy(policy: string): ReadonlySet<string> {
  const rules = policy.slice(Math.max(0, policy.indexOf('issuancerules')))
  return new Set(
    [...rules.matchAll(/\bissue\(\s*type\s*=\s*"([^"]+)"/g)].map(([, name = '']) => name),
  )
}
