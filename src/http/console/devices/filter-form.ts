import { html } from 'hono/html'
import { VERDICTS } from '../../../access/trust-record.ts'
import { policiesOf } from '../../../operations/devices/find-devices.ts'
import type { Content } from '../parts.ts'
import type { PageServices } from '../services.ts'
import { type Chosen, SEEN } from './query.ts'

/** What can be chosen that depends on the deployment. */
export type Choices = {
  /** Clauses of the policies that decide for somebody. */
  readonly clauses: readonly { readonly id: string; readonly title: string }[]
  /** Verifiers that may have spoken for a device. */
  readonly issuers: readonly string[]
}

export async function choicesOf({
  rules,
  verifierStates,
  publicUrl,
}: Pick<PageServices, 'rules' | 'verifierStates' | 'publicUrl'>): Promise<Choices> {
  const policies = policiesOf(await rules.recent())
  const clauses = new Map(
    policies
      .flatMap(({ deviceClauses }) => deviceClauses)
      .map(({ id, texts }) => [id, { id, title: texts.en.title }]),
  )
  // The built-in one speaks under our own address.
  const named = Object.keys(verifierStates()).filter((name) => URL.canParse(name))
  return { clauses: [...clauses.values()], issuers: [...new Set([publicUrl, ...named])] }
}

type Choice = { readonly value: string; readonly title: string }

/** Fields for everything that devices are found by. They are looked up in indexes, whatever is combined. */
export function filterForm(chosen: Chosen, choices: Choices): Content {
  const verdicts = VERDICTS.map((verdict) => ({ value: verdict, title: verdict }))
  const enrolments = ['admitted', 'pending'].map((value) => ({ value, title: value }))
  const clauses = choices.clauses.map(({ id, title }) => ({ value: id, title: `${id}: ${title}` }))
  const seen = Object.entries(SEEN).map(([value, { title }]) => ({ value, title }))
  const issuers = choices.issuers.map((value) => ({ value, title: value }))
  const exceptions = [
    { value: 'any', title: 'any' },
    { value: 'allow', title: 'allowed for a while' },
    { value: 'pin', title: 'pinned' },
  ]
  return html`<form class="fields" method="get" action="/console/devices" aria-label="Filters">
<div class="long">${field(chosen, 'search', 'Id, Entra id, serial number, owner or name begins with; or a label', 'search')}</div>
<div>${select(chosen, 'verdict', 'Verdict', verdicts)}</div>
<div>${select(chosen, 'clause', 'Does not meet', clauses)}</div>
<div>${field(chosen, 'label', 'Labels, with ; between them')}</div>
<div>${field(chosen, 'owner', 'Owner (exactly)')}</div>
<div class="short">${field(chosen, 'ring', 'Ring', 'number')}</div>
<div>${select(chosen, 'seen', 'Attested last', seen)}</div>
<div>${select(chosen, 'issuer', 'Verifier', issuers)}</div>
<div>${select(chosen, 'enrolment', 'Enrolment', enrolments)}</div>
<div>${select(chosen, 'override', 'Exception', exceptions)}</div>
<div><button class="main" type="submit">Find</button> <a class="button" href="/console/devices">All</a></div>
</form>`
}

function field(chosen: Chosen, name: string, title: string, type = 'text'): Content {
  const bounds = type === 'number' ? html` min="0" max="99"` : html` maxlength="200"`
  return html`<label for="f-${name}">${title}</label><input id="f-${name}" name="${name}" type="${type}" value="${chosen[name] ?? ''}"${bounds}>`
}

function select(chosen: Chosen, name: string, title: string, known: readonly Choice[]): Content {
  const value = chosen[name] ?? ''
  // What a link says that nobody knows any more stays as it is.
  const isKnown = value === '' || known.some((one) => one.value === value)
  const choices = isKnown ? known : [...known, { value, title: value }]
  const options = choices.map(
    (one) =>
      html`<option value="${one.value}"${one.value === value ? html` selected` : ''}>${one.title}</option>`,
  )
  return html`<label for="f-${name}">${title}</label><select id="f-${name}" name="${name}"><option value="">any</option>${options}</select>`
}
