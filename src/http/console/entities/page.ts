import { html } from 'hono/html'
import { ENTITY_KINDS, type EntityName } from '../../../access/directory.ts'
import type { FoundEntities } from '../../../operations/entities/find-entities.ts'
import type { Entity } from '../../../store/directory/entities.ts'
import { selectField, textField } from '../fields.ts'
import type { Page } from '../layout.ts'
import { agoTag, type Content, codeTag, facts, link, table, timeTag } from '../parts.ts'

export const ENTITIES_PATH = '/console/entities'

/** Its name may be any text, so that it stands in no path. */
function entityLink({ kind, type, id }: EntityName): string {
  return link(`${ENTITIES_PATH}/one`, { kind, type, id })
}

/** What was chosen, by the names of its fields: what links of the page go on with. */
export type Chosen = Readonly<Record<string, string>>

/** A page of the directory; without what was found, the form alone. */
export function entitiesPage(input: {
  readonly chosen: Chosen
  readonly found: FoundEntities | undefined
  readonly now: Date
}): Page {
  const { chosen, found, now } = input
  const body = found === undefined ? '' : html`${list(found, chosen, now)}${pager(found, chosen)}`
  return {
    title: 'Entities',
    section: 'entities',
    body: html`${form(chosen)}${body}${importHint()}`,
  }
}

function form(chosen: Chosen): Content {
  const kinds = ['', ...ENTITY_KINDS].map((value) => ({ value, title: value || 'any' }))
  const kind = { id: 'f-kind', name: 'kind', title: 'Kind', value: chosen.kind ?? '' }
  const field = (name: string, title: string) =>
    textField({ id: `f-${name}`, name, title, value: chosen[name], most: 256 })
  return html`<form class="fields" method="get" action="${ENTITIES_PATH}" aria-label="Filters">
<div>${selectField({ ...kind, choices: kinds })}</div>
<div>${field('type', 'Type, with a kind')}</div>
<div class="long">${field('begins', 'Id or name begins with, with a kind and a type')}</div>
<div><button class="main" type="submit">Find</button> <a class="button" href="${ENTITIES_PATH}">All</a></div>
</form>`
}

function list({ entities }: FoundEntities, chosen: Chosen, now: Date): Content {
  if (entities.length === 0) {
    return Object.keys(chosen).length === 0
      ? html`<p>The directory is empty. It tells a policy what a question does not say itself, such as the department of a person.</p>`
      : html`<p>No entity matches. Names are compared byte for byte.</p>`
  }
  return table({
    caption: 'Entities, in the order of their names',
    columns: [
      ...[{ title: 'Id or name' }, { title: 'Kind' }, { title: 'Type' }],
      ...[{ title: 'What is known' }, { title: 'From' }, { title: 'Set' }],
    ],
    rows: entities.map((entity) => [
      html`<a href="${entityLink(entity)}">${entity.id}</a>`,
      entity.kind,
      entity.type,
      html`<div class="why">${knownText(entity)}</div>`,
      entity.source,
      html`<span class="nowrap">${agoTag(entity.updatedAt, now)}</span>`,
    ]),
  })
}

const MOST_SHOWN = 120

function knownText({ properties }: Entity): Content {
  const text = JSON.stringify(properties)
  return codeTag(text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text)
}

/** Pages lie behind an entity, so that none moves when entities come or go. */
function pager(
  { next }: FoundEntities,
  { after_type: _, after_id: __, after_kind, ...chosen }: Chosen,
): Content {
  const first =
    after_kind === undefined
      ? ''
      : html`<a class="button" href="${link(ENTITIES_PATH, chosen)}">First page</a>`
  const rest =
    next === undefined
      ? html`<span class="dim">That is the end.</span>`
      : html`<a class="button" rel="next" href="${link(ENTITIES_PATH, { ...chosen, after_kind: next.kind, after_type: next.type, after_id: next.id })}">Next page</a>`
  return html`<nav class="pager" aria-label="Pages">${first}${rest}</nav>`
}

function importHint(): Content {
  return html`<details><summary>Bring entities in</summary>
<p>From a file of JSON lines, one entity each, on the machine of the service: the whole file is checked before anything is written.</p>
<pre>{"kind":"subject","type":"user","id":"ada@example.com","properties":{"department":"finance"}}
{"kind":"action","name":"wire-transfer","properties":{"risk":"high"}}</pre>
<pre>npm run -s countersign -- entities import FILE</pre>
<p>Or over HTTP, up to 500 at once: <code>POST /v1/entities</code>.</p></details>`
}

/** One entity with all that is kept of it. */
export function entityPage(entity: Entity, now: Date): Page {
  const { kind, type, id, properties, source, updatedAt } = entity
  const body = html`${facts({
    Kind: kind,
    Type: type === '' ? undefined : type,
    [kind === 'action' ? 'Name' : 'Id']: codeTag(id),
    From: source,
    Set: html`${timeTag(updatedAt)} (${agoTag(updatedAt, now)})`,
  })}
<h2>What is known of it</h2>
<pre>${JSON.stringify(properties, undefined, 2)}</pre>
<p class="dim">A policy reads it as <code>properties</code> of the ${kind} where a question says none itself.</p>
<p><a href="${link(ENTITIES_PATH, { kind, type })}">Others of this type</a></p>`
  return { title: id, section: 'entities', body }
}

export function unknownEntityPage(): Page {
  return {
    status: 404,
    title: 'No such entity',
    section: 'entities',
    body: html`<p>The directory has no entity of this name. Names are compared byte for byte.</p><p><a href="${ENTITIES_PATH}">All entities</a></p>`,
  }
}
