import { html } from 'hono/html'
import { plural } from '../../../base/words.ts'
import type { Overview } from '../../../operations/overview/read-overview.ts'
import type { Rollout } from '../../../rollout/rollout.ts'
import { earliestEnd, waitOf } from '../../../rollout/waits.ts'
import { stages } from '../charts/stages.ts'
import { agoTag, type Content, deviceLink, panel, timeTag } from '../parts.ts'

/** Rollouts under way, with their rings and what they wait for. */
export function rolloutsPanel({ rollouts, now }: Pick<Overview, 'rollouts' | 'now'>): Content {
  const body =
    rollouts.length === 0
      ? html`<p>No rollout is under way: what is in force is in force for everybody, but for pins.</p>`
      : html`${rollouts.map((rollout, at) => describe(rollout, `rollout-${at}`, now))}`
  return panel('rollouts', 'Rollouts in progress', body)
}

function describe(rollout: Rollout, id: string, now: Date): Content {
  const { kind, to, author, reason, since, health } = rollout
  const end = earliestEnd(rollout, now)
  return html`<p><strong>${kind}</strong> <code>${to.slice(0, 12)}</code>, by ${author}: ${reason}</p>
${stages(rollout, id, now)}
<p>${waitText(rollout, now)}${end === undefined ? '' : html` Done at ${timeTag(end)} at the earliest.`} In this ring since ${agoTag(since, now)}.</p>
${
  health === null
    ? ''
    : html`<p>Checked ${agoTag(new Date(health.at), now)}: of ${plural(health.compared, 'device')} it would newly deny ${plural(health.newlyDenied, 'device')}.${health.examples.slice(0, 3).map((one) => html` ${deviceLink(one)}`)}</p>`
}`
}

function waitText(rollout: Rollout, now: Date): Content {
  const { why, until } = waitOf(rollout, now)
  const when = until === null ? '' : html` until ${timeTag(until)}`
  switch (why) {
    case 'not_running':
      return html`It is paused, and goes on when somebody resumes it.`
    case 'not_checked':
      return html`It waits for the first check of this ring.`
    case 'baking':
      return html`It has to stay healthy here${when}.`
    case 'sample_too_small':
      return html`It waits until more devices of the ring can be compared.`
    case 'outside_hours':
      return html`It waits for its working hours${when}.`
    case 'waits_for_promotion':
      return html`It waits for somebody to promote it.`
    case 'next_check':
      return html`The next check takes it on.`
  }
}
