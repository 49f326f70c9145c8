import type { HttpContext } from './environment.ts'

/** Keys and metadata change rarely and are the same for everyone: anybody may keep them so long. */
const MAX_AGE_SECONDS = 300

/** Answers with a document that says nothing about who asked. */
export function answerPublic(c: HttpContext, document: object): Response {
  c.header('cache-control', `public, max-age=${MAX_AGE_SECONDS}`)
  return c.json(document)
}
