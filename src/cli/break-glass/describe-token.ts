import { ALL_DEVICES, type BreakGlassClaims } from '../../access/break-glass/claims.ts'
import { origin } from '../../base/fields.ts'
import { fields } from '../framework/fields.ts'
import { option } from '../framework/options.ts'
import { readJudgedText } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'

/** The text of a token from the command line, or from standard input by the name `-`. */
export const TOKEN = option('TOKEN', 'the token; - is standard input', (text) =>
  text === '-' ? readJudgedText(text) : text,
)

/** What a token is about, for whoever signs it or meets it. */
export function describeClaims({ jti, iss, aud, sub, reason, iat, exp }: BreakGlassClaims): string {
  return fields({
    opens: aud,
    for: sub === ALL_DEVICES ? 'EVERY DEVICE' : sub,
    because: reason,
    'made by': iss,
    from: new Date(iat * 1000).toISOString(),
    until: `${new Date(exp * 1000).toISOString()} (${exp - iat} s)`,
    id: jti,
  })
}

/** The public URL of a service, as its tokens name it. */
export const AUDIENCE = option(
  'URL',
  'the service that is opened (its PUBLIC_URL)',
  (text, label) => {
    // Told apart from one that is none first, which the rules of a setting take for granted.
    const url = URL.canParse(text) ? origin.safeParse(text).data : undefined
    if (url === undefined) throw new UsageError(`${label} must be the PUBLIC_URL of the service`)
    return url
  },
)
