import { html } from 'hono/html'
import { describeReason } from '../../../access/reason-text.ts'
import type { InspectedDevice, KnownDevice } from '../../../operations/devices/inspect-device.ts'
import type { CompiledPolicy } from '../../../policy/document/compile.ts'
import { describeOverride, describeRelief } from '../../../views/describe-device.ts'
import type { Page, Viewer } from '../layout.ts'
import {
  agoTag,
  type Content,
  codeTag,
  facts,
  panel,
  plainTimes,
  shortId,
  timeTag,
  verdictTag,
} from '../parts.ts'
import { actionsPanel } from './action-forms.ts'
import { bootPanel } from './boot.ts'
import { clausesPanel } from './clauses.ts'
import { changesOfDevice, historyPanel } from './history.ts'
import { type AskedQuestion, questionPanel } from './question.ts'

/** All that is known of one device, the reason why it is denied first. */
export function devicePage(input: {
  readonly inspected: InspectedDevice
  readonly asked: AskedQuestion
  readonly viewer: Viewer
}): Page {
  const { inspected, asked, viewer } = input
  const { known, deviceId } = inspected
  const section = 'devices'
  if (known === null) {
    const body = html`<p>No attestation of this device was ever accepted, and nobody has listed it. What it tried:</p>${historyPanel(inspected)}`
    return { title: deviceId, section, body }
  }
  const name = known.device.about.name
  return {
    title: name === null || name === '' ? shortId(deviceId) : name,
    section,
    aside: standing(known, inspected.now),
    body: html`${why(known)}
<div class="cols">${clausesPanel(known)}${identityPanel(known, inspected.now)}${viewer.may('admin.operate') ? actionsPanel(known) : ''}${historyPanel(inspected)}${bootPanel(inspected, known)}${questionPanel(asked, known.decided)}${changesOfDevice(inspected)}</div>`,
  }
}

/** 404 with what to do next. */
export function unknownDevicePage(deviceId: string): Page {
  return {
    status: 404,
    title: 'No such device',
    section: 'devices',
    body: html`<p>Nothing is known of ${codeTag(deviceId.slice(0, 80))}. A device appears with its first attestation, or when somebody lists it.</p>
<p><a href="/console/devices">Find a device</a></p>`,
  }
}

function standing({ device, since }: KnownDevice, now: Date): Content {
  const kinds = [...new Set(device.relief.map(({ kind }) => kind.replace('_', ' ')))].join(', ')
  const when =
    since === undefined
      ? ''
      : html` ${since.isAtLeast ? 'at least since' : 'since'} ${timeTag(since.at)} (${agoTag(since.at, now)})`
  return html`<p>${verdictTag(device.verdict, kinds)}${when}</p>`
}

const MEASURED: Readonly<Record<string, string>> = {
  boot: 'It is measured at boot: restart to see a change.',
  resume: 'It is measured when the device wakes up: let it sleep, or restart, to see a change.',
  now: 'It is measured with each attestation: a change shows with the next one.',
}

/** In one glance: what is in the way, and what repairs it. */
function why({ device, policy, coming }: KnownDevice): Content {
  const { reasons, relief, verdict, record } = device
  const entries = reasons.map((reason) => {
    const { title, repair, clause, measured_at: measured } = describeReason(reason, policy, [])
    return html`<li><strong>${title}.</strong> ${repair}${measured === undefined ? '' : ` ${MEASURED[measured] ?? ''}`}${clause === undefined ? '' : html` <a href="#clause-${clause}"><code>${clause}</code></a>`}</li>`
  })
  const denied =
    entries.length === 0
      ? ''
      : html`<div class="alarm"><p><strong>Denied, because:</strong></p><ul>${entries}</ul>${quarantineText(record.quarantine)}</div>`
  const fine =
    verdict === 'trusted' && relief.length === 0
      ? html`<div class="done"><p>Nothing is in its way: it meets every clause that denies.</p></div>`
      : ''
  return html`${denied}${fine}${relieved(device)}${comingText(coming, policy)}`
}

function quarantineText(quarantine: KnownDevice['device']['record']['quarantine']): Content {
  if (quarantine === null) return html``
  const { at, by, reason } = quarantine
  return html`<p>Quarantined at ${timeTag(at)} by ${by}: ${reason}</p>`
}

function relieved({ relief, overrides }: KnownDevice['device']): Content {
  const texts = [...relief.map(describeRelief), ...overrides.map(describeOverride)]
  if (texts.length === 0) return html``
  return html`<div class="note"><p><strong>For a while:</strong></p><ul>${texts.map((text) => html`<li>${plainTimes(text)}</li>`)}</ul></div>`
}

function comingText(coming: KnownDevice['coming'], policy: CompiledPolicy): Content {
  if (coming.length === 0) return html``
  const entries = coming.map(
    ({ clause, from, title, repair }) =>
      html`<li>From ${timeTag(from)}: ${title}. ${repair} <a href="#clause-${clause}"><code>${clause}</code></a></li>`,
  )
  return html`<div class="note"><p><strong>Will be denied later by ${policy.document.name}, unless it is repaired:</strong></p><ul>${entries}</ul></div>`
}

const KEY_KINDS: Readonly<Record<string, string>> = {
  tpm: 'its TPM',
  aik: 'its attestation key',
  cnf: 'the key of its agent',
}

function identityPanel({ device, detail }: KnownDevice, now: Date): Content {
  const { record, about } = device
  const { attestation } = record
  const labels = record.labels.map((label) => html`<span class="tag">${label}</span> `)
  const body = facts({
    Device: codeTag(record.deviceId),
    Owner: record.owner ?? 'nobody said',
    'Serial number': about.serial ?? 'nobody said',
    'Entra device': record.entraDeviceId ?? 'nobody said',
    Labels: labels.length === 0 ? 'none' : html`${labels}`,
    Enrolment: record.enrolment,
    Ring: `${record.ring} of 0 to 99`,
    'Known by': KEY_KINDS[record.keyKind] ?? record.keyKind,
    'Further keys': detail.linkedKeys.length === 0 ? undefined : detail.linkedKeys.length,
    Hardware: record.vouched ? 'proven by its maker' : 'nobody vouches for it',
    Attested:
      attestation === null
        ? 'never'
        : html`${timeTag(attestation.attestedAt)} (${agoTag(attestation.attestedAt, now)})`,
    'Evidence counts until':
      attestation === null
        ? undefined
        : html`${timeTag(attestation.validUntil)} (${agoTag(attestation.validUntil, now)})`,
    Verifier: attestation === null ? undefined : codeTag(attestation.issuer),
    'On record since': timeTag(record.createdAt),
  })
  return panel('identity', 'Identity', body)
}
