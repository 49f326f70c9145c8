import { flagOf, numberOf, type SipaElement } from './sipa.ts'
import { SIPA } from './sipa-names.ts'
import type { WindowsEvent } from './windows.ts'

/** A value with its place, by which Windows' order of boot applications is told. */
export type Measured = { readonly event: WindowsEvent; readonly element: SipaElement }

/**
 * The settings of one boot, by event id. Windows measures a setting once per boot application
 * (boot manager, hypervisor loader, OS loader) and in PCR 12 and 13 alike, so there are several
 * measurements of most: the questions below say which of them decides.
 *
 * Settings are what stands in an event, or in a TRUSTBOUNDARY of it. Other containers and what is
 * not measured are not looked into for settings.
 */
export type BootSettings = {
  readonly values: ReadonlyMap<number, readonly Measured[]>
  readonly modules: readonly Measured[]
  readonly elamDrivers: readonly Measured[]
}

/** PCR 14 holds signers, no settings. */
const SETTING_PCRS: ReadonlySet<number> = new Set([12, 13])

export function collectSettings(events: readonly WindowsEvent[]): BootSettings {
  const values = new Map<number, Measured[]>()
  const modules: Measured[] = []
  const elamDrivers: Measured[] = []
  const visit = (event: WindowsEvent, elements: readonly SipaElement[]) => {
    for (const element of elements) {
      const measured = { event, element }
      if (!element.measured) continue
      if (element.id === SIPA.trustBoundary) visit(event, element.children)
      else if (element.id === SIPA.loadedModuleAggregation) modules.push(measured)
      else if (element.id === SIPA.elamAggregation) elamDrivers.push(measured)
      else if (element.children.length === 0) append(values, element.id, measured)
    }
  }
  for (const event of events) if (SETTING_PCRS.has(event.pcr)) visit(event, event.elements)
  return { values, modules, elamDrivers }
}

function append(values: Map<number, Measured[]>, id: number, measured: Measured): void {
  const list = values.get(id)
  if (list === undefined) values.set(id, [measured])
  else list.push(measured)
}

/** All measurements of one setting, of both PCRs or of one. */
export function measurementsOf(
  settings: BootSettings,
  id: number,
  pcr?: number,
): readonly Measured[] {
  const all = settings.values.get(id) ?? []
  return pcr === undefined ? all : all.filter(({ event }) => event.pcr === pcr)
}

/** Whether each measurement says yes: one application that says no decides. `undefined`: none. */
export function everyFlag(settings: BootSettings, id: number): boolean | undefined {
  const all = measurementsOf(settings, id)
  return all.length === 0 ? undefined : all.every(({ element }) => flagOf(element))
}

/** Whether each measurement says no: one application that says yes decides. `undefined`: none. */
export function noFlag(settings: BootSettings, id: number): boolean | undefined {
  const all = measurementsOf(settings, id)
  return all.length === 0 ? undefined : !all.some(({ element }) => flagOf(element))
}

export function numbersOf(settings: BootSettings, id: number, pcr?: number): readonly number[] {
  return measurementsOf(settings, id, pcr).map(({ element }) => numberOf(element.data))
}
