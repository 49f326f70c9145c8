import { KEY_SET_LIFETIME_SECONDS } from '../keys/key-times.ts'
import type { HttpContext } from './environment.ts'

/**
 * Answers with a document that says nothing about who asked: keys or metadata. Anybody may keep it
 * until the keys that it names or leads to may have changed.
 */
export function answerPublic(c: HttpContext, document: object): Response {
  c.header('cache-control', `public, max-age=${KEY_SET_LIFETIME_SECONDS}`)
  return c.json(document)
}
