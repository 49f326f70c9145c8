import { html } from 'hono/html'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Scope } from '../../oauth/scopes.ts'
import type { HttpContext } from '../environment.ts'
import type { Content } from './parts.ts'
import { MARK_PATH, STYLE_PATH } from './style.ts'

/** Whom a page is for. */
export type Viewer = {
  /** As the person is called; what the audit log names is the id of the caller. */
  readonly name: string
  readonly roles: readonly string[]
  readonly may: (scope: Scope) => boolean
}

/** One entry of the navigation, and all below its path. */
export type Section = {
  /** The last part of its path: `/console/` and then this; empty for the first page. */
  readonly name: string
  readonly title: string
}

export type Page = {
  readonly status?: ContentfulStatusCode
  readonly title: string
  /** Name of the section that the page belongs to; absent for one that belongs to none. */
  readonly section?: string
  /** Stands beside the heading. */
  readonly aside?: Content
  /** Said at the top, where something was done or refused. */
  readonly notice?: Notice
  readonly body: Content
}

export type Notice = { readonly kind: 'note' | 'alarm' | 'done'; readonly text: Content | string }

/** What every page stands in. */
export type Frame = {
  readonly viewer: Viewer
  readonly sections: readonly Section[]
  /** Our host, so that nobody takes one deployment for another. */
  readonly host: string
  readonly version: string
  /** The path that our URL has of its own; empty where it has none. */
  readonly prefix: string
}

const SIGN_OUT_PATH = '/console/sign-out'

/** Answers with a page of the console. */
export function answerPage(c: HttpContext, frame: Frame, page: Page): Response {
  const { secureHeadersNonce: nonce = '' } = c.var
  const document = renderPage(frame, page, { requestId: c.get('requestId'), nonce })
  c.header('cache-control', 'no-store')
  return c.body(document, page.status ?? 200, { 'content-type': 'text/html; charset=UTF-8' })
}

/**
 * The whole document. A page is text by now: nothing in it is waited for. Links of pages begin with `/console`, behind
 * the path that our URL has of its own: text of others never has a quote that is none of ours.
 */
export function renderPage(
  frame: Frame,
  page: Page,
  { requestId, nonce }: { readonly requestId: string; readonly nonce: string },
): string {
  const { title, notice, aside, body } = page
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} – Countersign</title>
<link rel="stylesheet" nonce="${nonce}" href="${STYLE_PATH}">
<link rel="icon" type="image/svg+xml" href="${MARK_PATH}">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${top(frame)}
${navigation(frame, page)}
<main id="main" tabindex="-1">
<header><h1>${title}</h1>${aside ?? ''}</header>
${notice === undefined ? '' : html`<div class="${notice.kind}" role="${notice.kind === 'alarm' ? 'alert' : 'status'}"><p>${notice.text}</p></div>`}
${body}
</main>
<footer class="foot"><span>Times are UTC</span><span>Request <code>${requestId}</code></span><span>Countersign ${frame.version}</span></footer>
</body>
</html>
`
  if (document instanceof Promise) throw new TypeError('a part of the page is not there yet')
  const text = document.toString()
  return frame.prefix === '' ? text : text.replaceAll('="/console', `="${frame.prefix}/console`)
}

function top({ viewer, host }: Frame): Content {
  return html`<header class="top">
<a class="brand" href="/console"><svg viewBox="0 0 20 20" aria-hidden="true"><path d="m3 11 3.500 3.500L13 7M9 14.500 17 6"/></svg>Countersign</a>
<span class="dim">${host}</span>
<form role="search" action="/console/devices" method="get"><label class="vh" for="find">Find a device</label>
<input id="find" name="search" type="search" placeholder="Device, owner, name, serial number" maxlength="200"><button type="submit">Find</button></form>
<div class="who"><span>${viewer.name} <small>${viewer.roles.join(', ')}</small></span><form method="post" action="${SIGN_OUT_PATH}"><button type="submit">Sign out</button></form></div>
</header>`
}

function navigation({ sections }: Frame, { section: here }: Page): Content {
  const entries = sections.map(({ name, title }) => {
    const current = name === here ? html` aria-current="page"` : ''
    return html`<li><a href="/console${name === '' ? '' : `/${name}`}"${current}>${title}</a></li>\n`
  })
  return html`<nav class="main" aria-label="Sections"><ul>
${entries}</ul></nav>`
}
