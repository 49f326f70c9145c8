import { html, raw } from 'hono/html'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { pickText, readLanguages } from '../../access/language.ts'
import { toBase64Url } from '../../base/encoding.ts'
import type { HttpContext } from '../environment.ts'
import { PAGE_TEXTS, type PageTexts } from './texts.ts'

/** What a page is made of: `html` escapes whatever is put into it. */
export type Content = ReturnType<typeof html>

export type Page = {
  readonly status?: ContentfulStatusCode
  /** The heading; the title of the page unless said otherwise. */
  readonly heading?: string
  readonly body: Content
  /** JavaScript of ours, run by its nonce; nothing of a request stands in it. */
  readonly script?: string
  /** Origins that the script may ask, beside ours. */
  readonly connect?: string
  /**
   * Whether a form of the page leads to an identity provider. Browsers hold `form-action` against every
   * redirect that comes after it too, and where that one sends people nobody here knows.
   */
  readonly leaves?: boolean
}

const NONCE_BYTES = 16

/** Dark on light or light on dark, each with a contrast above 7 to 1 (WCAG 2.2 §1.4.6). */
const STYLE = `
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --accent: #0b3d91; }
@media (prefers-color-scheme: dark) { :root { --ink: #f2f2f2; --paper: #161616; --accent: #a8c7ff; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif; }
main { max-width: 36rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.125rem; margin-bottom: 0; }
a { color: var(--accent); }
a.button, button { display: inline-block; margin: 0.5rem 0.5rem 0.5rem 0; padding: 0.75rem 1.25rem; min-height: 1.5rem;
  border: 2px solid var(--accent); border-radius: 0.375rem; background: transparent; color: var(--accent);
  font: inherit; text-decoration: none; cursor: pointer; }
a.main, button.main { background: var(--accent); color: var(--paper); }
:focus-visible { outline: 3px solid var(--ink); outline-offset: 3px; }
[hidden] { display: none; }
small { display: block; margin-top: 2rem; overflow-wrap: anywhere; }
`

/** The texts of pages in the language of whoever asks. */
export function textsFor(c: HttpContext): PageTexts {
  return pickText(PAGE_TEXTS, readLanguages(c.req.header('accept-language')))
}

/**
 * Answers with a page for a person. Nothing of anybody else is loaded or run in it, it stands in no frame, and
 * no address of it goes to other sites.
 */
export function answerPage(c: HttpContext, page: Page): Response {
  const texts = textsFor(c)
  const nonce = toBase64Url(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)))
  const { status = 200, heading = texts.title, body, script, connect, leaves = false } = page
  c.header('content-security-policy', policyOf({ nonce, script, connect, leaves }))
  c.header('referrer-policy', leaves ? 'strict-origin' : 'no-referrer')
  c.header('x-frame-options', 'DENY')
  c.header('cross-origin-opener-policy', 'same-origin')
  c.header('permissions-policy', 'camera=(), microphone=(), geolocation=()')
  c.header('content-language', texts.language)
  c.header('vary', 'accept-language')
  const document = html`<!doctype html>
<html lang="${texts.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${heading}</title>
<style nonce="${nonce}">${raw(STYLE)}</style>
</head>
<body>
<main>
<h1>${heading}</h1>
${body}
<small>${texts.requestId} ${c.get('requestId')}</small>
</main>
${script === undefined ? '' : html`<script nonce="${nonce}">${raw(script)}</script>`}
</body>
</html>
`
  // A page is text by now: nothing in it is waited for.
  if (document instanceof Promise) throw new TypeError('a part of the page is not there yet')
  return c.body(document.toString(), status, { 'content-type': 'text/html; charset=UTF-8' })
}

/** Content Security Policy Level 3: what is not named here is not allowed. */
function policyOf(input: {
  readonly nonce: string
  readonly script: string | undefined
  readonly connect: string | undefined
  readonly leaves: boolean
}): string {
  const { nonce, script, connect, leaves } = input
  return [
    "default-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    `style-src 'nonce-${nonce}'`,
    ...(script === undefined ? [] : [`script-src 'nonce-${nonce}'`]),
    ...(connect === undefined ? [] : [`connect-src 'self' ${connect}`]),
    ...(leaves ? [] : ["form-action 'self'"]),
  ].join('; ')
}
