import { toHex } from '../../base/encoding.ts'
import { SEPARATOR } from './coverage.ts'
import { EV } from './event-types.ts'
import { SECURE_BOOT_VARIABLES } from './secure-boot.ts'
import { parseSipaElements, type SipaElement } from './sipa.ts'
import { SIPA, sipaName } from './sipa-names.ts'
import type { TcgEvent, TcgLog } from './tcg-log.ts'
import { parseUefiVariable } from './uefi.ts'

/*
 * Finds in a log the elements that hold a claim and stand at a place where no claim is read. They are told
 * as the log says them, which neither a replay nor a quote proves: they help people who look for a claim
 * that is missing, and nothing is decided by them.
 */

/** Claims are read from these at the top of an event, or in a TRUSTBOUNDARY, of PCR 12 or 13. */
const SETTINGS: readonly number[] = [
  ...[SIPA.bootDebugging, SIPA.osKernelDebug, SIPA.hypervisorDebug, SIPA.testSigning],
  ...[SIPA.flightSigning, SIPA.codeIntegrity, SIPA.safeMode, SIPA.winPe],
  ...[SIPA.vbsVsmRequired, SIPA.vbsMandatoryEnforcement, SIPA.vbsHvciPolicy],
  ...[SIPA.vsmLaunchType, SIPA.hypervisorLaunchType, SIPA.vbsIommuRequired],
  ...[SIPA.hypervisorIommuPolicy, SIPA.bitlockerUnlock, SIPA.dataExecutionPrevention],
  ...[SIPA.bootCounter, SIPA.applicationSvn, SIPA.siPolicy],
  ...[SIPA.bootRevocationList, SIPA.osRevocationList],
]
const SETTINGS_RULE = 'in PCR 12 or 13 before WBCL, at the top of an event or in a TRUSTBOUNDARY'

/** An element that a claim would be read from at its right place, and where it stands. */
type Found = {
  readonly id: number
  readonly event: TcgEvent
  /** Whether it stands after the separator that ends what the loaders of Windows measure. */
  readonly isLate: boolean
  /** The outermost element that hides it, or the TRUSTBOUNDARY; `undefined` at the top of the event. */
  readonly container: number | undefined
}

/**
 * Names, in whole sentences, the settings and the variables of Secure Boot that a log has at places alone
 * where they are not read. Of the log's own text nothing is quoted but names that are known.
 */
export function describeUnread(log: TcgLog): readonly string[] {
  return [...describeSettings(log), ...describeVariables(log)]
}

/**
 * Says where a log has a key that signs reports, for a log from which no such key was read: such as
 * `one in event 16, PCR 13`. `undefined` where the log has none at all.
 */
export function findMisplacedSigner(log: TcgLog): string | undefined {
  const [found] = findElements(log, new Set([SIPA.vsmIdksInfo]))
  if (found === undefined) return undefined
  const isLoose = found.container === undefined ? ', outside a TRUSTBOUNDARY' : ''
  return `one in ${describeFound(found)}${isLoose}`
}

function describeSettings(log: TcgLog): readonly string[] {
  const all = findElements(log, new Set(SETTINGS))
  const read = new Set(all.filter(isReadAsSetting).map(({ id }) => id))
  const names = new Map<string, Set<string>>()
  for (const found of all) {
    if (read.has(found.id)) continue
    const place = describeFound(found)
    names.set(place, (names.get(place) ?? new Set()).add(nameOf(found.id)))
  }
  return [...names].map(([place, ids]) => {
    return `${place}: ${[...ids].join(', ')} not read: a setting counts ${SETTINGS_RULE}`
  })
}

function isReadAsSetting({ event, isLate, container }: Found): boolean {
  if (isLate || (event.pcr !== 12 && event.pcr !== 13)) return false
  return isOpen(container)
}

/**
 * Whether claims are read from the elements at this place: at the top of an event and in a TRUSTBOUNDARY
 * they are, and in any other container they are not.
 */
function isOpen(container: number | undefined): boolean {
  return container === undefined || container === SIPA.trustBoundary
}

function describeFound({ event, isLate, container }: Found): string {
  const parts = [
    `event ${event.sequence}`,
    `PCR ${event.pcr}`,
    ...(isLate ? ['after WBCL'] : []),
    ...(isOpen(container) ? [] : [`inside ${nameOf(container)}`]),
  ]
  return parts.join(', ')
}

function nameOf(id = 0): string {
  return sipaName(id) ?? `0x${id.toString(16)}`
}

function findElements(log: TcgLog, wanted: ReadonlySet<number>): readonly Found[] {
  const closed = new Set<number>()
  const all: Found[] = []
  const visit = (at: Omit<Found, 'id'>, elements: readonly SipaElement[]) => {
    for (const { id, measured, children } of elements) {
      if (!measured) continue
      if (wanted.has(id)) all.push({ ...at, id })
      visit({ ...at, container: isOpen(at.container) ? id : at.container }, children)
    }
  }
  for (const event of log.events) {
    if (isEndOfLoaders(event)) closed.add(event.pcr)
    if (event.type !== EV.eventTag) continue
    const elements = parseSipaElements(event.data)
    const isLate = closed.has(event.pcr)
    if (elements.ok) visit({ event, isLate, container: undefined }, elements.value)
  }
  return all
}

function isEndOfLoaders({ type, data }: TcgEvent): boolean {
  const text = toHex(data.subarray(0, 8))
  return type === EV.separator && SEPARATOR.windows.some((known) => toHex(known) === text)
}

function describeVariables(log: TcgLog): readonly string[] {
  const found = log.events.flatMap((event) => {
    if (event.type !== EV.efiVariableDriverConfig) return []
    const variable = parseUefiVariable(event.data)
    return variable.ok ? [{ event, ...variable.value }] : []
  })
  return [...SECURE_BOOT_VARIABLES].flatMap(([name, vendor]) => {
    const named = found.filter((one) => one.name === name)
    const [first] = named
    if (first === undefined) return []
    if (named.some((one) => one.vendor === vendor && one.event.pcr === 7)) return []
    const place = `event ${first.event.sequence}, PCR ${first.event.pcr}`
    return [
      `${place}: the variable ${name} of the vendor ${first.vendor} not read: it counts in PCR 7, of the vendor ${vendor}`,
    ]
  })
}
