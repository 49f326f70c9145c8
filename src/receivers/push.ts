import type { PushOutcome } from '../signals/push-answer.ts'

/** Sends one token to a receiver (RFC 8935 §2). Never throws: what went wrong is the cause of `later`. */
export type Push = (target: PushTarget, token: string) => Promise<PushOutcome>

export type PushTarget = {
  readonly url: string
  /** The header `Authorization`; null for none. */
  readonly authorization: string | null
}

/** For all of a push, from the name of the host to the end of the answer. */
export const PUSH_TIMEOUT_MS = 10_000
/** Of an answer nothing more is read: it ends the push. */
export const MAX_ANSWER_BYTES = 16_384

export function headersOf({ authorization }: PushTarget): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/secevent+jwt',
    accept: 'application/json',
    'user-agent': 'countersign',
    ...(authorization !== null && { authorization }),
  }
}

/** What a body says, as far as it is JSON. */
export function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
