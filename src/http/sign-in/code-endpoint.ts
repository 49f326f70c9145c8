import { toBase64Url } from '../../base/encoding.ts'
import type { Form } from '../../oauth/token-form.ts'
import {
  type AuthenticationDependencies,
  authenticateClient,
} from '../../operations/oauth/authenticate-client.ts'
import { type RedeemCodeDependencies, redeemCode } from '../../operations/sign-in/redeem-code.ts'
import { ID_TOKEN_SECONDS } from '../../vendors/oidc/limits.ts'
import type { HttpContext } from '../environment.ts'
import { answerFormFailure, answerOAuthFailure } from '../errors/oauth-error.ts'
import { signInCodeErrorOf } from '../errors/sign-in-answers.ts'
import type { RefusalServices } from '../middleware/note-refusal.ts'
import { readFormBody } from '../oauth/read-form.ts'
import { readCredentials, refuseClient } from '../oauth/routes.ts'

/** What hands out ID tokens works with. */
export type CodeServices = AuthenticationDependencies &
  RedeemCodeDependencies &
  RefusalServices & {
    /** Fresh random bytes. */
    readonly random: (length: number) => Uint8Array
  }

const UNUSED_TOKEN_BYTES = 16

/**
 * The token endpoint of sign-ins (OpenID Connect Core 1.0 §3.1.3). The access token that an answer has to have
 * opens nothing here.
 */
export async function answerCode(c: HttpContext, services: CodeServices): Promise<Response> {
  const read = await readFormBody(c)
  if (!read.ok) {
    const { failure } = read
    return 'detail' in failure ? answerFormFailure(c, failure) : answerOAuthFailure(c, failure)
  }
  const { basic, form } = credentialsOf(c.req.header('authorization'), read.value)
  const client = await authenticateClient(services, { basic, form })
  if (!client.ok) return refuseClient(c, services, client.failure)
  const { clientId } = client.value
  const idToken = await redeemCode(services, { clientId, form })
  if (!idToken.ok) return c.json(signInCodeErrorOf(idToken.failure), 400)
  return c.json({
    access_token: toBase64Url(services.random(UNUSED_TOKEN_BYTES)),
    token_type: 'Bearer',
    expires_in: ID_TOKEN_SECONDS,
    id_token: idToken.value,
  })
}

/**
 * Okta does not say how it sends the secret of a client: it may stand in the body here (`client_secret_post`,
 * RFC 6749 §2.3.1), which no log of ours writes down.
 */
function credentialsOf(authorization: string | undefined, form: Form) {
  const basic = readCredentials(authorization)
  const [id, secret] = [form.get('client_id'), form.get('client_secret')]
  if (basic !== undefined || id === undefined || secret === undefined) return { basic, form }
  const rest = new Map([...form].filter(([name]) => name !== 'client_secret'))
  return { basic: { id, secret }, form: rest }
}
