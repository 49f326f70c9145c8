import { html } from 'hono/html'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { HttpContext } from '../../environment.ts'

/** What a page is made of: `html` escapes whatever is put into it. */
export type Content = ReturnType<typeof html>

/** Nothing is run in the pages, and nothing is loaded but the one stylesheet. Content Security Policy Level 3 */
const POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/**
 * Answers with a page of the reference. `root`: the way from it up to where the document is, so that a proxy may have
 * put the service below a path of its own.
 */
export function answerReference(
  c: HttpContext,
  page: {
    readonly title: string
    readonly root: string
    readonly body: Content
    readonly status?: ContentfulStatusCode
  },
): Response {
  const { title, root, body, status = 200 } = page
  c.header('content-security-policy', POLICY)
  c.header('referrer-policy', 'no-referrer')
  c.header('x-frame-options', 'DENY')
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Countersign</title>
<link rel="stylesheet" href="${root}openapi.css">
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><p><a href="${root}openapi">Interface of Countersign</a> ·
<a href="${root}openapi.json">as OpenAPI 3.1</a></p></header>
<main id="main">
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`
  // A page is text by now: nothing in it is waited for.
  if (document instanceof Promise) throw new TypeError('a part of the page is not there yet')
  return c.body(document.toString(), status, { 'content-type': 'text/html; charset=UTF-8' })
}
