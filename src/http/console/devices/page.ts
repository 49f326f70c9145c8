import { html } from 'hono/html'
import type { UnmetClause } from '../../../access/unmet.ts'
import type { AssessedDevice } from '../../../operations/devices/assess-device.ts'
import type { DeviceSearch, FoundDevices } from '../../../operations/devices/find-devices.ts'
import type { GroupedCounts } from '../../../operations/devices/group-devices.ts'
import { joinLabels } from '../../../operations/devices/read-import.ts'
import { DEVICE_GROUPS, type DeviceGroup } from '../../../store/devices/device-reads.ts'
import { describeWhy } from '../../../views/describe-device.ts'
import { rankedBars } from '../charts/ranked-bars.ts'
import type { Page } from '../layout.ts'
import {
  agoTag,
  type Content,
  count,
  deviceLink,
  link,
  plainTimes,
  shortId,
  table,
  verdictTag,
} from '../parts.ts'
import { type Choices, filterForm } from './filter-form.ts'
import type { Chosen } from './query.ts'

const PATH = '/console/devices'
const LABELS_SHOWN = 3

type Asked = { readonly chosen: Chosen; readonly choices: Choices }

/** A page of devices; without what was found, the form alone. */
export function devicesPage(
  input: Asked & {
    readonly found: FoundDevices | undefined
    readonly search: DeviceSearch
    readonly now: Date
  },
): Page {
  const { chosen, choices, found, search, now } = input
  const body = found === undefined ? '' : html`${list(found, search, now)}${pager(chosen, found)}`
  return {
    ...{ title: 'Devices', section: 'devices', aside: others(chosen) },
    body: html`${filterForm(chosen, choices)}${body}`,
  }
}

function list({ devices, nextCursor }: FoundDevices, search: DeviceSearch, now: Date): Content {
  if (devices.length === 0) {
    return nextCursor === null
      ? html`<p>No device matches. Devices appear with their first attestation.</p>`
      : html`<p>None of the devices that were looked at matches; there are more to look at.</p>`
  }
  // What is only reported is in nobody's way: it is told to whoever asks for it.
  const isTold = ({ clause, severity }: UnmetClause) =>
    severity === 'enforce' || search.severity === 'report' || search.clause === clause
  return table({
    caption: 'Devices',
    columns: [
      ...[{ title: 'Device' }, { title: 'Verdict' }, { title: 'Why' }, { title: 'Owner' }],
      ...[{ title: 'Labels' }, { title: 'Ring', isNumber: true }, { title: 'Attested' }],
    ],
    rows: devices.map((device) => [
      nameCell(device),
      verdictTag(
        device.verdict,
        [...new Set(device.relief.map(({ kind }) => kind.replace('_', ' ')))].join(', '),
      ),
      html`<div class="why">${plainTimes(describeWhy(device, isTold))}</div>`,
      html`<div class="thin">${device.record.owner ?? ''}</div>`,
      labelsCell(device.record.labels),
      device.record.ring,
      attestedCell(device, now),
    ]),
  })
}

function nameCell({ record, about }: AssessedDevice): Content {
  const id = deviceLink(record.deviceId, about.name)
  return about.name === null || about.name === ''
    ? id
    : html`${id}<br><small class="id">${shortId(record.deviceId)}</small>`
}

function labelsCell(labels: readonly string[]): Content {
  const shown = labels
    .slice(0, LABELS_SHOWN)
    .map((label) => html`<span class="tag">${label}</span> `)
  const more = labels.length - LABELS_SHOWN
  return html`${shown}${more > 0 ? html`<small>and ${more}</small>` : ''}`
}

function attestedCell({ record }: AssessedDevice, now: Date): Content | string {
  return record.attestation === null
    ? 'never'
    : html`<span class="nowrap">${agoTag(record.attestation.attestedAt, now)}</span>`
}

/** Pages lie behind a device, so that none moves when devices come or go. */
function pager({ after, ...chosen }: Chosen, { nextCursor }: FoundDevices): Content {
  const first =
    after === undefined ? '' : html`<a class="button" href="${link(PATH, chosen)}">First page</a>`
  const next =
    nextCursor === null
      ? html`<span class="dim">That is the end.</span>`
      : html`<a class="button" rel="next" href="${link(PATH, { ...chosen, after: nextCursor })}">Next page</a>`
  return html`<nav class="pager" aria-label="Pages">${first}${next}</nav>`
}

/** The same devices in other forms. */
function others({ after: _after, by, ...chosen }: Chosen): Content {
  const counts = DEVICE_GROUPS.map((group) =>
    group === by
      ? html`<strong>${group}</strong> `
      : html`<a href="${link(PATH, { ...chosen, by: group })}">${group}</a> `,
  )
  return html`<span>Count by ${counts}</span> <span>Export <a href="${link(`${PATH}/export.csv`, chosen)}" download>CSV</a> <a href="${link(`${PATH}/export.jsonl`, chosen)}" download>JSON lines</a></span>`
}

/** How many of the devices that are looked for are in which group. */
export function groupsPage(
  input: Asked & { readonly by: DeviceGroup; readonly counted: GroupedCounts },
): Page {
  const { chosen, choices, by, counted } = input
  const { by: _by, after: _after, ...kept } = chosen
  const bars = counted.groups.map(({ group, severity, devices }) => ({
    label: html`<a href="${link(PATH, { ...kept, [by]: by === 'label' ? joinLabels([group]) : group })}">${group}</a>`,
    note: severity === undefined ? '' : severity === 'enforce' ? 'denies' : 'reports',
    tone: severity === 'enforce' ? 'untrusted' : 'unknown',
    value: devices,
  }))
  const picture =
    bars.length === 0
      ? html`<p>There is nothing to count by ${by} among them.</p>`
      : rankedBars({ caption: `Devices by ${by}`, columns: [by, 'Effect', 'Devices'], bars })
  return {
    ...{ title: `Devices by ${by}`, section: 'devices', aside: others(chosen) },
    body: html`${filterForm(kept, choices)}
<p>Of ${count(counted.devices)} devices that were found; each counts in every group that it is in. <a href="${link(PATH, kept)}">Show them</a></p>
${picture}`,
  }
}
