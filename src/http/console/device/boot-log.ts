import { html } from 'hono/html'
import { isDeviceId } from '../../../access/device-id.ts'
import { MAX_LOG_BYTES } from '../../../evidence/event-log/limits.ts'
import { NO_PCR } from '../../../evidence/event-log/tcg-log.ts'
import {
  firstDifference,
  type ReadBootLog,
  readBootLog,
} from '../../../operations/devices/read-boot-log.ts'
import type { HttpContext } from '../../environment.ts'
import type { Notice, Page } from '../layout.ts'
import { type Content, codeTag, devicePath, panel, shortId, table, timeTag } from '../parts.ts'
import type { PageServices } from '../services.ts'
import { readUploads } from './uploads.ts'

/** Two logs, and what stands around them in the form. */
const MAX_UPLOAD_BYTES = 2 * MAX_LOG_BYTES + 64 * 1024
const ATTEMPTS_LOOKED_AT = 200

/** The form for a boot log that somebody has, as the service keeps none. */
export async function answerBootLog(c: HttpContext, services: PageServices): Promise<Response> {
  return services.show(c, bootLogPage(c.req.param('id') ?? '', formOf()))
}

/** Reads the log event by event. Nothing of it is kept. */
export async function answerReadLog(c: HttpContext, services: PageServices): Promise<Response> {
  const deviceId = c.req.param('id') ?? ''
  const refuse = (status: 400 | 413, text: string) => {
    const notice: Notice = { kind: 'alarm', text }
    return services.show(c, { ...bootLogPage(deviceId, formOf()), status, notice })
  }
  const uploads = await readUploads(c.req.raw, MAX_UPLOAD_BYTES)
  if (uploads === 'too_large') return refuse(413, 'These files are larger than boot logs are.')
  const [given, goodGiven] = [uploads?.get('log'), uploads?.get('good')]
  if (given === undefined || given.length === 0)
    return refuse(400, 'Choose the file of a boot log.')
  const history = isDeviceId(deviceId)
    ? (await services.store.deviceHistory(deviceId, { limit: ATTEMPTS_LOOKED_AT })).entries
    : []
  const log = readBootLog(given, history)
  if (!log.ok) return refuse(400, `This is no boot log that can be read: ${log.failure.detail}.`)
  const good = goodGiven && goodGiven.length > 0 ? readBootLog(goodGiven, history) : undefined
  if (good?.ok === false) {
    return refuse(400, `The other file is no boot log that can be read: ${good.failure.detail}.`)
  }
  const body = html`${eventsPanel(log.value, good?.value)}${formOf()}`
  return services.show(c, bootLogPage(deviceId, body))
}

function bootLogPage(deviceId: string, body: Content): Page {
  return {
    title: `Boot log of ${shortId(deviceId)}`,
    section: 'devices',
    aside: html`<a href="${devicePath(deviceId)}">Back to the device</a>`,
    body,
  }
}

function formOf(): Content {
  return panel(
    'read',
    'Read a boot log',
    html`<p>The service keeps no boot log, but the digest of each. On Windows the logs are in <code>C:\\Windows\\Logs\\MeasuredBoot</code>. What you choose is read and forgotten.</p>
<form class="fields" method="post" enctype="multipart/form-data" aria-label="Boot log">
<div><label for="log">The log</label><input id="log" name="log" type="file" required></div>
<div><label for="good">One of a good start, to compare it with (optional)</label><input id="good" name="good" type="file"></div>
<div><button class="main" type="submit">Read</button></div></form>`,
  )
}

function eventsPanel(log: ReadBootLog, good: ReadBootLog | undefined): Content {
  const different = good === undefined ? undefined : firstDifference(log, good)
  const rows = log.events.map((event) => [
    event.sequence === different
      ? html`<strong class="untrusted" id="first-different">▶ ${event.sequence}</strong>`
      : String(event.sequence),
    event.pcr === NO_PCR ? '' : String(event.pcr),
    html`<code>${event.typeName}</code><br><small>${event.meaning}</small>`,
    html`<span class="id">${event.description}</span>`,
    html`<span class="id nowrap">${event.digest.slice(0, 16)}</span>`,
  ])
  return panel(
    'events',
    `${log.events.length} events`,
    html`${provenText(log)}${good === undefined ? '' : comparedText(log, good, different)}${table({
      caption: 'Events of the boot log, in their order',
      columns: [
        ...[
          { title: 'Event', isNumber: true },
          { title: 'PCR', isNumber: true },
        ],
        ...[{ title: 'Type and meaning' }, { title: 'What it says' }, { title: 'Digest begins' }],
      ],
      rows,
    })}`,
  )
}

function provenText({ attestation, digest }: ReadBootLog): Content {
  return attestation === undefined
    ? html`<p>No attestation of this device that is kept came with this log (${codeTag(digest)}): nothing proves that it was measured.</p>`
    : html`<p>This is the log of the attestation of ${timeTag(attestation.at)}, ${attestation.outcome}${attestation.verdict === null ? '' : ` as ${attestation.verdict}`}.</p>`
}

function comparedText(log: ReadBootLog, good: ReadBootLog, different: number | undefined): Content {
  const other =
    good.attestation === undefined
      ? html`the other log`
      : html`the log of ${timeTag(good.attestation.at)}`
  if (different === undefined) return html`<p>Every event is the same as in ${other}.</p>`
  return log.events.some(({ sequence }) => sequence === different)
    ? html`<p>The first event that differs from ${other} is <a href="#first-different">number ${different}</a>.</p>`
    : html`<p>It ends before ${other} does, and is the same until there.</p>`
}
