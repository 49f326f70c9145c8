import { z } from 'zod'

/** Who we are to Google, as a key file of its console has it. */
export type GoogleServiceAccount = {
  readonly email: string
  /** PKCS #8 in PEM: a secret. */
  readonly privateKey: string
  readonly keyId: string
}

const schema = z.object({
  type: z.literal('service_account'),
  client_email: z.string().min(1).max(320),
  private_key: z.string().includes('-----BEGIN PRIVATE KEY-----'),
  private_key_id: z.string().min(1).max(128),
})

/** Reads the JSON of a key file; `undefined` for what is none. Says nothing of what is in it. */
export function readServiceAccount(text: string): GoogleServiceAccount | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  const read = schema.safeParse(json)
  if (!read.success) return undefined
  const { client_email: email, private_key: privateKey, private_key_id: keyId } = read.data
  return { email, privateKey, keyId }
}

/** Where Google exchanges assertions for tokens: never what a key file says. */
export const GOOGLE_TOKEN_URL = 'https://oauth2.googleapis.com/token'

const ASSERTION_SECONDS = 300

/** What a token is asked for. */
export type GoogleActing = {
  /** In whose name; `undefined` for a service account that has a role of its own. */
  readonly administrator: string | undefined
  readonly scope: string
  readonly now: Date
}

/** The claims by which a service account gets a token (RFC 7523 §2.1). */
export function describeAssertion(
  { email }: Pick<GoogleServiceAccount, 'email'>,
  { administrator, scope, now }: GoogleActing,
) {
  const iat = Math.floor(now.getTime() / 1000)
  const times = { iat, exp: iat + ASSERTION_SECONDS }
  const acting = administrator === undefined ? {} : { sub: administrator }
  return { iss: email, ...acting, scope, aud: GOOGLE_TOKEN_URL, ...times }
}

const answer = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() })

/** A token and its life in seconds; `undefined` for another answer. */
export function readTokenAnswer(body: unknown) {
  const read = answer.safeParse(body)
  return read.success ? { token: read.data.access_token, seconds: read.data.expires_in } : undefined
}
