import { html } from 'hono/html'
import { parseReferenceValues, type Validity } from '../../../appraisal/reference-values.ts'
import { agoTag, type Content, panel, table, timeTag } from '../parts.ts'

type Entry = {
  readonly what: string
  readonly name: string
  readonly more: string
  readonly until: number
  readonly from: number
}

const SOON_MS = 90 * 86_400_000

/** What is listed, with its ends: what ends first stands first. */
export function referencePanel(body: unknown, now: Date): Content {
  const parsed = parseReferenceValues(body)
  if (!parsed.ok) {
    return panel(
      'listed',
      'What is listed',
      html`<p>This version of the service cannot read what is in force.</p>`,
    )
  }
  const { anchors, document } = parsed.value
  const entries: readonly Entry[] = [
    ...[...anchors.values()].flat().map((one) => ({
      ...{ what: 'trust anchor', name: one.name, more: one.fingerprint, from: one.validFrom },
      // The last moment of a certificate is included.
      until: Math.min(one.validUntil, one.notAfter.getTime() + 1),
    })),
    ...document.enclaves.map((one) => ({
      ...{ what: 'enclave', name: one.name, more: `version ${one.minimum_svn} or newer` },
      ...validityOf(one),
    })),
    ...(document.azure_policies ?? []).map((one) => ({
      ...{ what: 'pinned policy', name: one.name ?? one.issuer, more: `${one.issuer} ${one.hash}` },
      ...validityOf(one),
    })),
  ].toSorted((a, b) => a.until - b.until)
  if (entries.length === 0) {
    return panel(
      'listed',
      'What is listed',
      html`<p>Nothing is listed: no enclave, no pinned policy, no trust anchor.</p>`,
    )
  }
  const list = table({
    caption: 'What is listed, what ends first before the others',
    columns: [
      { title: 'Name' },
      { title: 'What' },
      { title: 'State' },
      { title: 'Ends' },
      { title: 'More' },
    ],
    rows: entries.map((one) => [
      one.name,
      one.what,
      stateTag(one, now),
      Number.isFinite(one.until)
        ? html`${timeTag(new Date(one.until))} (${agoTag(new Date(one.until), now)})`
        : 'never',
      html`<div class="wraps"><small>${one.more}</small></div>`,
    ]),
  })
  return panel('listed', 'What is listed', list)
}

/** As `Validity` has it: infinite where nothing is said. */
function validityOf(one: {
  readonly valid_from?: string | undefined
  readonly valid_until?: string | undefined
}): { readonly from: Validity['validFrom']; readonly until: Validity['validUntil'] } {
  const { valid_from: from, valid_until: until } = one
  return {
    from: from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from),
    until: until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until),
  }
}

function stateTag({ from, until }: Entry, now: Date): Content {
  const at = now.getTime()
  if (at >= until) return html`<span class="v untrusted">ended</span>`
  if (at < from) return html`<span class="v unknown">not yet</span>`
  return until - at < SOON_MS
    ? html`<span class="v stale">ends soon</span>`
    : html`<span class="v trusted">counts</span>`
}
