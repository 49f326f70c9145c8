import { html } from 'hono/html'
import type { AuditEntry } from '../../../store/system/audit-log.ts'
import { type Content, codeTag } from '../parts.ts'

/** What an entry says, sorted for people. */
export type ToldEntry = {
  /** Members that are otherwise now. */
  readonly changes: readonly {
    readonly name: string
    readonly before: string
    readonly after: string
  }[]
  readonly reason: string | undefined
  /** As the answer to the request had it in `X-Request-ID`. */
  readonly requestId: string | undefined
  /** Whatever else it says, by name. */
  readonly others: readonly { readonly name: string; readonly value: string }[]
}

const MOST_CHARS = 2_000

/**
 * Sorts the detail of an entry: what was so before and is so after, why, and by which request. Entries are written by
 * every version there was, so that nothing is taken for granted about their form.
 */
export function tellEntry(entry: AuditEntry): ToldEntry {
  const { before, reason, request_id: ownId, requestId, ...said } = membersOf(entry.detail)
  // Where only what was to be changed is said, the rest is as it was.
  const { after, changes: asked, ...others } = said
  const isPart = after === undefined && isMembers(asked)
  const { id, ...from } = membersOf(entry.request)
  const [old, young] = [membersOf(before), membersOf(isPart ? asked : after)]
  const names = [...new Set([...(isPart ? [] : Object.keys(old)), ...Object.keys(young)])]
  const changes = names
    .map((name) => ({ name, before: textOf(old[name]), after: textOf(young[name]) }))
    .filter((one) => one.before !== one.after)
  const isPlain = (value: unknown) => value !== undefined && !isMembers(value)
  const rest = {
    ...(isPlain(before) && { before }),
    ...(isPlain(after) && { after }),
    ...(!isPart && asked !== undefined && { changes: asked }),
    ...others,
    ...from,
  }
  return {
    changes,
    reason: typeof reason === 'string' ? shorten(reason) : undefined,
    requestId: [id, ownId, requestId].find((one) => typeof one === 'string'),
    others: Object.entries(rest).map(([name, value]) => ({ name, value: textOf(value) })),
  }
}

/** What changed: each member as it was and as it is. Details fold away where there is much of them. */
export function changesCell({ changes, others }: ToldEntry): Content {
  const lines = changes.map(
    ({ name, before, after }) =>
      html`<div>${name}: <del>${before}</del> <span aria-hidden="true">→</span> <ins>${after}</ins></div>`,
  )
  const more = others.map(({ name, value }) => html`<div><small>${name}</small> ${value}</div>`)
  const isMuch = others.length > MOST_OPEN || others.some(({ value }) => value.length > MOST_LINE)
  if (others.length === 0) return html`${lines}`
  return isMuch
    ? html`${lines}<details><summary>${others.length === 1 ? 'One detail' : `${others.length} details`}</summary>${more}</details>`
    : html`${lines}${more}`
}

const MOST_OPEN = 2
const MOST_LINE = 120

export function requestCell({ requestId }: ToldEntry): Content {
  return requestId === undefined ? html`<span class="dim">none</span>` : codeTag(requestId)
}

type Members = Readonly<Record<string, unknown>>

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function membersOf(value: unknown): Members {
  return isMembers(value) ? value : {}
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value))
    return value.length === 0 ? 'none' : shorten(value.map(textOf).join(', '))
  return shorten(typeof value === 'string' ? value : JSON.stringify(value))
}

function shorten(text: string): string {
  return text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS)}…` : text
}
