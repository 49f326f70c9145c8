import { toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ParseFailure } from '../bytes.ts'
import { atEvent, insideEvent } from './at-event.ts'
import type { BootClaims } from './boot-claims.ts'
import {
  type BootSettings,
  collectSettings,
  everyFlag,
  type Measured,
  measurementsOf,
  noFlag,
  numbersOf,
} from './boot-settings.ts'
import type { LogFailure } from './failure.ts'
import { flagOf, numberOf, type SipaElement, textOf } from './sipa.ts'
import { SIPA } from './sipa-names.ts'
import {
  parseIdentityKey,
  parseRevocationList,
  parseSiPolicy,
  type RsaPublicKey,
} from './sipa-payloads.ts'
import type { WindowsEvent } from './windows.ts'

type ReadResult<T> = Result<T, LogFailure | ParseFailure>

/**
 * Claims from the events of Windows' loaders, under the names and with the meaning that the policy
 * of Microsoft's HealthAttestation documentation gives them, so that both verifiers say the same of
 * the same boot. Where that policy turns "never measured" into a value, the claim is left out here,
 * unless the OS loader did measure its settings: then a protection it does not name is off.
 */
export function readWindowsClaims(events: readonly WindowsEvent[]): ReadResult<BootClaims> {
  const settings = collectSettings(events)
  const counters = readCounters(settings)
  if (!counters.ok) return counters
  const content = readPolicyContent(settings)
  if (!content.ok) return content
  return ok({
    ...dropUndefined({
      bootDebuggingDisabled: noFlag(settings, SIPA.bootDebugging),
      osKernelDebuggingDisabled: noFlag(settings, SIPA.osKernelDebug),
      hypervisorDebuggingDisabled: noFlag(settings, SIPA.hypervisorDebug),
      testSigningDisabled: noFlag(settings, SIPA.testSigning),
      flightSigningNotEnabled: noFlag(settings, SIPA.flightSigning),
      codeIntegrityEnabled: everyFlag(settings, SIPA.codeIntegrity),
      notSafeMode: noFlag(settings, SIPA.safeMode),
      notWinPE: noFlag(settings, SIPA.winPe),
    }),
    ...readVirtualization(settings),
    ...readBitlocker(settings),
    ...readElam(settings),
    ...readVersions(settings),
    ...counters.value,
    ...content.value,
  })
}

/**
 * The identity keys of the secure kernel. In real logs they are the children of a TRUSTBOUNDARY
 * that winload measures last into PCR 12; anywhere else they are not believed. Several measurements
 * must be of one key.
 */
export function readIdentityKey(
  events: readonly WindowsEvent[],
  id: typeof SIPA.vsmIdksInfo | typeof SIPA.vsmIdkInfo,
): ReadResult<RsaPublicKey | undefined> {
  let found: RsaPublicKey | undefined
  for (const event of events) {
    if (event.pcr !== 12) continue
    for (const { children } of event.elements.filter(
      (element) => element.id === SIPA.trustBoundary,
    )) {
      for (const { data } of children.filter((element) => element.id === id)) {
        const key = parseIdentityKey(data)
        if (!key.ok) return err(insideEvent(key.failure, event, data))
        if (found !== undefined && (found.n !== key.value.n || found.e !== key.value.e)) {
          const claim = id === SIPA.vsmIdksInfo ? 'idks' : 'idk'
          return err({ reason: 'log_claim_conflict', claim, ...atEvent(event) })
        }
        found = key.value
      }
    }
  }
  return ok(found)
}

/**
 * VBS runs when the OS loader enforced it (VBS_VSM_REQUIRED, VBS_MANDATORY_ENFORCEMENT) and nothing
 * says that the hypervisor or VSM was not launched. Windows measures VBS_HVCI_POLICY and
 * VBS_IOMMU_REQUIRED only where they are in force. HYPERVISOR_IOMMU_POLICY is a boot option
 * (0 default, 1 enable, 2 disable) and proves no IOMMU; it can only take the claim away.
 */
function readVirtualization(settings: BootSettings): BootClaims {
  const required = [
    ...measurementsOf(settings, SIPA.vbsVsmRequired),
    ...measurementsOf(settings, SIPA.vbsMandatoryEnforcement),
  ]
  const launches = [
    ...numbersOf(settings, SIPA.vsmLaunchType),
    ...numbersOf(settings, SIPA.hypervisorLaunchType),
  ]
  const hvci = numbersOf(settings, SIPA.vbsHvciPolicy)
  const iommu = everyFlag(settings, SIPA.vbsIommuRequired)
  const iommuPolicy = numbersOf(settings, SIPA.hypervisorIommuPolicy)
  const told =
    hasOsLoader(settings) || required.length > 0 || launches.length > 0 || iommuPolicy.length > 0
  if (!told) return {}

  const vbsEnabled =
    required.length > 0 &&
    required.every(({ element }) => flagOf(element)) &&
    launches.every((type) => type !== 0)
  return {
    vbsEnabled,
    hvciEnabled: vbsEnabled && hvci.length > 0 && hvci.every((policy) => policy === 1),
    iommuEnabled: iommu === true && !iommuPolicy.includes(IOMMU_DISABLED),
  }
}

const IOMMU_DISABLED = 2

/** The first way of unlocking in the order of boot applications that is not "none", or none. */
function readBitlocker(settings: BootSettings): BootClaims {
  const unlocks = numbersOf(settings, SIPA.bitlockerUnlock, 12)
  if (unlocks.length === 0) return {}
  const bitlockerEnabledValue = unlocks.find((way) => way !== 0) ?? 0
  return { bitlockerEnabled: bitlockerEnabledValue !== 0, bitlockerEnabledValue }
}

/**
 * The registered early-launch drivers by key name, and whether Defender's was really loaded. The
 * name is not enough: machines with another vendor's driver still have the key `Windows Defender`,
 * and load the other driver.
 */
function readElam(settings: BootSettings): BootClaims {
  const names = settings.elamDrivers.flatMap(({ element }) =>
    element.children.flatMap(({ id, data }) => (id === SIPA.elamKeyName ? [textOf(data)] : [])),
  )
  const drivers = names.filter((name) => name !== undefined)
  return {
    ...(drivers.length > 0 ? { elamDrivers: [...new Set(drivers)] } : {}),
    ...(hasOsLoader(settings)
      ? { WindowsDefenderElamDriverLoaded: settings.modules.some(isDefenderElamDriver) }
      : {}),
  }
}

const DEFENDER_ELAM_DRIVERS: ReadonlySet<string> = new Set([
  '\\windows\\system32\\drivers\\wdboot.sys',
  '\\windows\\system32\\drivers\\wd\\wdboot.sys',
])
const LONGEST_ELAM_PATH_BYTES = 2 * 40

function isDefenderElamDriver({ element }: Measured): boolean {
  const path = childOf(element, SIPA.filePath)
  if (path === undefined || path.data.length > LONGEST_ELAM_PATH_BYTES) return false
  if (!DEFENDER_ELAM_DRIVERS.has(textOf(path.data)?.toLowerCase() ?? '')) return false
  const validated = childOf(element, SIPA.imageValidated)
  return validated !== undefined && flagOf(validated)
}

/** Values of which there is one per boot. */
function readCounters(settings: BootSettings): ReadResult<BootClaims> {
  const bootCounter = onlyValue(settings, SIPA.bootCounter, 'bootCounter')
  if (!bootCounter.ok) return bootCounter
  const depPolicy = onlyValue(settings, SIPA.dataExecutionPrevention, 'depPolicy')
  if (!depPolicy.ok) return depPolicy
  return ok(dropUndefined({ bootCounter: bootCounter.value, depPolicy: depPolicy.value }))
}

function onlyValue(
  settings: BootSettings,
  id: number,
  claim: string,
): Result<number | undefined, LogFailure> {
  const [first, ...others] = measurementsOf(settings, id)
  if (first === undefined) return ok(undefined)
  const value = numberOf(first.element.data)
  const other = others.find(({ element }) => numberOf(element.data) !== value)
  if (other === undefined) return ok(value)
  return err({ reason: 'log_claim_conflict', claim, ...atEvent(other.event) })
}

/**
 * The security versions of the boot manager and of what it started. The boot manager is the first
 * to measure APPLICATION_SVN into PCR 12. It then transfers control to winload (1) or winresume
 * (2), measures the module with its MODULE_SVN into PCR 13, and the APPLICATION_SVN that follows in
 * PCR 12 is that application's own.
 */
function readVersions(settings: BootSettings): BootClaims {
  const versions = measurementsOf(settings, SIPA.applicationSvn, 12)
  const manager = versions[0]
  if (manager === undefined) return {}
  const transfer = measurementsOf(settings, SIPA.transferControl, 12).find(
    ({ event, element }) =>
      event.sequence >= manager.event.sequence && [1, 2].includes(numberOf(element.data)),
  )
  const module = settings.modules.find(
    ({ event, element }) =>
      transfer !== undefined &&
      event.pcr === 13 &&
      event.sequence > transfer.event.sequence &&
      childOf(element, SIPA.moduleSvn) !== undefined,
  )
  const started = versions.find(
    ({ event }) => module !== undefined && event.sequence > module.event.sequence,
  )
  return {
    bootMgrSvn: numberOf(manager.element.data),
    ...(started === undefined ? {} : { bootAppSvn: numberOf(started.element.data) }),
  }
}

/** Raw payloads, base64url, each parsed before it is passed on. Windows measures them in PCR 13. */
function readPolicyContent(settings: BootSettings): ReadResult<BootClaims> {
  const policies = measurementsOf(settings, SIPA.siPolicy, 13)
  for (const { event, element } of policies) {
    const parsed = parseSiPolicy(element.data)
    if (!parsed.ok) return err(insideEvent(parsed.failure, event, element.data))
  }
  const lists: { bootRevListInfo?: string; osRevListInfo?: string } = {}
  for (const [claim, id] of REVOCATION_LISTS) {
    for (const { event, element } of measurementsOf(settings, id, 13)) {
      const parsed = parseRevocationList(element.data)
      if (!parsed.ok) return err(insideEvent(parsed.failure, event, element.data))
      lists[claim] ??= toBase64Url(element.data)
    }
  }
  if (policies.length === 0) return ok(lists)
  return ok({
    ...lists,
    codeIntegrityPolicy: policies.map(({ element }) => toBase64Url(element.data)),
  })
}

const REVOCATION_LISTS = [
  ['bootRevListInfo', SIPA.bootRevocationList],
  ['osRevListInfo', SIPA.osRevocationList],
] as const

/** Only the OS loader measures this; a resume from hibernation or a boot menu never gets there. */
function hasOsLoader(settings: BootSettings): boolean {
  return settings.values.has(SIPA.osKernelDebug)
}

function childOf(element: SipaElement, id: number): SipaElement | undefined {
  return element.children.find((child) => child.id === id)
}

function dropUndefined<T extends Record<string, unknown>>(claims: T) {
  type Present = { [K in keyof T]?: Exclude<T[K], undefined> }
  return Object.fromEntries(
    Object.entries(claims).filter(([, value]) => value !== undefined),
  ) as Present
}
