import { html } from 'hono/html'
import { plural } from '../../../base/words.ts'
import type { LintFinding } from '../../../policy/lint/finding.ts'
import type { Content } from '../parts.ts'

const MOST_EXCERPT = 160

/** What lint says of a document: errors first, each with its place and the line as it stands there. */
export function findingsList(findings: readonly LintFinding[], text: string): Content {
  if (findings.length === 0) {
    return html`<p id="findings"><span class="v trusted">no problem</span> Nothing looks wrong.</p>`
  }
  const errors = findings.filter(({ severity }) => severity === 'error')
  const ordered = [...errors, ...findings.filter(({ severity }) => severity !== 'error')]
  const lines = text.split('\n')
  const entries = ordered.map((finding) => {
    const { severity, code, clause, line, column, message, suggestion } = finding
    const excerpt = (lines[line - 1] ?? '').trim().slice(0, MOST_EXCERPT)
    return html`<li class="${severity === 'error' ? 'alarm' : 'note'}"><strong>Line ${line}, column ${column}: ${severity}</strong>${clause === undefined ? '' : html` in clause <code>${clause}</code>`}: ${message}${suggestion === undefined ? '' : html` Did you mean <code>${suggestion}</code>?`}${excerpt === '' ? '' : html`<br><code>${excerpt}</code>`} <small>${code}</small></li>
`
  })
  const others = findings.length - errors.length
  return html`<p id="findings">${plural(errors.length, 'error')}, ${plural(others, 'warning')}.</p><ul class="plain">${entries}</ul>`
}
