import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Explanation } from '../../base/explanation.ts'

/** A code of our own API: its status, its title as the cause, and what to change. */
export type ProblemAnswer = Explanation & { readonly status: ContentfulStatusCode }

/** The answer of one code. `cause` is the title of the problem document. */
export function problem(
  status: ContentfulStatusCode,
  cause: string,
  change: string,
): ProblemAnswer {
  return { status, cause, change }
}
