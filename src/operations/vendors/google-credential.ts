import { importPKCS8, SignJWT } from 'jose'
import { CredentialError } from '../../azure/credential-error.ts'
import { createTokenCache, type ForgettingCredential } from '../../azure/token-cache.ts'
import {
  describeAssertion,
  GOOGLE_TOKEN_URL,
  type GoogleActing,
  type GoogleServiceAccount,
  readTokenAnswer,
} from '../../vendors/google/service-account.ts'
import { type AskJsonDependencies, askJson } from './ask-json.ts'

/**
 * A credential of a service account, which may act for an administrator (domain-wide delegation), by an assertion that
 * its key signs (RFC 7523 §2.1). Tokens are kept; its only error is `CredentialError`.
 */
export function createGoogleCredential(
  dependencies: AskJsonDependencies,
  account: GoogleServiceAccount & Pick<GoogleActing, 'administrator'>,
): ForgettingCredential {
  const { clock } = dependencies
  return createTokenCache({
    clock,
    async request([scope = '']) {
      const { administrator, privateKey, keyId } = account
      const now = clock()
      const assertion = await sign(describeAssertion(account, { administrator, scope, now }), {
        ...{ privateKey, keyId },
      })
      const form = {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion,
      }
      const answer = await askJson(dependencies, GOOGLE_TOKEN_URL, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(form).toString(),
      })
      if (answer === undefined) throw new CredentialError({ reason: 'provider_unreachable' })
      const read = answer.status === 200 ? readTokenAnswer(answer.body) : undefined
      if (read === undefined) throw refusalOf(answer.status, answer.retryAfterSeconds)
      const expiresOnTimestamp = now.getTime() + read.seconds * 1000
      return { token: read.token, expiresOnTimestamp }
    },
  })
}

/** A key that is none is a matter of configuration, and its text is not for the log. */
async function sign(
  claims: ReturnType<typeof describeAssertion>,
  { privateKey, keyId }: Pick<GoogleServiceAccount, 'privateKey' | 'keyId'>,
): Promise<string> {
  try {
    const key = await importPKCS8(privateKey, 'RS256')
    const header = { alg: 'RS256', typ: 'JWT', kid: keyId }
    return await new SignJWT(claims).setProtectedHeader(header).sign(key)
  } catch {
    throw new CredentialError({ reason: 'provider_credential_refused' })
  }
}

function refusalOf(status: number, retryAfterSeconds: number | undefined): CredentialError {
  const wait = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  if (status === 429) return new CredentialError({ reason: 'provider_throttled', ...wait })
  if (status >= 500) return new CredentialError({ reason: 'provider_unreachable', ...wait })
  return new CredentialError({ reason: 'provider_credential_refused' })
}
