import { z } from 'zod'
import { isDeviceId } from '../access/device-id.ts'
import { MAX_OWNER_CHARS } from '../access/limits.ts'
import { err, ok, type Result } from '../base/result.ts'
import { MAX_STREAM_TEXT_CHARS } from './limits.ts'

export const SUBJECT_REQUEST_REASONS = [
  'subject_malformed',
  /** It is in no form in which this service names devices or their owners. */
  'subject_unknown',
] as const

export type SubjectRequestFailure = {
  readonly reason: (typeof SUBJECT_REQUEST_REASONS)[number]
  /** The path of the member that is wrong; empty for the body as a whole. */
  readonly member: string
}

/** Whom a receiver speaks of: a device, an owner, or a device while it is that owner's. Null is any. */
export type NamedSubject = { readonly deviceId: string | null; readonly owner: string | null }

const text = z.string().min(1).max(MAX_STREAM_TEXT_CHARS)
/** No device has an owner of a longer name. */
const email = z.object({
  format: z.literal('email'),
  email: z.string().min(1).max(MAX_OWNER_CHARS),
})
const named = z.union([
  z.object({ format: z.literal('iss_sub'), iss: text, sub: text }),
  z.object({ format: z.literal('opaque'), id: text }),
])
/** Whom a complex subject names besides may be anybody: an event of ours names no session and no tenant. */
const complex = z.object({
  format: z.literal('complex'),
  user: email.optional(),
  device: named.optional(),
})
/** Of a format that we never write: told apart from what is no subject at all (RFC 9493 §3). */
const other = z.looseObject({ format: text })

/** What adds a subject to a stream, or removes it. */
export const subjectBody = z.object({
  stream_id: text,
  subject: other,
  verified: z.boolean().optional(),
})

/**
 * Reads a request that adds or removes a subject (SSF 1.0 §8.1.3.2, §8.1.3.3), in any form in which events name
 * one. `issuer` is our URL, under which devices have their names.
 */
export function readSubjectChange(
  body: unknown,
  issuer: string,
): Result<{ readonly streamId: string; readonly subject: NamedSubject }, SubjectRequestFailure> {
  const read = subjectBody.safeParse(body)
  if (!read.success) {
    return err({ reason: 'subject_malformed', member: read.error.issues[0]?.path.join('.') ?? '' })
  }
  const { stream_id: streamId, subject } = read.data
  const found = nameOf(subject, issuer)
  if (found === undefined) return err({ reason: 'subject_unknown', member: 'subject' })
  return ok({ streamId, subject: found })
}

function nameOf(subject: object, issuer: string): NamedSubject | undefined {
  const simple = z.union([email, named]).safeParse(subject)
  const read = simple.success
    ? { success: true as const, data: asComplex(simple.data) }
    : complex.safeParse(subject)
  if (!read.success) return undefined
  const { user, device } = read.data
  if (user === undefined && device === undefined) return undefined
  const deviceId = device === undefined ? null : deviceOf(device, issuer)
  return deviceId === undefined ? undefined : { deviceId, owner: user?.email ?? null }
}

function asComplex(
  subject: z.infer<typeof email> | z.infer<typeof named>,
): Omit<z.infer<typeof complex>, 'format'> {
  return subject.format === 'email' ? { user: subject } : { device: subject }
}

function deviceOf(subject: z.infer<typeof named>, issuer: string): string | undefined {
  if (subject.format === 'iss_sub' && subject.iss !== issuer) return undefined
  const id = subject.format === 'iss_sub' ? subject.sub : subject.id
  return isDeviceId(id) ? id : undefined
}
