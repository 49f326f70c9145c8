import { html } from 'hono/html'
import type { HttpContext } from '../../environment.ts'
import { describeApi } from '../document.ts'
import { answerReference, type Content } from './layout.ts'
import { showSchema } from './show-schema.ts'

/** An operation of the document with where it is. */
type Found = {
  readonly path: string
  readonly method: string
  readonly operation: Readonly<Record<string, unknown>>
}

function listOperations(): readonly Found[] {
  return Object.entries(describeApi().paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      return { path, method: method.toUpperCase(), operation: Object(operation) }
    }),
  )
}

/** Every operation, by what it is for. */
export function answerContents(c: HttpContext): Response {
  const { info, tags } = describeApi()
  const all = listOperations()
  const groups = tags.map(({ name, description }) => {
    const rows = all
      .filter(({ operation }) => String(operation.tags) === name)
      .map(
        ({ method, path, operation }) => html`<tr><td><code>${method}</code></td>
<td><a href="openapi/operations/${operation.operationId}"><code>${path}</code></a></td><td>${operation.summary}</td></tr>`,
      )
    return html`<section><h2>${name}</h2><p class="soft">${description}</p>
<table><thead><tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">For</th></tr></thead>
<tbody>${rows}</tbody></table></section>`
  })
  const { summary, version } = Object(info)
  const body = html`<p>${summary} This is version ${version}.</p>${groups}`
  return answerReference(c, { title: 'Interface', root: '', body })
}

/** One operation: who may ask, what is sent, and every answer. */
export function answerOperation(c: HttpContext, id: string): Response | undefined {
  const found = listOperations().find(({ operation }) => operation.operationId === id)
  if (found === undefined) return undefined
  const { method, path, operation } = found
  const root = '../../'
  const { summary, description, parameters, requestBody, responses, security } = operation
  const more = typeof description === 'string' ? html`<p>${description}</p>` : ''
  const body = html`<p>${summary}</p>${more}
<h2>Who may ask</h2>${showSecurity(security)}
${showParameters(parameters, root)}
${requestBody === undefined ? '' : html`<h2>Body</h2>${showContent(Object(requestBody).content, root)}`}
<h2>Answers</h2>${showResponses(responses, root)}`
  return answerReference(c, { title: `${method} ${path}`, root, body })
}

/** One schema of the document. */
export function answerSchema(c: HttpContext, name: string): Response | undefined {
  const { schemas } = describeApi().components
  if (!Object.hasOwn(schemas, name)) return undefined
  const root = '../../'
  return answerReference(c, {
    title: name,
    root,
    body: html`<p>${showSchema(schemas[name], root)}</p>`,
  })
}

function showSecurity(security: unknown): Content {
  const ways = Array.isArray(security) ? security.flatMap((one) => Object.entries(Object(one))) : []
  if (ways.length === 0) return html`<p>Anybody.</p>`
  const schemes = Object(describeApi().components.securitySchemes)
  const items = ways.map(([name, scopes]) => {
    const [scope] = Array.isArray(scopes) ? scopes : []
    const wanted = scope === undefined ? '' : html`, with the scope <code>${scope}</code>`
    return html`<li>${name}${wanted}: <span class="soft">${schemes[name]?.description}</span></li>`
  })
  return html`<ul>${items}</ul>`
}

function showParameters(parameters: unknown, root: string): Content {
  if (!Array.isArray(parameters) || parameters.length === 0) return html``
  const rows = parameters.map(
    ({ name, in: place, required, description, schema }) => html`<tr>
<th scope="row"><code>${name}</code></th><td>${place}${required === true ? html`, <strong>required</strong>` : ''}</td>
<td>${description ?? ''} ${showSchema(schema, root)}</td></tr>`,
  )
  return html`<h2>Parameters</h2>
<table><thead><tr><th scope="col">Name</th><th scope="col">In</th><th scope="col">What</th></tr></thead>
<tbody>${rows}</tbody></table>`
}

function showResponses(responses: unknown, root: string): Content {
  const rows = Object.entries(Object(responses)).map(([status, answer]) => {
    const { description, content } = resolve(Object(answer))
    return html`<tr><th scope="row">${status}</th><td>${description} ${showContent(content, root)}</td></tr>`
  })
  return html`<table><thead><tr><th scope="col">Status</th><th scope="col">What it is</th></tr></thead>
<tbody>${rows}</tbody></table>`
}

/** An answer that many operations have stands in the document once. */
function resolve(answer: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { $ref } = answer
  if (typeof $ref !== 'string') return answer
  return Object(describeApi().components.responses[$ref.split('/').at(-1) ?? ''])
}

function showContent(content: unknown, root: string): Content {
  const types = Object.entries(Object(content)).map(([type, media]) => {
    return html`<dt><code>${type}</code></dt><dd>${showSchema(Object(media).schema, root)}</dd>`
  })
  return types.length === 0 ? html`` : html`<dl>${types}</dl>`
}
