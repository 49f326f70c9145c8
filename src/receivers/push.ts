import { type Post, readRetryAfter } from '../base/post.ts'
import { type PushOutcome, readPushAnswer } from '../signals/push-answer.ts'

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
const USER_AGENT = 'countersign'

/** Pushes by whatever posts. */
export function createPush(post: Post): Push {
  return async (target, token) => {
    const answer = await post({ url: target.url, headers: headersOf(target) }, token)
    return answer.kind === 'later' ? answer : readAnswer(answer)
  }
}

function headersOf({ authorization }: PushTarget): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/secevent+jwt',
    accept: 'application/json',
    'user-agent': USER_AGENT,
    ...(authorization !== null && { authorization }),
  }
}

/** What a receiver says by an answer, of which `body` was read in whole. */
function readAnswer(answer: {
  readonly status: number
  readonly body: Uint8Array
  /** The header `Retry-After`, of which seconds alone are understood. */
  readonly retryAfter: string | undefined
}): PushOutcome {
  const { status, body, retryAfter } = answer
  return readPushAnswer({
    status,
    body: parse(Buffer.from(body).toString('utf8')),
    retryAfterSeconds: readRetryAfter(retryAfter),
  })
}

/** What a text says, as far as it is JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
