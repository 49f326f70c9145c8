import { html } from 'hono/html'
import { POLICY_TYPES, POLICY_VARIABLES } from '../../../policy/language/variables.ts'
import type { LintFinding } from '../../../policy/lint/finding.ts'
import type { DocumentKind } from '../../../rollout/in-force.ts'
import { textField } from '../fields.ts'
import type { Page } from '../layout.ts'
import { type Content, panel, table } from '../parts.ts'
import { findingsList } from './findings.ts'
import { DOCUMENT_TITLES, kindPath } from './paths.ts'

/** A document as somebody writes it, with what lint says of it once it was looked at. */
export function editorPage(input: {
  readonly kind: DocumentKind
  readonly text: string
  readonly reason: string
  /** Absent before it was checked. */
  readonly findings: readonly LintFinding[] | undefined
}): Page {
  const { kind, text, reason, findings } = input
  const found =
    findings === undefined ? '' : panel('problems', 'Problems', findingsList(findings, text))
  const described = findings === undefined ? '' : html` aria-describedby="findings"`
  const isWrong = findings?.some(({ severity }) => severity === 'error') === true
  const body = html`${found}
<form method="post" action="${kindPath(kind)}/edit" aria-label="Document">
<label for="document">The document, as JSON</label>
<textarea id="document" name="document" class="code" rows="32" spellcheck="false" autocapitalize="off" required${described}${isWrong ? html` aria-invalid="true"` : ''}>
${text}</textarea>
<div class="fields-row"><button type="submit" name="do" value="check">Check</button>
<div class="long">${textField({ id: 'keep-reason', name: 'reason', title: 'Reason, to keep it as a version', value: reason })}</div>
<button class="main" type="submit" name="do" value="keep">Keep as a version</button></div>
<p class="dim">Nobody is affected by a version that is kept: it is previewed and released from its own page.</p>
</form>
${kind === 'policy' ? claimsPanel() : ''}`
  return {
    title: `Edit: ${DOCUMENT_TITLES[kind]}`,
    section: 'policies',
    aside: html`<a href="${kindPath(kind)}">Versions</a>`,
    body,
  }
}

const MEASURED: Readonly<Record<string, string>> = {
  boot: 'at boot',
  resume: 'when it wakes up',
  now: 'with each attestation',
}

/** Everything that an expression can read, with its meaning. */
function claimsPanel(): Content {
  const rows = Object.entries(POLICY_VARIABLES).flatMap(([root, type]) => {
    const fields = POLICY_TYPES[type]
    if (fields === undefined) {
      return [[html`<code>${root}</code>`, html`<code>${type}</code>`, '', rootText(root)]]
    }
    return Object.entries(fields).map(([name, field]) => [
      html`<code>${root}.${name}</code>`,
      html`<code>${field.type}</code>`,
      field.measuredAt === undefined ? '' : (MEASURED[field.measuredAt] ?? field.measuredAt),
      field.meaning,
    ])
  })
  const inner = Object.entries(POLICY_TYPES).flatMap(([type, fields]) =>
    Object.values(POLICY_VARIABLES).includes(type)
      ? []
      : Object.entries(fields).map(([name, field]) => [
          html`<code>${type}.${name}</code>`,
          html`<code>${field.type}</code>`,
          field.measuredAt === undefined ? '' : (MEASURED[field.measuredAt] ?? field.measuredAt),
          field.meaning,
        ]),
  )
  const list = table({
    caption: 'What an expression can read',
    columns: [{ title: 'Name' }, { title: 'Type' }, { title: 'Measured' }, { title: 'Meaning' }],
    rows: [...rows, ...inner],
  })
  return panel(
    'claims',
    'What an expression can read',
    html`<p>A claim that was never recorded makes a clause undecided, and one that is enforced then denies: <code>has(attestation.NAME)</code> asks whether it is there.</p><details><summary>All of it, with its meaning</summary>${list}</details>`,
  )
}

function rootText(root: string): string {
  return root === 'now' ? 'When the question is answered.' : 'What the question says besides.'
}
