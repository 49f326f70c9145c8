import { html } from 'hono/html'
import type { Overview } from '../../../operations/overview/read-overview.ts'
import { agoTag, type Content, deviceLink, panel, table } from '../parts.ts'

const SERVICE_ROWS = 'service'

/** What people and jobs changed in the last day, the newest first. */
export function changesPanel({ changes, now }: Overview): Content {
  const body =
    changes.length === 0
      ? html`<p>Nobody changed anything in the last 24 hours. Attestations are no changes: devices have their own histories.</p>`
      : table({
          caption: 'Changes of the last 24 hours, the newest first',
          columns: [{ title: 'What' }, { title: 'When' }, { title: 'By' }, { title: 'Device' }],
          rows: changes.map(({ at, action, actor, deviceId }) => [
            action,
            html`<span class="nowrap">${agoTag(at, now)}</span>`,
            actor,
            deviceId === SERVICE_ROWS ? '' : deviceLink(deviceId),
          ]),
        })
  return panel('changes', 'Changed in the last 24 hours', body)
}
