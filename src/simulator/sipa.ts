import { createPublicKey, type KeyObject } from 'node:crypto'
import { ByteWriter, toUtf16 } from './byte-writer.ts'
import { TPM_ALG } from './tpm-encoding.ts'

/** SIPA event ids (wbcl.h) that the virtual boot writes. Bit 30 marks a container. */
export const SIPA = {
  trustBoundary: 0x40010001,
  elamAggregation: 0x40010002,
  loadedModule: 0x40010003,
  bootCounter: 0x00020002,
  transferControl: 0x00020003,
  bitlockerUnlock: 0x00020005,
  eventCounter: 0x00020006,
  counterId: 0x00020007,
  applicationSvn: 0x00020009,
  svnChainStatus: 0x0002000a,
  morBitApiStatus: 0x0002000b,
  bootDebugging: 0x00040001,
  bootRevocationList: 0x00040002,
  osKernelDebug: 0x00050001,
  codeIntegrity: 0x00050002,
  testSigning: 0x00050003,
  dataExecutionPrevention: 0x00050004,
  safeMode: 0x00050005,
  winPe: 0x00050006,
  osDevice: 0x00050008,
  systemRoot: 0x00050009,
  hypervisorLaunchType: 0x0005000a,
  hypervisorIommuPolicy: 0x0005000c,
  hypervisorDebug: 0x0005000d,
  driverLoadPolicy: 0x0005000e,
  siPolicy: 0x0005000f,
  osRevocationList: 0x00050013,
  vsmLaunchType: 0x00050012,
  vsmIdkInfo: 0x00050020,
  flightSigning: 0x00050021,
  vsmIdksInfo: 0x00050023,
  authorityPublicKey: 0x00060002,
  filePath: 0x00070001,
  imageSize: 0x00070002,
  hashAlgorithmId: 0x00070003,
  authenticodeHash: 0x00070004,
  authorityIssuer: 0x00070005,
  imageBase: 0x00070007,
  authorityPublisher: 0x00070008,
  imageValidated: 0x0007000a,
  moduleSvn: 0x0007000b,
  elamKeyName: 0x00090001,
  elamMeasured: 0x00090004,
  vbsVsmRequired: 0x000a0001,
  vbsIommuRequired: 0x000a0003,
  vbsHvciPolicy: 0x000a0007,
  vbsMicrosoftBootChainRequired: 0x000a0008,
} as const

/** CALG_SHA_256, the Windows identifier inside module events. */
export const CALG_SHA_256 = 0x800c

const FILETIME_OF_1970 = 116_444_736_000_000_000n
const FILETIME_PER_MILLISECOND = 10_000n
/** The algorithm id of an RSA key in VSM_IDK_INFO. */
const VSM_KEY_RSA = 1

/** One event: `u32 id, u32 size, data`. */
export function sipaBytes(id: number, data: Uint8Array): Uint8Array {
  return new ByteWriter().u32le(id).sized32le(data).toBytes()
}

/** A container: an aggregation whose data are events. */
export function sipaGroup(id: number, events: readonly Uint8Array[]): Uint8Array {
  return sipaBytes(id, Buffer.concat(events))
}

export function sipaFlag(id: number, value: boolean): Uint8Array {
  return sipaBytes(id, Uint8Array.of(value ? 1 : 0))
}

export function sipaU32(id: number, value: number): Uint8Array {
  return sipaBytes(id, new ByteWriter().u32le(value).toBytes())
}

export function sipaU64(id: number, value: number): Uint8Array {
  return sipaBytes(id, new ByteWriter().u64le(BigInt(value)).toBytes())
}

export function sipaText(id: number, text: string): Uint8Array {
  return sipaBytes(id, toUtf16(text))
}

/** SI_POLICY: a code-integrity policy in force, by name, version and digest. */
export function sipaCodeIntegrityPolicy(input: {
  readonly version: bigint
  readonly name: string
  readonly sha256: Uint8Array
}): Uint8Array {
  const name = toUtf16(input.name)
  const data = new ByteWriter()
    .u64le(input.version)
    .u16le(name.length)
    .u16le(TPM_ALG.sha256)
    .u32le(input.sha256.length)
    .bytes(name, input.sha256)
  return sipaBytes(SIPA.siPolicy, data.toBytes())
}

/** BOOT_REVOCATION_LIST and OS_REVOCATION_LIST: creation as FILETIME, and the list's digest. */
export function sipaRevocationList(id: number, created: Date, sha256: Uint8Array): Uint8Array {
  const filetime = BigInt(created.getTime()) * FILETIME_PER_MILLISECOND + FILETIME_OF_1970
  const data = new ByteWriter()
    .u64le(filetime)
    .u32le(sha256.length)
    .u16le(TPM_ALG.sha256)
    .bytes(sha256)
  return sipaBytes(id, data.toBytes())
}

/** VSM_IDK_INFO and VSM_IDKS_INFO: a public key of the secure kernel. */
export function sipaSecureKernelKey(id: number, key: KeyObject): Uint8Array {
  const jwk = createPublicKey(key).export({ format: 'jwk' })
  const exponent = Buffer.from(jwk.e ?? '', 'base64url')
  const modulus = Buffer.from(jwk.n ?? '', 'base64url')
  const data = new ByteWriter()
    .u32le(VSM_KEY_RSA)
    .u32le(modulus.length * 8)
    .u32le(exponent.length)
    .u32le(modulus.length)
    .bytes(exponent, modulus)
  return sipaBytes(id, data.toBytes())
}
