import { digest } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ParseFailure } from '../bytes.ts'
import { atEvent, insideEvent } from './at-event.ts'
import { compareCoverage, coversData, measurementTest, SEPARATOR } from './coverage.ts'
import { EV } from './event-types.ts'
import type { LogFailure } from './failure.ts'
import type { VerifiedLog } from './replay.ts'
import type { TcgEvent } from './tcg-log.ts'
import {
  parseUefiVariable,
  UEFI_GLOBAL_VARIABLE,
  UEFI_IMAGE_SECURITY_DATABASE,
  type UefiVariable,
} from './uefi.ts'

/** What PCR 7 says; verified. Every member is absent when it was never measured. */
export type SecureBootState = {
  readonly enabled?: boolean
  /** Base64url SHA-256 of the data of PK, KEK, db and dbx. */
  readonly keys: { pk?: string; kek?: string; db?: string; dbx?: string }
  /** The firmware was running under a debugger. PFP §3.3.4.8 */
  readonly firmwareDebugged: boolean
}

const SECURE_BOOT_PCR = 7
const FIRMWARE_DEBUGGER = Buffer.from('UEFI Debug Mode', 'latin1')
/** What firmware may tell in PCR 7 beside its variables before it closes it. PFP §3.3.4.8 */
const FIRMWARE_ACTIONS = [FIRMWARE_DEBUGGER, Buffer.from('DMA Protection Disabled', 'latin1')]

/** The variables that are read, and of which vendor. UEFI 2.10 §3.3, §32.6.1 */
export const SECURE_BOOT_VARIABLES: ReadonlyMap<string, string> = new Map([
  ['SecureBoot', UEFI_GLOBAL_VARIABLE],
  ['PK', UEFI_GLOBAL_VARIABLE],
  ['KEK', UEFI_GLOBAL_VARIABLE],
  ['db', UEFI_IMAGE_SECURITY_DATABASE],
  ['dbx', UEFI_IMAGE_SECURITY_DATABASE],
])

const KEY_VARIABLES: ReadonlyMap<string, keyof SecureBootState['keys']> = new Map([
  [`${UEFI_GLOBAL_VARIABLE}/PK`, 'pk'],
  [`${UEFI_GLOBAL_VARIABLE}/KEK`, 'kek'],
  [`${UEFI_IMAGE_SECURITY_DATABASE}/db`, 'db'],
  [`${UEFI_IMAGE_SECURITY_DATABASE}/dbx`, 'dbx'],
])
const SECURE_BOOT_VARIABLE = `${UEFI_GLOBAL_VARIABLE}/SecureBoot`
/** What every firmware measures before it closes PCR 7, empty where it is not set. PFP §3.3.4.8 */
const REQUIRED_VARIABLES = [...SECURE_BOOT_VARIABLES].map(([name, vendor]) => `${vendor}/${name}`)

/**
 * Reads the Secure Boot variables that the firmware measured into PCR 7, when the log was proven
 * against it.
 *
 * The firmware measures them and then closes PCR 7 with a separator; whoever runs later can still
 * extend the PCR. So a variable counts only when its digest covers its data and it stands before the
 * separator, once. TPM 1.2 logs hash the variable's data without its name, which leaves the name
 * free to be changed: they replay, but nothing is read from them. Events that say which key
 * verified which image (EV_EFI_VARIABLE_AUTHORITY) are not read; several versions of shim log
 * other bytes than they hash.
 *
 * No digest covers the type of an event, so that whoever hands in a log can call a variable something
 * else, with other data, and it would be as if it had never been measured. Before the separator
 * nothing of another type is tolerated therefore unless all variables are there that firmware has to
 * measure: then there is none that it could be. Every real log shows them and nothing else.
 */
export function readSecureBoot(
  verified: VerifiedLog,
): Result<SecureBootState, LogFailure | ParseFailure> {
  if (!verified.provenPcrs.has(SECURE_BOOT_PCR)) return ok({ keys: {}, firmwareDebugged: false })

  const isSeparator = measurementTest(verified.bank, SEPARATOR.firmware)
  const isDebugger = measurementTest(verified.bank, [FIRMWARE_DEBUGGER])
  const variables = new Map<string, MeasuredVariable>()
  const isAction = measurementTest(verified.bank, FIRMWARE_ACTIONS)
  let unexplained: TcgEvent | undefined
  let closed = false
  let firmwareDebugged = false
  for (const event of verified.log.events) {
    if (event.pcr !== SECURE_BOOT_PCR || event.type === EV.noAction) continue
    firmwareDebugged ||= isDebugger(event)
    if (isSeparator(event)) {
      if (closed) return err({ reason: 'log_separator_duplicate', ...atEvent(event) })
      closed = true
    } else if (event.type === EV.separator) {
      return err({ reason: 'log_event_unexpected', type: event.type, ...atEvent(event) })
    } else if (event.type === EV.efiVariableDriverConfig) {
      if (closed) return err({ reason: 'log_variable_after_separator', ...atEvent(event) })
      const added = addVariable(variables, event, verified)
      if (!added.ok) return added
    } else if (!closed && !isAction(event)) {
      unexplained ??= event
    }
  }
  if ((variables.size > 0 || unexplained !== undefined) && !closed) {
    return err({ reason: 'log_separator_missing', pcrs: [SECURE_BOOT_PCR] })
  }
  if (unexplained !== undefined && !REQUIRED_VARIABLES.every((name) => variables.has(name))) {
    const { type } = unexplained
    return err({ reason: 'log_event_unexpected', type, ...atEvent(unexplained) })
  }
  const enabled = readEnabled(variables.get(SECURE_BOOT_VARIABLE))
  if (!enabled.ok) return enabled
  return ok({ ...enabled.value, keys: hashKeys(variables), firmwareDebugged })
}

type MeasuredVariable = { readonly event: TcgEvent; readonly variable: UefiVariable }

function addVariable(
  variables: Map<string, MeasuredVariable>,
  event: TcgEvent,
  verified: VerifiedLog,
): Result<undefined, LogFailure | ParseFailure> {
  if (!coversData(event, verified.bank)) {
    const compared = () => compareCoverage(event, verified.bank)
    return err({ reason: 'log_event_digest_mismatch', ...atEvent(event), compared })
  }
  const parsed = parseUefiVariable(event.data)
  if (!parsed.ok) return err(insideEvent(parsed.failure, event))
  const name = `${parsed.value.vendor}/${parsed.value.name}`
  if (variables.has(name)) {
    return err({ reason: 'log_variable_duplicate', name, ...atEvent(event) })
  }
  variables.set(name, { event, variable: parsed.value })
  return ok(undefined)
}

/** One firmware in the field measures an empty SecureBoot variable: that says neither on nor off. */
function readEnabled(
  measured: MeasuredVariable | undefined,
): Result<{ enabled?: boolean }, LogFailure> {
  if (measured === undefined) return ok({})
  const { data } = measured.variable
  if (data.length !== 1 || (data[0] !== 0 && data[0] !== 1)) {
    return err({
      reason: 'log_secure_boot_invalid',
      bytes: data.length,
      ...atEvent(measured.event),
    })
  }
  return ok({ enabled: data[0] === 1 })
}

function hashKeys(variables: ReadonlyMap<string, MeasuredVariable>): SecureBootState['keys'] {
  const keys: SecureBootState['keys'] = {}
  for (const [name, key] of KEY_VARIABLES) {
    const measured = variables.get(name)
    if (measured !== undefined) keys[key] = toBase64Url(digest('sha256', measured.variable.data))
  }
  return keys
}
