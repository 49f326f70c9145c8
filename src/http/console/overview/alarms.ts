import { html } from 'hono/html'
import { COMMAND } from '../../../base/command.ts'
import { plural } from '../../../base/words.ts'
import type { Overview } from '../../../operations/overview/read-overview.ts'
import type { Cause } from '../../../rollout/hold.ts'
import { agoTag, type Content, codeTag, deviceLink, link, panel } from '../parts.ts'

/** One thing that wants somebody: what it is, and what to do about it. */
type Alarm = { readonly kind: 'alarm' | 'note'; readonly what: Content; readonly todo: Content }

/** A sweep that takes longer than this, beside how long they take, is worth a look. */
const SWEEP_LATE_MS = 4 * 3_600_000

/** What wants somebody now, the most pressing first. */
export function alarmsPanel(overview: Overview): Content {
  const alarms = [
    ...holdAlarms(overview),
    ...haltAlarms(overview),
    ...verifierAlarms(overview),
    ...streamAlarms(overview),
    ...waitingNotes(overview),
    ...sweepAlarms(overview),
  ]
  if (alarms.length === 0) {
    return html`<div class="done" role="status"><p>Nothing is held, halted or waiting for you.</p></div>`
  }
  const entries = alarms.map(
    ({ kind, what, todo }) =>
      html`<li class="${kind}"><strong>${kind === 'alarm' ? 'Alarm' : 'To do'}:</strong> ${what}<br><small>${todo}</small></li>\n`,
  )
  return panel('alarms', 'Wants somebody', html`<ul class="plain">${entries}</ul>`, true)
}

function holdAlarms({ holds, now }: Overview): readonly Alarm[] {
  return holds.map(({ holdId, cause, since, until }) => ({
    kind: 'alarm',
    what: html`${causeText(cause)} is held since ${agoTag(since, now)}: many good devices met it at once, so it denies none of those that met it first during the hold. It ends by itself ${agoTag(until, now)}.`,
    todo: html`${causeAdvice(cause)} When it is mended, end the hold: ${codeTag(`${COMMAND} holds end ${holdId} --reason TEXT`)}`,
  }))
}

function causeText(cause: Cause): Content {
  switch (cause.kind) {
    case 'clause':
      return html`The clause <a href="${link('/console/devices', { clause: cause.clause })}">${cause.clause}</a>`
    case 'policy_not_pinned':
      return html`That the policy of <code>${cause.issuer}</code> is not pinned`
    case 'anchor_not_listed':
      return html`That the root <code>${cause.anchor}</code> is not listed`
    case 'hardware_unproven':
      return html`That nobody vouches for the hardware of devices`
    case 'stale':
      return html`That evidence of <code>${cause.issuer}</code> has ended`
  }
}

function causeAdvice(cause: Cause): string {
  switch (cause.kind) {
    case 'clause':
      return 'Look at what these devices have in common: an update that changed a measured value, or a clause that reads the clock. Mend the clause, or the devices.'
    case 'policy_not_pinned':
      return 'Somebody changed the policy at the provider. If that was meant, pin the new one in the reference values; if not, put the old one back.'
    case 'anchor_not_listed':
      return 'The root was taken from the reference values, or its time has come. List it again if it is to be believed.'
    case 'hardware_unproven':
      return 'Trust anchors were changed. List those of the makers whose chips you have.'
    case 'stale':
      return 'Devices do not reach that verifier, or it does not answer them. See the verifiers below.'
  }
}

function haltAlarms({ halted, now }: Overview): readonly Alarm[] {
  return halted.map(({ rolloutId, kind, note, updatedAt, health }) => ({
    kind: 'alarm',
    what: html`The rollout ${rolloutId} of ${kind} halted ${agoTag(updatedAt, now)}: ${note}. Every device is back at the version before.`,
    todo: html`${
      health === null || health.examples.length === 0
        ? 'See what it would have denied.'
        : html`Look at a device that it would have denied: ${health.examples.slice(0, 3).map((id) => html`${deviceLink(id)} `)}`
    } Mend the document and release it anew.`,
  }))
}

function verifierAlarms({ verifiers, now }: Overview): readonly Alarm[] {
  return verifiers.flatMap(({ name, answers, health }): Alarm[] => {
    if (health.state === 'suspected') {
      const { since, failures } = health.suspicion
      return [
        {
          kind: 'alarm',
          what: html`The verifier <code>${name}</code> seems to be out since ${agoTag(since, now)}: ${failures.join(', ')}.`,
          todo: html`Look at the state of the provider. Devices keep what they have until their evidence ends, and longer where an outage grace is set.`,
        },
      ]
    }
    if (answers) return []
    const todo = html`Others may reach it. If none does for a minute, this becomes an alarm.`
    return [
      {
        kind: 'note',
        what: html`The verifier <code>${name}</code> did not answer this process last.`,
        todo,
      },
    ]
  })
}

function streamAlarms({ streams, now }: Overview): readonly Alarm[] {
  return streams.flatMap(({ stream, waiting, refused }): Alarm[] => {
    const { streamId, failing } = stream
    const test = html`Try it: ${codeTag(`${COMMAND} streams test ${streamId}`)}`
    if (failing !== null) {
      const { since, failure } = failing
      const what = html`The stream <code>${streamId}</code> has failed since ${agoTag(since, now)}: ${failure}. ${plural(waiting, 'event')} wait.`
      return [{ kind: 'alarm', what, todo: test }]
    }
    if (refused === 0) return []
    const what = html`The receiver of <code>${streamId}</code> refused ${plural(refused, 'event')}.`
    const todo = html`See which: ${codeTag(`${COMMAND} streams dead ${streamId}`)}`
    return [{ kind: 'note', what, todo }]
  })
}

function waitingNotes({ waiting, hasPending, now }: Overview): readonly Alarm[] {
  const seconds = waiting.map(
    ({ request, requestedBy, expiresAt }): Alarm => ({
      kind: 'note',
      what: html`<code>${request}</code>, asked for by ${requestedBy}, waits for a second administrator.`,
      todo: html`Send the same request, or let it go: it is forgotten ${agoTag(expiresAt, now)}.`,
    }),
  )
  if (!hasPending) return seconds
  const devices = html`<a href="${link('/console/devices', { enrolment: 'pending' })}">Devices wait to be admitted</a>.`
  return [
    ...seconds,
    { kind: 'note', what: devices, todo: html`Look at each, and admit those that are yours.` },
  ]
}

function sweepAlarms({ summary, now }: Overview): readonly Alarm[] {
  if (summary === null || now.getTime() - summary.at.getTime() < SWEEP_LATE_MS) return []
  return [
    {
      kind: 'alarm',
      what: html`No sweep has ended since ${agoTag(summary.at, now)}: the counts here are as old.`,
      todo: html`Jobs run in every process of the service that is started with them. Look at its log for <code>job_failed</code>.`,
    },
  ]
}
