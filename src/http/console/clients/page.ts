import { html } from 'hono/html'
import { ROLE_NAMES, ROLES } from '../../../oauth/roles.ts'
import { SCOPES, type Scope } from '../../../oauth/scopes.ts'
import type { ApiClient } from '../../../store/system/clients.ts'
import { actForm, selectField, textField } from '../fields.ts'
import type { Page, Viewer } from '../layout.ts'
import { agoTag, type Content, codeTag, facts, link, panel, table, timeTag } from '../parts.ts'
import { OVERLAPS, roleField, scopeField } from './forms.ts'

export const CLIENTS_PATH = '/console/clients'

export function clientPath(clientId: string): string {
  return `${CLIENTS_PATH}/${encodeURIComponent(clientId)}`
}

const MEANS: Readonly<Record<Scope, string>> = {
  'access.evaluate': 'ask for decisions (AuthZEN)',
  'admin.read': 'see devices, attestations, policy and reference values',
  'admin.operate': 'quarantine, release, admit, allow for a while, labels, links',
  'admin.author': 'preview and release documents, as far as the gates let one administrator',
  'admin.approve': 'be the second administrator of what somebody else has asked for',
  'admin.write': 'all of administration',
  'ssf.read': 'see its streams of security events, and poll them',
  'ssf.manage': 'make and change its streams',
}

/** The programs that may call, and a form to make another one known. */
export function clientsPage(input: {
  readonly clients: readonly ApiClient[]
  readonly viewer: Viewer
  readonly now: Date
}): Page {
  const { clients, viewer, now } = input
  const list =
    clients.length === 0
      ? html`<p>There are no clients yet. A gateway or an identity provider that asks for decisions is one, with the scope <code>access.evaluate</code>.</p>`
      : table({
          caption: 'API clients, the oldest first',
          columns: [
            ...[{ title: 'Client' }, { title: 'May' }, { title: 'State' }],
            ...[{ title: 'Proves itself by' }, { title: 'Last used' }, { title: 'Made' }],
          ],
          rows: clients.map((client) => [
            html`<a href="${clientPath(client.clientId)}">${client.name}</a><br><small class="id">${client.clientId}</small>`,
            html`${client.scopes.map((scope) => html`<span class="tag">${scope}</span> `)}`,
            stateTag(client),
            html`${proofText(client, now)}`,
            usedText(client.secretUsedAt, now),
            agoTag(client.createdAt, now),
          ]),
        })
  const body = html`${list}${viewer.may('admin.write') ? createPanel() : ''}`
  return { title: 'API clients', section: 'clients', body }
}

function stateTag({ disabledAt }: ApiClient): Content {
  return disabledAt === null
    ? html`<span class="v trusted">active</span>`
    : html`<span class="v unknown">disabled</span>`
}

function proofText({ keys, previousSecretUntil }: ApiClient, now: Date): string {
  if (keys !== null) return 'keys'
  return countsStill(previousSecretUntil, now) ? 'two secrets, for a while' : 'a secret'
}

function countsStill(until: Date | null, now: Date): until is Date {
  return until !== null && now < until
}

/** Uses are noted to the hour. */
function usedText(at: Date | null, now: Date): Content | string {
  return at === null ? 'never noted' : agoTag(at, now)
}

function createPanel(): Content {
  const box = (name: string, title: string, about: string) =>
    html`<li><label class="box"><input type="checkbox" name="${name}"> <code>${title}</code> ${about}</label></li>`
  const roles = ROLE_NAMES.map((role) => box(roleField(role), role, ROLES[role].join(', ')))
  const scopes = SCOPES.map((scope) => box(scopeField(scope), scope, MEANS[scope]))
  const body = html`<form method="post" action="${CLIENTS_PATH}" aria-label="Make a client">
<p>${textField({ id: 'c-name', name: 'name', title: 'Name, for people', isRequired: true, most: 200 })}</p>
<fieldset><legend>What people of these roles may</legend><ul class="plain boxes">${roles}</ul></fieldset>
<fieldset><legend>Or by scope</legend><ul class="plain boxes">${scopes}</ul></fieldset>
<p class="dim">Its secret is shown once, on the next page.</p>
<button class="main" type="submit">Make the client</button></form>`
  return panel('create', 'Make a client', body)
}

/** One client: what it may do and how it is used; secrets are kept as hashes, and never shown again. */
export function clientPage(input: {
  readonly client: ApiClient
  readonly viewer: Viewer
  readonly now: Date
}): Page {
  const { client, viewer, now } = input
  const { clientId, name, scopes, previousSecretUntil, previousSecretUsedAt } = client
  const isActive = client.disabledAt === null
  const old = countsStill(previousSecretUntil, now) ? previousSecretUntil : undefined
  const what = facts({
    Client: codeTag(clientId),
    State:
      client.disabledAt === null
        ? stateTag(client)
        : html`${stateTag(client)} since ${timeTag(client.disabledAt)}`,
    May: html`<ul class="plain">${scopes.map((scope) => html`<li><code>${scope}</code> ${MEANS[scope]}</li>`)}</ul>`,
    Made: timeTag(client.createdAt),
    'Proves itself by': proofText(client, now),
    'Keys changed': changedAt(client.keys !== null, client),
    'Secret changed': changedAt(client.keys === null, client),
    'Last used': html`${usedText(client.secretUsedAt, now)} <small>noted to the hour</small>`,
    'The secret before counts until': old && timeTag(old),
    'It was last used': old && usedText(previousSecretUsedAt, now),
  })
  const audit = link('/console/audit', { actor: clientId })
  const body = html`<div class="cols">${panel('facts', 'What is known of it', html`${what}<p><a href="${audit}">What it changed, in the audit log</a></p>`)}${viewer.may('admin.write') && isActive ? actionsPanel(client) : ''}</div>`
  return { title: name, section: 'clients', body }
}

function changedAt(isSo: boolean, { secretChangedAt }: ApiClient): Content | undefined {
  return isSo && secretChangedAt !== null ? timeTag(secretChangedAt) : undefined
}

function actionsPanel({ clientId, keys }: ApiClient): Content {
  const path = clientPath(clientId)
  const choices = Object.entries(OVERLAPS).map(([value, { title }]) => ({ value, title }))
  const overlap = selectField({
    ...{ id: 'overlap', name: 'overlap', title: 'The secret before counts for' },
    ...{ value: '24h', choices },
  })
  const rotate = actForm({
    title: 'Make another secret',
    hint: 'It is shown once, on the next page. Hand it out while the one before counts too. Where that does not count at all, access tokens of the client end as well.',
    action: `${path}/rotate`,
    fields: html`<div>${overlap}</div>`,
  })
  const disable = actForm({
    title: 'Disable',
    hint: 'It may do nothing any more, and its streams are disabled. There is no way back: make another one.',
    action: `${path}/disable`,
    fields: html``,
    isDangerous: true,
  })
  return panel('actions', 'Actions', html`${keys === null ? rotate : ''}${disable}`)
}

/** The one time that a secret is shown. */
export function secretPage(input: {
  readonly clientId: string
  readonly name: string
  readonly secret: string
  readonly previousUntil?: Date
}): Page {
  const { clientId, name, secret, previousUntil } = input
  const old =
    previousUntil === undefined
      ? ''
      : html`<p>The secret before counts until ${timeTag(previousUntil)}.</p>`
  const body = html`<div class="alarm"><p><strong>Copy the secret now: it is not shown again.</strong> Only a hash of it is kept.</p></div>
${facts({ Client: codeTag(clientId), Secret: codeTag(secret) })}${old}
<p>Programs send both by HTTP Basic, or get an access token with them at <code>/oauth/token</code>.</p>
<p><a class="button" href="${clientPath(clientId)}">Go on</a></p>`
  return { title: `Secret of ${name}`, section: 'clients', body }
}

export function unknownClientPage(clientId: string): Page {
  return {
    status: 404,
    title: 'No such client',
    section: 'clients',
    body: html`<p>There is no client ${codeTag(clientId.slice(0, 80))}.</p><p><a href="${CLIENTS_PATH}">All clients</a></p>`,
  }
}
