import { html } from 'hono/html'
import type { DocumentKind } from '../../../rollout/in-force.ts'
import type { HttpContext } from '../../environment.ts'
import type { Notice, Page } from '../layout.ts'
import { codeTag, timeTag } from '../parts.ts'
import { kindPath } from './paths.ts'

const DONE = {
  keep: 'The version is kept. Nobody is affected by it: preview it, then release it.',
  preview: 'The fleet was replayed: what it would come to stands below.',
  activated: 'The version is in force for every device from the next request on.',
  rollout: 'The rollout has begun: it goes from ring to ring while the fleet stays healthy.',
  rollback: 'The way back is taken: what was in force before decides again.',
  pause: 'The rollout is paused.',
  resume: 'The rollout goes on.',
  promote: 'The rollout has gone to its next ring.',
  revert: 'The rollout has ended: what was in force before decides again.',
} as const

/** What a form has led back with. */
export function noticeOf(c: HttpContext): { readonly notice?: Notice } {
  const done = c.req.query('done') ?? ''
  if (!Object.hasOwn(DONE, done)) return {}
  return { notice: { kind: 'done', text: DONE[done as keyof typeof DONE] } }
}

/** What to do for the second administrator: the link has all that was asked for. */
export function waitsNotice(url: string, until: Date): Notice {
  const text = html`It waits for a second administrator, until ${timeTag(until)}: nothing has happened yet. Send this link to one: ${codeTag(url)}`
  return { kind: 'note', text }
}

export function unknownVersionPage(kind: DocumentKind): Page {
  return {
    status: 404,
    title: 'No such version',
    section: 'policies',
    body: html`<p>No version with this hash is kept here.</p><p><a href="${kindPath(kind)}">All versions</a></p>`,
  }
}
