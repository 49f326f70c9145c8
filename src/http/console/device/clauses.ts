import { html } from 'hono/html'
import { type ExplainedClause, explainClauses } from '../../../access/explain-clauses.ts'
import type { UnmetClause } from '../../../access/unmet.ts'
import { CLAIMS } from '../../../appraisal/claims.ts'
import { plural } from '../../../base/words.ts'
import type { KnownDevice } from '../../../operations/devices/inspect-device.ts'
import type { ClauseStatus } from '../../../policy/language/evaluate.ts'
import { describeShown } from '../../../policy/language/shortfall.ts'
import { type Content, panel, table, timeTag } from '../parts.ts'

type Status = { readonly tone: string; readonly word: string }

const STATUS: Readonly<Record<ClauseStatus, Status>> = {
  pass: { tone: 'trusted', word: 'passed' },
  fail: { tone: 'untrusted', word: 'failed' },
  undecidable: { tone: 'unknown', word: 'unknown' },
  not_applicable: { tone: 'unknown', word: 'does not apply' },
}

const MEASURED: Readonly<Record<string, string>> = {
  boot: 'at boot: restart to see a change',
  resume: 'when it wakes up: let it sleep to see a change',
  now: 'with each attestation',
}

const ORDER: readonly ClauseStatus[] = ['fail', 'undecidable', 'pass', 'not_applicable']

/** Every clause: what it came to, the values that it saw, what it asks for, and when that is measured. */
export function clausesPanel({ decided, device, policy }: KnownDevice): Content {
  const explained = [...explainClauses(decided)].sort(
    (a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status),
  )
  if (explained.length === 0) {
    const body = html`<p>No clause was asked: ${device.record.attestation === null ? 'the device has not attested yet' : 'something decides before any clause does'}.</p>`
    return panel('clauses', 'Clauses', body, true)
  }
  const unmet = new Map(device.unmet.map((one) => [one.clause, one]))
  const rowOf = (one: ExplainedClause) => [
    nameCell(one, policy.clauseById.get(one.clause)?.texts.en.title),
    statusCell(one, unmet.get(one.clause)),
    seenCell(one),
    askedCell(one, unmet.get(one.clause)),
    MEASURED[policy.clauseById.get(one.clause)?.measuredAt ?? ''] ?? '',
  ]
  const [others, met] = [explained.filter((one) => !isMet(one)), explained.filter(isMet)]
  const body = html`${others.length === 0 ? '' : clausesTable('Clauses that are not met', others.map(rowOf))}
<details><summary>${plural(met.length, 'clause')} passed or do not apply</summary>${clausesTable('Clauses that are met', met.map(rowOf))}</details>`
  return panel('clauses', `Clauses of ${policy.document.name}`, body, true)
}

function isMet({ status }: ExplainedClause): boolean {
  return status === 'pass' || status === 'not_applicable'
}

function clausesTable(caption: string, rows: Parameters<typeof table>[0]['rows']): Content {
  const columns = [
    ...[{ title: 'Clause' }, { title: 'Came to' }, { title: 'Value seen' }],
    ...[{ title: 'Value asked for' }, { title: 'Measured' }],
  ]
  return table({ caption, columns, rows })
}

function nameCell({ clause, scope }: ExplainedClause, title: string | undefined): Content {
  const about = scope === 'request' ? 'asked of each request' : title
  return html`<span id="clause-${clause}">${clause}</span>${about === undefined ? '' : html`<br><small>${about}</small>`}`
}

function statusCell(explained: ExplainedClause, unmet: UnmetClause | undefined): Content {
  const { status, severity, relief, cause } = explained
  const { tone, word } = STATUS[status]
  const since =
    unmet?.since === undefined
      ? ''
      : html`<br><small>since ${timeTag(new Date(unmet.since))}</small>`
  const effect = relief
    ? `${relief.kind.replace('_', ' ')} until ${relief.until.slice(0, 16).replace('T', ' ')}`
    : severity === 'report'
      ? 'reports only'
      : 'denies'
  return html`<span class="v ${tone}">${word}</span>${isMet(explained) ? '' : html`<br><small>${effect}</small>`}${since}${cause === undefined ? '' : html`<br><small>${cause}</small>`}`
}

/** The values that it reads, each with what the value means on pointing. */
function seenCell({ reads }: ExplainedClause): Content {
  const entries = Object.entries(reads).map(([path, value]) => {
    const shown = value === null ? 'absent' : textOf(value)
    return html`<div><code>${path.replace(/^attestation\./, '')}</code> ${shown}</div>`
  })
  return html`${entries}`
}

const MAX_SHOWN_CHARS = 160

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value, bigintAsText)
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text
}

const bigintAsText = (_: string, value: unknown) =>
  typeof value === 'bigint' ? value.toString() : value

function askedCell(
  { require, when, reads }: ExplainedClause,
  unmet: UnmetClause | undefined,
): Content {
  const needed = (unmet?.shortfalls ?? []).map(
    ({ reads: path, actual, required }) =>
      html`<div><code>${path.replace(/^attestation\./, '')}</code> ${required} <small>(is ${describeShown(actual)})</small></div>`,
  )
  const meanings = Object.keys(reads).flatMap((path) => {
    const meaning = meaningOf(path)
    return meaning === undefined ? [] : [html`<small>${meaning}</small> `]
  })
  const condition =
    when === undefined ? '' : html`<div><small>where</small> <code>${when}</code></div>`
  return html`${needed}<div><code>${require}</code></div>${condition}${meanings}`
}

/** What the claim at a path means, from the one list of claims. */
function meaningOf(path: string): string | undefined {
  const name = path.replace(/^attestation\./, '')
  return Object.hasOwn(CLAIMS, name) ? CLAIMS[name as keyof typeof CLAIMS].meaning : undefined
}
