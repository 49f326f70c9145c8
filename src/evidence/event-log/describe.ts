import { toHex } from '../../base/encoding.ts'
import { EV } from './event-types.ts'
import { parseSipaElements, type SipaElement } from './sipa.ts'
import type { TcgEvent, TcgLog } from './tcg-log.ts'
import { parseUefiVariable } from './uefi.ts'

/** One event in words. */
export type EventDescription = {
  readonly sequence: number
  readonly pcr: number
  readonly typeName: string
  readonly description: string
}

const MAX_DESCRIPTION_CHARS = 160
const MAX_VALUE_BYTES = 8

/**
 * Tells a person what a log says, event by event. It believes types and data, which neither a
 * replay nor a quote proves: for reading, never for deciding. Text from the log is reduced to
 * printable ASCII, so that it can go to a terminal.
 */
export function describeEvents(log: TcgLog): readonly EventDescription[] {
  return log.events.map((event) => ({
    sequence: event.sequence,
    pcr: event.pcr,
    typeName: event.typeName,
    description: shorten(describeData(event)),
  }))
}

function describeData(event: TcgEvent): string {
  const { type, data } = event
  switch (type) {
    case EV.efiVariableDriverConfig:
    case EV.efiVariableBoot:
    case EV.efiVariableBoot2:
    case EV.efiVariableAuthority: {
      const variable = parseUefiVariable(data)
      if (variable.ok) return `${variable.value.name} = ${describeBytes(variable.value.data)}`
      break
    }
    case EV.eventTag: {
      const elements = parseSipaElements(data)
      if (elements.ok) return describeElements(elements.value)
      break
    }
  }
  const text = Buffer.from(data).toString('latin1').replace(/\0+$/, '')
  const isText = data.length > MAX_VALUE_BYTES / 2 && /^[\x20-\x7e]+$/.test(text)
  return isText || text === 'WBCL' ? text : describeBytes(data)
}

function describeElements(elements: readonly SipaElement[]): string {
  const counts = new Map<string, number>()
  const parts: string[] = []
  for (const { id, name, data, children } of elements) {
    const label = name ?? `0x${id.toString(16)}`
    if (label === 'TRUSTBOUNDARY') parts.push(describeElements(children))
    else if (children.length > 0) counts.set(label, (counts.get(label) ?? 0) + 1)
    else parts.push(`${label}=${describeBytes(data)}`)
  }
  for (const [label, count] of counts) parts.push(`${count} × ${label}`)
  return parts.join(' ')
}

function describeBytes(data: Uint8Array): string {
  return data.length <= MAX_VALUE_BYTES ? toHex(data) : `${data.length} bytes`
}

function shorten(text: string): string {
  const printable = text.replace(/[^\x20-\x7e×]/g, '?')
  return printable.length <= MAX_DESCRIPTION_CHARS
    ? printable
    : `${printable.slice(0, MAX_DESCRIPTION_CHARS - 1)}…`
}
