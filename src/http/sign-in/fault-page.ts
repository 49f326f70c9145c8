import { html } from 'hono/html'
import type { HttpContext } from '../environment.ts'
import { statusOf } from '../errors/problem.ts'
import type { SharedCode } from '../errors/problem-code.ts'
import { answerPage, textsFor } from './page.ts'

/** What went wrong around a sign-in, on a page: that it says nothing about the device, and what to do. */
export function answerFaultPage(c: HttpContext, code: SharedCode): Response {
  const texts = textsFor(c)
  const status = statusOf(code)
  const heading = status === 503 ? texts.unavailable : status >= 500 ? texts.failed : texts.unknown
  return answerPage(c, { status, heading, body: html`<p>${texts.startOver}</p>` })
}
