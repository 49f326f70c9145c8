import { z } from 'zod'

/** When an entry of a document counts. */
export type Validity = {
  /** Milliseconds of the epoch, inclusive and exclusive; infinite where nothing is said. */
  readonly validFrom: number
  readonly validUntil: number
}

/** How an administrator writes it. */
export const validityMembers = {
  valid_from: z.iso.datetime().optional(),
  valid_until: z.iso.datetime().optional(),
}

type WrittenValidity = {
  readonly valid_from?: string | undefined
  readonly valid_until?: string | undefined
}

export function validityOf({ valid_from, valid_until }: WrittenValidity): Validity {
  return {
    validFrom: valid_from ? Date.parse(valid_from) : -Infinity,
    validUntil: valid_until ? Date.parse(valid_until) : Infinity,
  }
}

/** For `refine`: an entry that ends before it begins is a mistake. */
export function endsAfterBeginning(written: WrittenValidity): boolean {
  const { validFrom, validUntil } = validityOf(written)
  return validFrom < validUntil
}

export const ENDS_AFTER_BEGINNING = {
  message: 'valid_until must be after valid_from',
  path: ['valid_until'],
}

/** The moments at which any of the entries begins or ends to count, ascending, in milliseconds. */
export function datesOf(entries: Iterable<readonly Validity[]>): readonly number[] {
  const dates = [...entries].flat().flatMap(({ validFrom, validUntil }) => [validFrom, validUntil])
  return [...new Set(dates.filter(Number.isFinite))].sort((a, b) => a - b)
}

/** `now` in milliseconds of the epoch. */
export function countsAt({ validFrom, validUntil }: Validity, now: number): boolean {
  return now >= validFrom && now < validUntil
}
