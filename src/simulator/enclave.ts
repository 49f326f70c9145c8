import type { KeyObject } from 'node:crypto'
import { ByteWriter, toUtf16 } from './byte-writer.ts'
import { CHANCE, type Chance } from './chance.ts'

/** ENCLAVE_IDENTITY (ntenclv.h): what the secure kernel says of a running enclave. */
export type EnclaveIdentity = {
  /** 32 bytes each. The host chooses the owner id; the author id comes from the signature. */
  readonly ownerId: Uint8Array
  readonly uniqueId: Uint8Array
  readonly authorId: Uint8Array
  /** 16 bytes each. */
  readonly familyId: Uint8Array
  readonly imageId: Uint8Array
  readonly enclaveSvn: number
  readonly secureKernelSvn: number
  readonly platformSvn: number
  /** 1 full debug, 2 dynamic debug enabled, 4 dynamic debug active. */
  readonly flags: number
  readonly signingLevel: number
}

/** VBS_ENCLAVE_REPORT_MODULE: a module loaded into the enclave. */
export type EnclaveModule = {
  readonly uniqueId: Uint8Array
  readonly authorId: Uint8Array
  readonly familyId: Uint8Array
  readonly imageId: Uint8Array
  readonly svn: number
  readonly name: string
}

const ENCLAVE_TYPE_VBS = 0x10
const REPORT_VERSION = 1
const SCHEME_SHA256_RSA_PSS_SHA256 = 1
const VARDATA_MODULE = 1
const MODULE_FIXED_BYTES = 108
const REPORT_FIXED_BYTES = 224
const PACKAGE_HEADER_BYTES = 24

/**
 * What EnclaveGetAttestationReport returns: a VBS_ENCLAVE_REPORT_PKG_HEADER, the VBS_ENCLAVE_REPORT
 * with its modules, and the secure kernel's signature over the report.
 */
export async function makeEnclaveReport(input: {
  /** The identity signing key (IDKS) of this boot's secure kernel, RSA-2048. */
  readonly signingKey: KeyObject
  readonly identity: EnclaveIdentity
  readonly modules: readonly EnclaveModule[]
  /** 64 bytes that the enclave wants to have signed. */
  readonly enclaveData: Uint8Array
  readonly chance?: Chance
}): Promise<Uint8Array> {
  if (input.enclaveData.length !== 64) throw new TypeError('EnclaveData has 64 bytes')
  const statement = encodeStatement(input.identity, input.modules, input.enclaveData)
  const { signingKey, chance = CHANCE } = input
  const signature = await chance.signPss(signingKey, statement)
  return new ByteWriter()
    .u32le(PACKAGE_HEADER_BYTES + statement.length + signature.length)
    .u32le(REPORT_VERSION)
    .u32le(SCHEME_SHA256_RSA_PSS_SHA256)
    .u32le(statement.length)
    .u32le(signature.length)
    .u32le(0)
    .bytes(statement, signature)
    .toBytes()
}

function encodeStatement(
  identity: EnclaveIdentity,
  modules: readonly EnclaveModule[],
  enclaveData: Uint8Array,
): Uint8Array {
  const blocks = modules.map(encodeModule)
  const length = blocks.reduce((sum, block) => sum + block.length, REPORT_FIXED_BYTES)
  return new ByteWriter()
    .u32le(length)
    .u32le(REPORT_VERSION)
    .bytes(enclaveData)
    .bytes(identity.ownerId, identity.uniqueId, identity.authorId)
    .bytes(identity.familyId, identity.imageId)
    .u32le(identity.enclaveSvn)
    .u32le(identity.secureKernelSvn)
    .u32le(identity.platformSvn)
    .u32le(identity.flags)
    .u32le(identity.signingLevel)
    .u32le(ENCLAVE_TYPE_VBS)
    .bytes(...blocks)
    .toBytes()
}

/** One VARDATA block, padded to a multiple of eight bytes as the secure kernel does. */
function encodeModule(module: EnclaveModule): Uint8Array {
  const name = toUtf16(module.name)
  const size = Math.ceil((MODULE_FIXED_BYTES + name.length) / 8) * 8
  return new ByteWriter()
    .u32le(VARDATA_MODULE)
    .u32le(size)
    .bytes(module.uniqueId, module.authorId, module.familyId, module.imageId)
    .u32le(module.svn)
    .bytes(name, new Uint8Array(size - MODULE_FIXED_BYTES - name.length))
    .toBytes()
}
