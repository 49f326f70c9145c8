import { html } from 'hono/html'
import type { HttpContext } from '../environment.ts'
import { CONSOLE_ANSWERS, type ConsoleCode } from '../errors/console-answers.ts'
import { statusOf } from '../errors/problem.ts'
import type { SharedCode } from '../errors/problem-code.ts'
import { MARK_PATH, STYLE_PATH } from './style.ts'

/** A page of a few words, for whoever is not signed in or asks for what there is not. */
export type Notice = {
  readonly code: ConsoleCode
  /** Where to go on, by its path. */
  readonly next?: { readonly href: string; readonly text: string }
}

/** Says why a page is not shown, and what to do. */
export function answerNotice(c: HttpContext, { code, next }: Notice): Response {
  const { status, cause, change } = CONSOLE_ANSWERS[code]
  return answerWords(c, { status, heading: cause, said: change, code, next })
}

const OTHERS: Partial<Readonly<Record<SharedCode, string>>> = {
  not_found: 'There is no such page.',
  method_not_allowed: 'This page can be asked for by other methods only.',
  forbidden: 'Your roles do not allow this.',
  unavailable: 'The service cannot answer at the moment.',
}

/** The same for what can be wrong anywhere. */
export function answerConsoleFault(c: HttpContext, code: SharedCode, said = ''): Response {
  const heading = OTHERS[code] ?? 'The service failed.'
  return answerWords(c, { status: statusOf(code), heading, said, code })
}

/** What a page says that has no other form yet. */
export function answerWords(
  c: HttpContext,
  {
    status,
    heading,
    said,
    code,
    next,
  }: {
    readonly status: ReturnType<typeof statusOf>
    readonly heading: string
    readonly said: string
    readonly code?: string
    readonly next?: Notice['next'] | undefined
  },
): Response {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${heading} – Countersign</title>
<link rel="stylesheet" nonce="${c.get('secureHeadersNonce')}" href="${STYLE_PATH}">
<link rel="icon" type="image/svg+xml" href="${MARK_PATH}">
</head>
<body class="words">
<main>
<h1>${heading}</h1>
<p>${said}</p>
${next === undefined ? '' : html`<p><a class="button" href="${next.href}">${next.text}</a></p>`}
${code === undefined ? '' : html`<p><small><code>${code}</code></small></p>`}
<p><small>${c.get('requestId')}</small></p>
</main>
</body>
</html>
`
  if (document instanceof Promise) throw new TypeError('a part of the page is not there yet')
  return c.body(document.toString(), status, { 'content-type': 'text/html; charset=UTF-8' })
}
