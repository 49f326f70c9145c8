import { html } from 'hono/html'
import { diffLines } from '../../../base/line-diff.ts'
import type { DocumentChange } from '../../../operations/release/document-changes.ts'
import type { InspectedVersion } from '../../../operations/release/inspect-documents.ts'
import { reasonField, selectField, textField } from '../fields.ts'
import type { Page, Viewer } from '../layout.ts'
import { type Content, codeTag, facts, link, panel, timeTag } from '../parts.ts'
import { findingsList } from './findings.ts'
import { acceptField } from './kind-page.ts'
import { DOCUMENT_TITLES, kindPath, shortHash, versionPath } from './paths.ts'
import { previewPanel } from './preview-panel.ts'
import { type Asked, RELEASE_WAYS, requestOf } from './release-form.ts'

/** One version: what it changes, what that would do to the fleet, and its way into force. */
export function versionPage(inspected: InspectedVersion, asked: Asked, viewer: Viewer): Page {
  const { document, active, linted, text, preview, now } = inspected
  const { kind, hash } = document
  const isActive = hash === active.hash
  const path = versionPath(kind, hash)
  const mayAuthor = viewer.may('admin.author')
  const lint = panel('problems', 'What lint says', findingsList(linted.findings, text))
  const steps = isActive
    ? ''
    : html`${diffPanel(inspected)}${previewPanel({ preview, action: `${path}/preview`, mayPreview: mayAuthor, now })}${releasePanel(inspected, asked, viewer)}`
  return {
    title: `${DOCUMENT_TITLES[kind]} ${shortHash(hash)}`,
    section: 'policies',
    aside: html`<p>${stateTag(inspected)} <a href="${kindPath(kind)}">Versions</a></p>`,
    body: html`<div class="cols">${aboutPanel(inspected, mayAuthor)}${lint}</div>${steps}${panel('text', 'The document', html`<details${isActive ? html` open` : ''}><summary>Its text</summary><pre>${text}</pre></details>`)}`,
  }
}

function stateTag({ document, active, open }: InspectedVersion): Content {
  if (document.hash === active.hash) return html`<span class="v trusted">in force</span>`
  return open?.to === document.hash
    ? html`<span class="v stale">on its way</span>`
    : html`<span class="v unknown">not in force</span>`
}

function aboutPanel({ document, halted }: InspectedVersion, mayAuthor: boolean): Content {
  const { kind, hash, author, reason, createdAt, parent } = document
  const what = facts({
    Version: codeTag(hash),
    'Written by': author,
    Reason: reason,
    Kept: timeTag(createdAt),
    'Came after':
      parent === null
        ? undefined
        : html`<a href="${versionPath(kind, parent)}"><code>${shortHash(parent)}</code></a>`,
  })
  const stopped =
    halted === undefined
      ? ''
      : html`<div class="alarm"><p><strong>Its last rollout halted.</strong> <code>${halted.rolloutId}</code> ${halted.note}</p></div>`
  const edit = mayAuthor
    ? html`<p><a class="button" href="${link(`${kindPath(kind)}/edit`, { from: hash })}">Edit from here</a></p>`
    : ''
  return panel('about', 'About it', html`${stopped}${what}${edit}`)
}

const MARKS: Readonly<Record<DocumentChange['change'], string>> = {
  added: 'added',
  removed: 'removed',
  changed: 'changed',
  moved: 'stands elsewhere',
}

const MOST_LINES = 600
const MOST_OPEN_LINES = 60

/** By what it differs from what is in force: clause by clause, and line by line. */
function diffPanel({ changes, activeText, text }: InspectedVersion): Content {
  if (changes.length === 0) {
    return panel('diff', 'Against what is in force', html`<p>It says the same.</p>`, true)
  }
  const entries = changes.map(
    ({ change, what, name, members }) =>
      html`<li>${what} <code>${name}</code> ${MARKS[change]}${members === undefined ? '' : html`: ${members.join(', ')}`}</li>`,
  )
  const lines = diffLines(activeText, text).slice(0, MOST_LINES)
  const shown = lines.map((line) => {
    if (line.startsWith('+')) return html`<ins>${line}</ins>\n`
    return line.startsWith('-') ? html`<del>${line}</del>\n` : html`${line}\n`
  })
  const body = html`<ul>${entries}</ul><details${lines.length <= MOST_OPEN_LINES ? html` open` : ''}><summary>Line by line</summary><pre class="diff">${shown}</pre></details>`
  return panel('diff', 'Against what is in force', body, true)
}

/** The way into force, for whoever wrote it and for the second administrator. */
function releasePanel(inspected: InspectedVersion, asked: Asked, viewer: Viewer): Content {
  const { document, linted, open, waiting } = inspected
  const { kind, hash } = document
  if (linted.checked === undefined) {
    return panel(
      'release',
      'Release',
      html`<p>It cannot come into force as it is: see what lint says.</p>`,
    )
  }
  if (open !== undefined) {
    return panel(
      'release',
      'Release',
      html`<p><code>${open.rolloutId}</code> is under way, and there is one rollout at a time. <a href="${kindPath(open.kind)}">Look at it</a></p>`,
    )
  }
  const path = versionPath(kind, hash)
  const release = viewer.may('admin.author')
    ? form({ inspected, asked, action: `${path}/release`, title: 'Release', isMain: true })
    : ''
  const isAsked = waiting.some(({ request }) => request === requestOf(kind, asked.way))
  const approve =
    isAsked && viewer.may('admin.approve')
      ? html`<h3>As the second administrator</h3><p>Somebody waits for a second administrator. It comes into force only if you send exactly what was asked for, whatever reason you give.</p>${form({ inspected, asked, action: `${path}/approve`, title: 'Approve', isMain: false })}`
      : ''
  const body = html`${release}${approve}`
  return release === '' && approve === ''
    ? html``
    : panel(
        'release',
        'Release',
        html`${body}<p class="dim">Gates decide whether it may: no error of lint, a preview against what is in force, and nobody denied but as many as you accept.</p>`,
      )
}

function form(input: {
  readonly inspected: InspectedVersion
  readonly asked: Asked
  readonly action: string
  readonly title: string
  readonly isMain: boolean
}): Content {
  const { inspected, asked, action, title, isMain } = input
  const id = title.toLowerCase()
  const choices = Object.entries(RELEASE_WAYS).map(([value, text]) => ({ value, title: text }))
  const way = selectField({ id: `${id}-way`, name: 'way', title: 'How', value: asked.way, choices })
  const despite =
    inspected.halted === undefined
      ? ''
      : html`<div>${textField({ id: `${id}-despite`, name: 'despite', title: 'In spite of the rollout that halted', value: asked.despite, placeholder: inspected.halted.rolloutId, most: 64 })}</div>`
  return html`<form class="fields" method="post" action="${action}" aria-label="${title}"><div class="auto">${way}</div>${acceptField(`${id}-accept`, asked.accept)}${despite}${reasonField(`${id}-reason`)}
<div><button class="${isMain ? 'main' : ''}" type="submit">${title}</button></div></form>`
}
