import { DIGEST_BYTES, digest, type HashAlgorithm } from '../../../src/base/digest.ts'
import { type BootClaims, readBootClaims } from '../../../src/evidence/event-log/claims.ts'
import { EV } from '../../../src/evidence/event-log/event-types.ts'
import {
  replayLog,
  type VerifiedLog,
  verifyReplay,
} from '../../../src/evidence/event-log/replay.ts'
import { parseTcgLog, type TcgLog } from '../../../src/evidence/event-log/tcg-log.ts'
import { hashAlgorithmId } from '../../../src/evidence/tpm/algorithms.ts'
import type { PcrBank } from '../../../src/evidence/tpm/pcr.ts'
import { expectOk } from '../../support/refusal.ts'
import { vector, vectorJson } from '../../support/vectors.ts'

/** An event to be encoded; the digests are those of `extended`, else of `data`. */
export type EventInput = {
  readonly pcr: number
  readonly type: number
  readonly data: Uint8Array
  readonly extended?: Uint8Array
  /** Given instead of computed, as when a parsed log is encoded again. */
  readonly digests?: ReadonlyMap<HashAlgorithm, Uint8Array>
}

export function u16(value: number): Uint8Array {
  return Buffer.from(new Uint16Array([value]).buffer)
}
export function u32(value: number): Uint8Array {
  return Buffer.from(new Uint32Array([value]).buffer)
}
export function u64(value: bigint | number): Uint8Array {
  return Buffer.from(new BigUint64Array([BigInt(value)]).buffer)
}
export function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
export function utf16le(text: string): Uint8Array {
  return Buffer.from(text, 'utf16le')
}
export function bytes(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}

export function specId(
  algorithms: readonly (readonly [id: number, size: number])[],
  vendorInfo: Uint8Array = Buffer.alloc(0),
): Uint8Array {
  return bytes(
    ascii('Spec ID Event03\0'),
    u32(0),
    Buffer.from([0, 2, 0, 2]),
    u32(algorithms.length),
    ...algorithms.map(([id, size]) => bytes(u16(id), u16(size))),
    Buffer.from([vendorInfo.length]),
    vendorInfo,
  )
}

export function encodeSha1Event({ pcr, type, data, extended, digests }: EventInput): Uint8Array {
  const value = digests?.get('sha1') ?? digest('sha1', extended ?? data)
  const proven = type === EV.noAction ? Buffer.alloc(DIGEST_BYTES.sha1) : value
  return bytes(u32(pcr), u32(type), proven, u32(data.length), data)
}

export function encodeLog(
  events: readonly EventInput[],
  banks: readonly HashAlgorithm[] | 'sha1-format' = ['sha256'],
): Uint8Array {
  if (banks === 'sha1-format') return bytes(...events.map(encodeSha1Event))
  const header = specId(banks.map((bank) => [hashAlgorithmId(bank), DIGEST_BYTES[bank]] as const))
  return bytes(
    encodeSha1Event({ pcr: 0, type: EV.noAction, data: header }),
    ...events.map((event) => {
      const digests =
        event.digests ??
        new Map(banks.map((bank) => [bank, digest(bank, event.extended ?? event.data)]))
      return bytes(
        u32(event.pcr),
        u32(event.type),
        u32(digests.size),
        ...[...digests].map(([bank, value]) => bytes(u16(hashAlgorithmId(bank)), value)),
        u32(event.data.length),
        event.data,
      )
    }),
  )
}

export function parsed(
  events: readonly EventInput[],
  banks: readonly HashAlgorithm[] | 'sha1-format' = ['sha256'],
): TcgLog {
  return expectOk(parseTcgLog(encodeLog(events, banks)))
}

/** A log proven against what it replays to itself, as if a TPM had been extended so. */
export function proven(log: TcgLog, bank: HashAlgorithm = 'sha256'): VerifiedLog {
  return expectOk(verifyReplay({ log, pcrs: withUntouchedPcrs(replayLog(log, bank)) }))
}

/** PCR 0 to 15 as a TPM has them: those that the log does not extend are zero. */
export function withUntouchedPcrs(bank: PcrBank): PcrBank {
  const values = new Map<number, Uint8Array>()
  for (let pcr = 0; pcr < 16; pcr++) {
    values.set(pcr, bank.values.get(pcr) ?? Buffer.alloc(DIGEST_BYTES[bank.algorithm]))
  }
  return { algorithm: bank.algorithm, values }
}

export function bankOf(
  algorithm: HashAlgorithm,
  values: Readonly<Record<string, string>>,
  encoding: 'hex' | 'base64',
): PcrBank {
  const entries = Object.entries(values)
  return {
    algorithm,
    values: new Map(entries.map(([pcr, text]) => [Number(pcr), Buffer.from(text, encoding)])),
  }
}

/** One of the machines with a log and PCR values that a quote covers. */
export function machine(name: string): { readonly log: TcgLog; readonly pcrs: PcrBank } {
  const evidence = vectorJson(`windows/evidence/${name}.json`)
  const log = expectOk(parseTcgLog(vector(`windows/evidence/${name}.log0.bin`)))
  return { log, pcrs: bankOf('sha256', evidence.allpcrs['11'], 'base64') }
}

// --- Windows

export const GLOBAL = '61dfe48bca93d211aa0d00e098032b8c'
export const SECURITY = 'cbb219d73a3d9645a3bcdad00e67656f'

export function uefiVariable(vendor: string, name: string, data: Uint8Array): Uint8Array {
  return bytes(Buffer.from(vendor, 'hex'), u64(name.length), u64(data.length), utf16le(name), data)
}

export function variableEvent(vendor: string, name: string, data: Uint8Array): EventInput {
  return { pcr: 7, type: EV.efiVariableDriverConfig, data: uefiVariable(vendor, name, data) }
}

export function secureBoot(value: number): EventInput {
  return variableEvent(GLOBAL, 'SecureBoot', Buffer.from([value]))
}

export const firmwareSeparator: EventInput = { pcr: 7, type: EV.separator, data: Buffer.alloc(4) }

export function sipa(id: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const data = bytes(...parts)
  return bytes(u32(id), u32(data.length), data)
}

export const flag = (value: boolean) => Buffer.from([value ? 1 : 0])

export function tagged(pcr: number, ...elements: readonly Uint8Array[]): EventInput {
  return { pcr, type: EV.eventTag, data: sipa(0x40010001, ...elements) }
}

export function wbcl(pcr: number): EventInput {
  return { pcr, type: EV.separator, data: ascii('WBCL') }
}

export const wbclAll: readonly EventInput[] = [wbcl(12), wbcl(13), wbcl(14)]

/** A log of Windows with these elements in one TRUSTBOUNDARY of PCR 12. */
export function windowsLog(...elements: readonly Uint8Array[]): readonly EventInput[] {
  return [tagged(12, ...elements), ...wbclAll]
}

export function identityKey(modulusByte = 0xc3, bits = 2048): Uint8Array {
  const modulus = Buffer.alloc(bits / 8, modulusByte)
  return bytes(u32(1), u32(bits), u32(3), u32(modulus.length), Buffer.from([1, 0, 1]), modulus)
}

/** The claims of a log of these events, in a TPM that was extended so. */
export function claimsOf(events: readonly EventInput[]): BootClaims {
  return expectOk(readBootClaims(proven(parsed(events)))).claims
}

export function windowsClaims(...elements: readonly Uint8Array[]): BootClaims {
  return claimsOf(windowsLog(...elements))
}
