import type { Result } from '../../base/result.ts'
import { type ByteReader, type ParseFailure, parse } from '../bytes.ts'
import { MAX_EVENT_BYTES, MAX_SIPA_DEPTH, MAX_SIPA_ELEMENTS } from './limits.ts'
import { SIPA, sipaName } from './sipa-names.ts'
import { utf16 } from './uefi.ts'

/**
 * One element of the tagged data of a Windows boot event. As trustworthy as the event it is in;
 * `measured: false` (id bit 31) marks what Windows itself calls informational: never a source of
 * claims.
 */
export type SipaElement = {
  readonly id: number
  /** `undefined` for an id that is newer than this table: kept, and read by nothing. */
  readonly name: string | undefined
  readonly measured: boolean
  /** The value of a leaf, or the raw content of what is not measured; empty for a container. */
  readonly data: Uint8Array
  /** Of a measured container (id bit 30). */
  readonly children: readonly SipaElement[]
}

const AGGREGATION = 0x40000000
const NONMEASURED = 0x80000000

/**
 * Forms of the values that claims are read from. Only those: a build of Windows that changes a
 * value which nothing reads must not make every device of a fleet unattestable.
 */
type ValueForm = 'flag' | 'uint32' | 'uint64' | 'text'

const FORMS: ReadonlyMap<number, ValueForm> = new Map([
  [SIPA.bootDebugging, 'flag'],
  [SIPA.osKernelDebug, 'flag'],
  [SIPA.codeIntegrity, 'flag'],
  [SIPA.testSigning, 'flag'],
  [SIPA.safeMode, 'flag'],
  [SIPA.winPe, 'flag'],
  [SIPA.hypervisorDebug, 'flag'],
  [SIPA.flightSigning, 'flag'],
  [SIPA.imageValidated, 'flag'],
  [SIPA.vbsVsmRequired, 'flag'],
  [SIPA.vbsIommuRequired, 'flag'],
  [SIPA.vbsMandatoryEnforcement, 'flag'],
  [SIPA.transferControl, 'uint32'],
  [SIPA.bitlockerUnlock, 'uint32'],
  [SIPA.applicationSvn, 'uint32'],
  [SIPA.moduleSvn, 'uint32'],
  [SIPA.bootCounter, 'uint64'],
  [SIPA.dataExecutionPrevention, 'uint64'],
  [SIPA.hypervisorLaunchType, 'uint64'],
  [SIPA.hypervisorIommuPolicy, 'uint64'],
  [SIPA.vsmLaunchType, 'uint64'],
  [SIPA.vbsHvciPolicy, 'uint64'],
  [SIPA.elamKeyName, 'text'],
])

const FORM_TEXTS: Readonly<Record<ValueForm, string>> = {
  flag: '0 or 1, in 1 byte',
  uint32: 'a number in 4 bytes, little-endian',
  uint64: `a number up to ${Number.MAX_SAFE_INTEGER} in 8 bytes, little-endian`,
  text: 'text in UTF-16, with a NUL at its end or none',
}

/** `end` is the offset at which the enclosing container ends. */
type Place = { readonly end: number; readonly depth: number }

/**
 * Parses the data of an EV_EVENT_TAG of Windows: one or more of `UINT32 id, UINT32 size, data`,
 * little-endian, nested where the id says so. Unknown ids are kept; a value whose form is not that
 * of its id, a length that does not fit, or nesting beyond `MAX_SIPA_DEPTH` is an error.
 */
export function parseSipaElements(data: Uint8Array): Result<readonly SipaElement[], ParseFailure> {
  return parse('SIPA_EVENT', data, MAX_EVENT_BYTES, (reader) => {
    const place = { end: data.length, depth: 1 }
    const budget = { elements: 0 }
    // The first read is unconditional: a tagged event that tags nothing is cut off.
    const elements = [readElement(reader, place, budget)]
    while (reader.remaining > 0) elements.push(readElement(reader, place, budget))
    return elements
  })
}

/** A boot log has a thousand of these: one reader serves all depths. */
function readElement(reader: ByteReader, place: Place, budget: { elements: number }): SipaElement {
  reader.capped(++budget.elements, MAX_SIPA_ELEMENTS, 'elements')
  const id = reader.u32le('eventId')
  const size = reader.capped(reader.u32le('eventDataSize'), MAX_EVENT_BYTES, 'eventDataSize')
  const end = reader.offset + size
  if (end > place.end) {
    const { offset } = reader
    const found = `${place.end - offset} bytes`
    reader.fail('truncated', 'eventData', { offset, expected: `${size} bytes`, found })
  }
  const name = sipaName(id)
  if ((id & NONMEASURED) !== 0) {
    const data = reader.bytes(size, 'eventData')
    return { id, name, measured: false, data, children: NO_CHILDREN }
  }
  if ((id & AGGREGATION) === 0) {
    const field = name ?? 'eventData'
    const data = reader.bytes(size, field)
    const form = FORMS.get(id)
    if (form !== undefined && !hasForm(form, data)) {
      reader.fail('unexpected_value', field, FORM_TEXTS[form])
    }
    return { id, name, measured: true, data, children: NO_CHILDREN }
  }
  const inside = { end, depth: reader.capped(place.depth + 1, MAX_SIPA_DEPTH, 'depth') }
  const children: SipaElement[] = []
  while (reader.offset < end) children.push(readElement(reader, inside, budget))
  return { id, name, measured: true, data: NO_DATA, children }
}

const NO_DATA = new Uint8Array(0)
const NO_CHILDREN: readonly SipaElement[] = []

function hasForm(form: ValueForm, data: Uint8Array): boolean {
  switch (form) {
    case 'flag':
      return data.length === 1 && (data[0] === 0 || data[0] === 1)
    case 'uint32':
      return data.length === 4
    case 'uint64':
      return data.length === 8 && numberOf(data) <= Number.MAX_SAFE_INTEGER
    case 'text':
      return textOf(data) !== undefined
  }
}

/** The value of an element that `parseSipaElements` has found to be one byte of 0 or 1. */
export function flagOf(element: SipaElement): boolean {
  return element.data[0] === 1
}

/** A little-endian number of at most eight bytes; above 2^53 it is only roughly right. */
export function numberOf(data: Uint8Array): number {
  let value = 0
  for (let index = data.length - 1; index >= 0; index--) value = value * 256 + (data[index] ?? 0)
  return value
}

/** UTF-16LE with at most one NUL, at its end; `undefined` for anything else. */
export function textOf(data: Uint8Array): string | undefined {
  const text = utf16(data)
  const end = text?.indexOf('\0') ?? -1
  if (text === undefined || end === -1) return text
  return end === text.length - 1 ? text.slice(0, -1) : undefined
}
