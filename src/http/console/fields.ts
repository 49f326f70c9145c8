import { html } from 'hono/html'
import type { Content } from './parts.ts'

/** One of several values of a field, and what people read for it. */
export type Choice = { readonly value: string; readonly title: string }

/** A field of a form, with its label. `id` is unique in the page. */
export function textField(input: {
  readonly id: string
  readonly name: string
  readonly title: string
  readonly value?: string | undefined
  readonly type?: 'text' | 'search' | 'number'
  readonly isRequired?: boolean
  readonly most?: number
  readonly placeholder?: string
}): Content {
  const { id, name, title, value = '', type = 'text', isRequired = false, most = 500 } = input
  const hint = input.placeholder === undefined ? '' : html` placeholder="${input.placeholder}"`
  const bounds = type === 'number' ? html` min="0" max="${most}"` : html` maxlength="${most}"`
  return html`<label for="${id}">${title}</label><input id="${id}" name="${name}" type="${type}" value="${value}"${bounds}${isRequired ? html` required` : ''}${hint}>`
}

/** A field with a value out of a few. A value that is none of them, as of an old link, stays as it is. */
export function selectField(input: {
  readonly id: string
  readonly name: string
  readonly title: string
  readonly value: string
  readonly choices: readonly Choice[]
}): Content {
  const { id, name, title, value, choices } = input
  const isKnown = choices.some((one) => one.value === value)
  const options = (isKnown ? choices : [...choices, { value, title: value }]).map(
    (one) =>
      html`<option value="${one.value}"${one.value === value ? html` selected` : ''}>${one.title}</option>`,
  )
  return html`<label for="${id}">${title}</label><select id="${id}" name="${name}">${options}</select>`
}

/** Why somebody does what a form does, as the audit log keeps it. */
export function reasonField(id: string): Content {
  const title = 'Reason, for the audit log'
  return html`<div class="long">${textField({ id, name: 'reason', title, isRequired: true })}</div>`
}

/** Something that may be done, folded away, with what it means. The form leads back to its page. */
export function actForm(input: {
  readonly title: string
  readonly hint: string
  readonly action: string
  readonly fields: Content
  readonly isDangerous?: boolean
  readonly isOpen?: boolean
}): Content {
  const { title, hint, action, fields, isDangerous = false, isOpen = false } = input
  return html`<details class="act"${isOpen ? html` open` : ''}><summary>${title}</summary><p class="dim">${hint}</p>
<form class="fields" method="post" action="${action}" aria-label="${title}">${fields}
<div><button class="${isDangerous ? 'danger' : 'main'}" type="submit">${title}</button></div></form></details>
`
}
