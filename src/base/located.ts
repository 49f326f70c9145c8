import type { ToldPlace } from './place.ts'
import type { Failure, Result } from './result.ts'

/** The place of a failure alone, as answers and logs tell it; `undefined` if it says none. */
export function placeOf(failure: Failure): ToldPlace | undefined {
  const { member, event, offset, pcrs, bank, structure, field } = failure
  const path =
    field === undefined || field === structure ? structure : `${structure ?? ''}.${field}`
  const place = {
    ...(member !== undefined && { member }),
    ...(event !== undefined && { event }),
    ...(offset !== undefined && { offset }),
    ...(pcrs !== undefined && { pcrs }),
    ...(bank !== undefined && { bank }),
    ...(path !== undefined && { structure: path }),
  }
  return Object.keys(place).length === 0 ? undefined : place
}

/** A place as one line of text, for logs. */
export function describePlace(place: ToldPlace): string {
  const { member, event, offset, pcrs, bank, structure } = place
  const parts = [
    member,
    event === undefined ? undefined : `event ${event}`,
    bank,
    pcrs === undefined ? undefined : `PCR ${pcrs.join(' ')}`,
    structure,
    offset === undefined ? undefined : `offset ${offset}`,
  ]
  return parts.filter((part) => part !== undefined).join(', ')
}

/** The failure, about this member unless it names one already. */
export function aboutMember<F extends Failure>(failure: F, member: string, start = 0): F {
  if (failure.member !== undefined) return failure
  const { offset } = failure
  return { ...failure, member, ...(offset !== undefined && { offset: start + offset }) }
}

/**
 * The same result, whose failure is about this member unless it names one already. `start`: where the
 * structure that was read begins in the bytes of the member.
 */
export function inMember<T, F extends Failure>(
  member: string,
  result: Result<T, F>,
  start = 0,
): Result<T, F> {
  return result.ok ? result : { ok: false, failure: aboutMember(result.failure, member, start) }
}
