import { html } from 'hono/html'
import type { KnownDevice } from '../../../operations/devices/inspect-device.ts'
import { joinLabels } from '../../../operations/devices/read-import.ts'
import { type Content, devicePath, panel } from '../parts.ts'
import type { DeviceAction } from './actions.ts'

type Form = {
  readonly action: DeviceAction
  readonly title: string
  readonly hint: string
  readonly fields: Content
  readonly isDangerous?: boolean
}

/** What may be done to the device, for those who may. Each is a form that leads back here. */
export function actionsPanel({ device }: KnownDevice): Content {
  const { record } = device
  const forms = formsOf(device).map((form) => {
    const { action, title, hint, fields, isDangerous } = form
    return html`<details class="act"><summary>${title}</summary><p class="dim">${hint}</p>
<form class="fields" method="post" action="${devicePath(record.deviceId)}/${action}" aria-label="${title}">${fields}
<div><button class="${isDangerous === true ? 'danger' : 'main'}" type="submit">${title}</button></div></form></details>\n`
  })
  return panel('actions', 'Actions', html`${forms}`)
}

function formsOf(device: KnownDevice['device']): readonly Form[] {
  const { record } = device
  const standing: Form =
    record.quarantine === null
      ? {
          action: 'quarantine',
          title: 'Quarantine',
          hint: 'Ends trust in it at once, whatever it attests, until somebody releases it.',
          fields: reasonField('quarantine'),
          isDangerous: true,
        }
      : {
          action: 'release',
          title: 'Release from quarantine',
          hint: 'What it attests counts again.',
          fields: reasonField('release'),
        }
  const admit: Form = {
    action: 'admit',
    title: 'Admit',
    hint: 'It waits for this: until then it is denied.',
    fields: reasonField('admit'),
  }
  return [
    ...(record.enrolment === 'pending' ? [admit] : []),
    standing,
    allowForm(),
    attributesForm(device),
    {
      action: 'sign-out',
      title: 'Sign out',
      hint: 'Ends its device tokens: it gets another when it attests again.',
      fields: reasonField('sign-out'),
    },
    replacesForm(),
  ]
}

function reasonField(of: DeviceAction): Content {
  return html`<div class="long"><label for="r-${of}">Reason, for the audit log</label><input id="r-${of}" name="reason" required maxlength="500"></div>`
}

function allowForm(): Form {
  const hours = [1, 4, 24, 72, 168].map(
    (one) => html`<option value="${one}">${one < 48 ? `${one} h` : `${one / 24} days`}</option>`,
  )
  return {
    action: 'allow',
    title: 'Allow for a while',
    hint: 'Clauses and the age of its evidence do not count until then. A quarantine does.',
    fields: html`<div><label for="allow-hours">For</label><select id="allow-hours" name="hours">${hours}</select></div>${reasonField('allow')}`,
  }
}

function attributesForm({ record, about }: KnownDevice['device']): Form {
  const field = (name: string, title: string, value: string | null) =>
    html`<div><label for="a-${name}">${title}</label><input id="a-${name}" name="${name}" value="${value ?? ''}"></div>`
  return {
    action: 'attributes',
    title: 'Change labels and names',
    hint: 'Where a policy, an exception or a rollout goes by them, they may decide something.',
    fields: html`<div class="long"><label for="a-labels">Labels, with ; between them</label><input id="a-labels" name="labels" value="${joinLabels(record.labels)}"></div>
${field('name', 'Name', about.name)}${field('owner', 'Owner', record.owner)}${field('serial', 'Serial number', about.serial)}${field('entra_device_id', 'Entra device', record.entraDeviceId)}`,
  }
}

function replacesForm(): Form {
  return {
    action: 'replaces',
    title: 'Takes the place of another',
    hint: 'The machine was given another TPM. What was said of the device before is said of this one, and that one is quarantined.',
    fields: html`<div class="long"><label for="replaced">Id of the device before</label><input id="replaced" name="replaced" required placeholder="dev_…" maxlength="128"></div>${reasonField('replaces')}`,
    isDangerous: true,
  }
}
