import { digestText } from '../base/digest.ts'
import { toBase32, toBase64Url } from '../base/encoding.ts'
import type { Role } from '../oauth/roles.ts'

/** Who signed in. Its id is what the audit names, and what the rule of the second administrator compares. */
export type Person = {
  /** `person:ISSUER:SUBJECT`: a short hash of the issuer, and who it is there. */
  readonly personId: string
  /** What people call them, as the issuer says: any text, of bounded length. */
  readonly name: string
  readonly roles: readonly Role[]
}

/** Who came by a one-time link: whoever can run commands on the machine is one person. */
export const LOCAL_OWNER: Person = {
  personId: 'person:local:owner',
  name: 'owner of this machine',
  roles: ['owner'],
}

const ISSUER_CHARS = 10
const MAX_NAME_CHARS = 128
/** What goes into the audit and into keys of tables as it stands. OpenID Connect Core 1.0 §2: ASCII, 255 at most. */
const PLAIN_SUBJECT = /^[\x21-\x7e]{1,128}$/

/** The id of a person by the identifier of the issuer and the `sub` that it gave, both verified. */
export function personIdOf(issuer: string, subject: string): string {
  const place = toBase32(digestText('sha256', issuer)).slice(0, ISSUER_CHARS)
  // No plain subject begins so: what would not fit is named by its hash.
  const plain = PLAIN_SUBJECT.test(subject) && !subject.startsWith('sha256-')
  const who = plain ? subject : `sha256-${toBase64Url(digestText('sha256', subject))}`
  return `person:${place}:${who}`
}

/** The first of the claims of OpenID Connect Core 1.0 §5.1 that names somebody; else the subject. */
export function nameOf(claims: Readonly<Record<string, unknown>>): string {
  const named = ['name', 'preferred_username', 'email', 'sub'].map((claim) => claims[claim])
  const name = named.find((value): value is string => typeof value === 'string' && value !== '')
  return (name ?? 'somebody').replace(/\p{C}/gu, ' ').slice(0, MAX_NAME_CHARS)
}
