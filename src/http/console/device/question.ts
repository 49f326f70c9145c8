import { html } from 'hono/html'
import type { Decided } from '../../../access/decide.ts'
import type { HttpContext } from '../../environment.ts'
import { type Content, panel } from '../parts.ts'

/** A question about a device, as somebody fills it in; what is left out is of no consequence. */
export type AskedQuestion = {
  readonly isAsked: boolean
  readonly subject: string
  readonly action: string
  readonly resource: string
  readonly question: {
    readonly subject?: { readonly type: string; readonly id: string }
    readonly action?: { readonly name: string }
    readonly resource?: { readonly type: string; readonly id: string }
  }
}

const MAX_CHARS = 200

/** `app:payroll` names a type and an id; a text without a colon is an id. */
export function readQuestion(c: HttpContext): AskedQuestion {
  const text = (name: string) => (c.req.query(name) ?? '').trim().slice(0, MAX_CHARS)
  const [subject, action, resource] = [text('subject'), text('action'), text('resource')]
  return {
    ...{ subject, action, resource },
    isAsked: subject !== '' || action !== '' || resource !== '',
    question: {
      ...(subject !== '' && { subject: entityOf(subject, 'user') }),
      ...(action !== '' && { action: { name: action } }),
      ...(resource !== '' && { resource: entityOf(resource, 'app') }),
    },
  }
}

function entityOf(text: string, usual: string): { readonly type: string; readonly id: string } {
  const [type = '', ...rest] = text.split(':')
  const id = rest.join(':')
  return type === '' || id === '' ? { type: usual, id: text } : { type, id }
}

/** What would be decided now, by the code of every decision; and the form to ask something else. */
export function questionPanel(asked: AskedQuestion, decided: Decided): Content {
  const { decision, context } = decided.decision
  const answer = decision
    ? html`<span class="v trusted">granted</span>`
    : html`<span class="v untrusted">denied</span>`
  const reasons = context.reasons.map(
    ({ title, repair, clause }) =>
      html`<li><strong>${title}</strong>${clause === undefined ? '' : html` <code>${clause}</code>`}<br>${repair}</li>`,
  )
  const relief = (context.relief ?? []).map(
    ({ kind, reason, until }) =>
      html`<li>${reason ?? 'The device'}: ${kind.replace('_', ' ')}, until ${until}</li>`,
  )
  const body = html`<form class="fields" method="get" aria-label="Question">
<div><label for="q-subject">Who</label><input id="q-subject" name="subject" value="${asked.subject}" placeholder="user:ada@example.com" maxlength="${MAX_CHARS}"></div>
<div><label for="q-action">Does what</label><input id="q-action" name="action" value="${asked.action}" placeholder="access" maxlength="${MAX_CHARS}"></div>
<div><label for="q-resource">With what</label><input id="q-resource" name="resource" value="${asked.resource}" placeholder="app:payroll" maxlength="${MAX_CHARS}"></div>
<div><button type="submit">Ask</button></div></form>
<p>${asked.isAsked ? 'This question' : 'A question for any access'} from this device would be ${answer} now. Nothing is written or counted by asking here.</p>
${reasons.length === 0 ? '' : html`<ul>${reasons}</ul>`}${relief.length === 0 ? '' : html`<ul>${relief}</ul>`}
<p class="dim">By policy <code>${context.policy.slice(0, 12)}</code> and reference values <code>${context.reference_values.slice(0, 12)}</code>, which a receipt of the decision names too.</p>`
  return panel('question', 'What would be decided', body)
}
