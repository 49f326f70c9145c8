import type { PushOutcome } from '../signals/push-answer.ts'

/** A request to a directory, by its path below the directory's URL. */
export type StateRequest = {
  readonly method: 'GET' | 'PATCH'
  readonly path: string
  readonly body?: string
}

/** What it was answered with. */
export type StateAnswer = {
  readonly status: number
  /** As far as it was read, if it is JSON. */
  readonly body: unknown
  readonly retryAfterSeconds: number | undefined
}

/** Why nothing is to be written of a device. */
export type Unwritable = Extract<PushOutcome, { readonly kind: 'refused' }>

export function laterOf(cause: string, retryAfterSeconds: number | undefined): PushOutcome {
  const retryAfterMs = retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000
  return { kind: 'later', cause, retryAfterMs }
}
