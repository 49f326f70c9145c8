import { html } from 'hono/html'
import { toUtf8 } from '../../../base/encoding.ts'
import { walkDevices } from '../../../operations/devices/walk-devices.ts'
import { EXPORTS, type ExportFormat } from '../../../views/export-devices.ts'
import type { HttpContext } from '../../environment.ts'
import type { PageServices } from '../services.ts'
import { tellFailure } from '../tell-failure.ts'
import { parseChosen, readChosen, searchOfQuery } from './query.ts'

const TYPES: Readonly<Record<ExportFormat, string>> = {
  csv: 'text/csv; charset=UTF-8; header=present',
  jsonl: 'application/jsonl; charset=UTF-8',
}

/**
 * The devices that are looked for as a file. They are read while they are sent, no faster than they are taken: a fleet
 * of any size goes out of the memory of one page. A fault in the middle breaks the file off, so that nobody takes it
 * for whole.
 */
export async function answerExport(
  c: HttpContext,
  services: PageServices,
  format: ExportFormat,
): Promise<Response> {
  const { clock, store } = services
  const query = parseChosen(readChosen(c.req.url).chosen)
  const refuse = async (failure: Parameters<typeof tellFailure>[1]) => {
    const { status, notice } = await tellFailure(c, failure)
    return services.show(c, { title: 'Export', section: 'devices', status, notice, body: html`` })
  }
  if (!query.ok) return refuse(query.failure)
  const now = clock()
  const search = searchOfQuery(query.value, now)
  const pages = walkDevices(services, search, c.req.raw.signal)
  // The first page says whether the search is refused, while a status can still be chosen.
  const first = await pages.next()
  if (first.done !== true && !first.value.ok) return refuse(first.value.failure)
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const sent = send(writable, rowsOf(format, first, pages))
  store.keepOpen?.(sent)
  const name = `devices-${now.toISOString().slice(0, 10)}.${format}`
  return c.body(readable, 200, {
    'content-type': TYPES[format],
    'content-disposition': `attachment; filename="${name}"`,
    'cache-control': 'no-store',
  })
}

type Pages = ReturnType<typeof walkDevices>

async function* rowsOf(
  format: ExportFormat,
  first: Awaited<ReturnType<Pages['next']>>,
  pages: Pages,
): AsyncGenerator<string, void, void> {
  const { head, line } = EXPORTS[format]
  if (head !== '') yield head
  for (let page = first; page.done !== true; page = await pages.next()) {
    if (!page.value.ok) throw new Error('the rest of an export was refused')
    if (page.value.value.length > 0) yield page.value.value.map(line).join('')
  }
}

/** Waits for room before each write. Whoever goes away ends it. */
async function send(
  writable: WritableStream<Uint8Array>,
  parts: AsyncGenerator<string, void, void>,
): Promise<void> {
  const writer = writable.getWriter()
  try {
    for await (const part of parts) {
      await writer.ready
      await writer.write(toUtf8(part))
    }
    await writer.close()
  } catch (error) {
    await writer.abort(error).catch(() => {})
  }
}
