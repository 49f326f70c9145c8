/**
 * Whom an event is about, on the wire (RFC 9493; SSF 1.0 §3). Streams say in which form they want it; the
 * CAEP interoperability profile 1.0 §2.5 knows simple subjects alone.
 */
export type SimpleSubject =
  | { readonly format: 'email'; readonly email: string }
  | { readonly format: 'iss_sub'; readonly iss: string; readonly sub: string }
  | { readonly format: 'opaque'; readonly id: string }

export type Subject =
  | SimpleSubject
  | {
      readonly format: 'complex'
      readonly user?: SimpleSubject
      readonly device: SimpleSubject
    }

/**
 * - `device`: the device alone, as `iss_sub` of this service.
 * - `user`: the owner's address, with the device beside it inside the event; the device alone where the
 *   owner is no address, or there is none.
 * - `complex`: user and device in one subject (SSF §3.3).
 * - `okta`: the same, with the device as `opaque` and once more inside the event, as Okta asks for it.
 */
export const SUBJECT_FORMS = ['device', 'user', 'complex', 'okta'] as const

export type SubjectForm = (typeof SUBJECT_FORMS)[number]

/** The device of an event, as the record has it when the event is sent. */
export type SubjectDevice = {
  readonly deviceId: string
  /** Whatever administrators wrote; an address or not. */
  readonly owner: string | null
}

/** `subId` is the SET's `sub_id`; `inside` stands in the event as `subject`, where a form has one. */
export type EventSubject = {
  readonly subId: Subject
  readonly inside?: {
    readonly user?: SimpleSubject
    readonly device: SimpleSubject
  }
}

export function subjectOf(
  { deviceId, owner }: SubjectDevice,
  { form, issuer }: { readonly form: SubjectForm; readonly issuer: string },
): EventSubject {
  const device: SimpleSubject = { format: 'iss_sub', iss: issuer, sub: deviceId }
  const opaque: SimpleSubject = { format: 'opaque', id: deviceId }
  const user: SimpleSubject | undefined = isAddress(owner)
    ? { format: 'email', email: owner }
    : undefined
  switch (form) {
    case 'device':
      return { subId: device }
    case 'user':
      return user === undefined ? { subId: device } : { subId: user, inside: { user, device } }
    case 'complex':
      return { subId: { format: 'complex', ...(user && { user }), device } }
    case 'okta': {
      const both = { ...(user && { user }), device: opaque }
      return { subId: { format: 'complex', ...both }, inside: both }
    }
  }
}

/** One sign `@` between two parts without space: whether mail arrives there is not ours to know. */
const ADDRESS = /^[^\s@]{1,64}@[^\s@]{1,255}$/

function isAddress(owner: string | null): owner is string {
  return owner !== null && ADDRESS.test(owner)
}
