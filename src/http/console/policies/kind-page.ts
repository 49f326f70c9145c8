import { html } from 'hono/html'
import type { DocumentsOfKind } from '../../../operations/release/inspect-documents.ts'
import type { DocumentKind } from '../../../rollout/in-force.ts'
import type { Rollout } from '../../../rollout/rollout.ts'
import { actForm, reasonField, textField } from '../fields.ts'
import type { Page, Viewer } from '../layout.ts'
import { rolloutsPanel } from '../overview/rollouts.ts'
import { agoTag, type Content, facts, panel, table, timeTag } from '../parts.ts'
import {
  DOCUMENT_KINDS,
  DOCUMENT_TITLES,
  kindPath,
  POLICIES_PATH,
  shortHash,
  versionPath,
} from './paths.ts'
import { referencePanel } from './reference-panel.ts'

/** What is in force of a kind, what is on its way, and every version that there was. */
export function kindPage(kind: DocumentKind, documents: DocumentsOfKind, viewer: Viewer): Page {
  const { now, open, active } = documents
  const rollouts = open === undefined ? [] : [open]
  const steered = open === undefined ? '' : steerPanel(open, viewer)
  const references = kind === 'reference-values' ? referencePanel(active.body, now) : ''
  return {
    title: DOCUMENT_TITLES[kind],
    section: 'policies',
    aside: tabs(kind),
    body: html`<div class="cols">${activePanel(kind, documents, viewer)}${rolloutsPanel({ rollouts, now })}${steered}${waitingPanel(documents)}</div>${references}${versionsPanel(kind, documents)}${pastPanel(documents)}`,
  }
}

function tabs(here: DocumentKind): Content {
  const links = DOCUMENT_KINDS.map((kind) =>
    kind === here
      ? html`<strong aria-current="true">${DOCUMENT_TITLES[kind]}</strong> `
      : html`<a href="${kindPath(kind)}">${DOCUMENT_TITLES[kind]}</a> `,
  )
  return html`<span>${links}</span>`
}

function activePanel(
  kind: DocumentKind,
  { active, now }: DocumentsOfKind,
  viewer: Viewer,
): Content {
  const { hash, author, reason, activatedAt, activatedBy, previous } = active
  const what = facts({
    Version: html`<a href="${versionPath(kind, hash)}"><code>${shortHash(hash)}</code></a>`,
    Written: html`by ${author}`,
    Reason: reason,
    'In force since': html`${timeTag(activatedAt)} (${agoTag(activatedAt, now)}), by ${activatedBy}`,
    'The version before':
      previous === null
        ? undefined
        : html`<a href="${versionPath(kind, previous)}"><code>${shortHash(previous)}</code></a>`,
  })
  const edit = viewer.may('admin.author')
    ? html`<p><a class="button" href="${kindPath(kind)}/edit">Edit</a></p>`
    : ''
  const back =
    previous !== null && viewer.may('admin.author')
      ? actForm({
          title: 'Go back to the version before',
          hint: 'For every device at once, or the end of a rollout that is under way. It is refused where devices would lose their access by it, unless you accept that.',
          action: `${kindPath(kind)}/rollback`,
          fields: html`<input type="hidden" name="expected" value="${hash}">${acceptField('back-accept', 0)}${reasonField('back-reason')}`,
          isDangerous: true,
        })
      : ''
  return panel('active', 'In force', html`${what}${edit}${back}`)
}

/** How many devices may lose their access by it. */
export function acceptField(id: string, value: number): Content {
  const title = 'Devices that may lose access'
  return html`<div>${textField({ id, name: 'accept_denials', title, type: 'number', most: 100_000_000, value: String(value) })}</div>`
}

function steerPanel(rollout: Rollout, viewer: Viewer): Content {
  const { rolloutId, state, revision, kind, to } = rollout
  const form = (verb: string, title: string, hint: string, more: Content = html``) =>
    actForm({
      ...{
        title,
        hint,
        action: `${POLICIES_PATH}/rollouts/${encodeURIComponent(rolloutId)}/${verb}`,
      },
      fields: html`<input type="hidden" name="revision" value="${revision}">${more}${reasonField(`steer-${verb}`)}`,
      isDangerous: verb === 'revert',
    })
  const isAuthor = viewer.may('admin.author')
  const mayPause = isAuthor || viewer.may('admin.operate')
  const forms = html`${state === 'running' && mayPause ? form('pause', 'Pause', 'It stays in the ring that it is in, until somebody resumes it.') : ''}${state === 'paused' && isAuthor ? form('resume', 'Resume', 'It goes on from the ring that it is in.') : ''}${isAuthor ? form('promote', 'Promote to the next ring', 'Without waiting until it has stayed healthy here long enough.') : ''}${isAuthor ? form('revert', 'Revert', 'What was in force before decides again for every device of its rings.', acceptField('steer-accept', 0)) : ''}`
  const about = html`<p><code>${rolloutId}</code> brings <a href="${versionPath(kind, to)}"><code>${shortHash(to)}</code></a> to the fleet, and is ${state}.</p>`
  return panel('steer', 'Steer the rollout', html`${about}${forms}`)
}

function waitingPanel({ waiting, now }: DocumentsOfKind): Content {
  if (waiting.length === 0) return html``
  const body = table({
    caption: 'What waits for a second administrator',
    columns: [{ title: 'Asked for' }, { title: 'By' }, { title: 'Until' }],
    rows: waiting.map(({ request, requestedBy, expiresAt }) => [
      html`<code>${request}</code>`,
      html`<div class="wraps">${requestedBy}</div>`,
      agoTag(expiresAt, now),
    ]),
  })
  return panel(
    'waiting',
    'Waits for a second administrator',
    html`${body}<p class="dim">Whoever asked has the link to what is asked for.</p>`,
  )
}

function versionsPanel(
  kind: DocumentKind,
  { versions, areMore, active, open, now }: DocumentsOfKind,
): Content {
  const state = (hash: string) =>
    hash === active.hash
      ? html`<span class="v trusted">in force</span>`
      : open?.kind === kind && open.to === hash
        ? html`<span class="v stale">on its way</span>`
        : ''
  const body = table({
    caption: 'Versions, the newest first',
    columns: [
      ...[{ title: 'Version' }, { title: 'State' }, { title: 'Reason' }],
      ...[{ title: 'Written by' }, { title: 'Kept' }],
    ],
    rows: versions.map(({ hash, author, reason, createdAt }) => [
      html`<a href="${versionPath(kind, hash)}"><code>${shortHash(hash)}</code></a>`,
      state(hash),
      html`<div class="wraps">${reason}</div>`,
      html`<div class="thin">${author}</div>`,
      html`<span class="nowrap">${agoTag(createdAt, now)}</span>`,
    ]),
  })
  const more = areMore
    ? html`<p class="dim">There are older ones: <code>npm run -s countersign -- policy list</code> lists them all.</p>`
    : ''
  return panel('versions', 'Versions', html`${body}${more}`)
}

function pastPanel({ past, now }: DocumentsOfKind): Content {
  if (past.length === 0) return html``
  const tone: Readonly<Record<string, string>> = { done: 'trusted', halted: 'untrusted' }
  const body = table({
    caption: 'Rollouts that are over, the newest first',
    columns: [
      ...[{ title: 'Rollout' }, { title: 'Came to' }, { title: 'Brought' }],
      ...[{ title: 'Why' }, { title: 'Ended' }],
    ],
    rows: past.map(({ rolloutId, state, kind, to, note, updatedAt }) => [
      html`<code>${rolloutId}</code>`,
      html`<span class="v ${tone[state] ?? 'unknown'}">${state}</span>`,
      html`<a href="${versionPath(kind, to)}"><code>${shortHash(to)}</code></a>`,
      html`<div class="wraps">${note}</div>`,
      html`<span class="nowrap">${agoTag(updatedAt, now)}</span>`,
    ]),
  })
  return panel('past', 'Rollouts that are over', body)
}
