import { type Compared, type Comparison, comparison, showKey } from '../../base/comparison.ts'
import { type Err, err, ok, type Result } from '../../base/result.ts'
import { type ByteReader, type ParseFailure, parse } from '../bytes.ts'
import {
  importVerificationKey,
  type VerificationKey,
  verifySignature,
} from '../jws/verify-signature.ts'
import { readRsaJwk } from '../x509/rsa-public-key.ts'
import {
  MAX_REPORT_MODULES,
  MAX_REPORT_PACKAGE_BYTES,
  MAX_REPORT_SIGNATURE_BYTES,
} from './limits.ts'

/** Why a well-formed report is not believed. */
export const REPORT_REASONS = ['report_key_refused', 'report_signature_invalid'] as const

export type ReportFailure =
  | { readonly reason: 'report_key_refused' }
  | ({ readonly reason: 'report_signature_invalid' } & Compared)

/** ENCLAVE_IDENTITY (ntenclv.h). The owner id is the host's word, not an identity. */
export type EnclaveIdentity = {
  /** 32 bytes each. */
  readonly ownerId: Uint8Array
  readonly uniqueId: Uint8Array
  readonly authorId: Uint8Array
  /** 16 bytes each. */
  readonly familyId: Uint8Array
  readonly imageId: Uint8Array
  readonly enclaveSvn: number
  readonly secureKernelSvn: number
  readonly platformSvn: number
  /** ENCLAVE_FLAG bits: see `isDebuggable`. */
  readonly flags: number
  readonly signingLevel: number
  /** 0 in reports of 2019, 0x10 (ENCLAVE_TYPE_VBS) today. */
  readonly enclaveType: number
}

/** VBS_ENCLAVE_REPORT_MODULE: a module in the enclave; the first is the primary one. */
export type EnclaveModule = {
  /** 32 bytes each. */
  readonly uniqueId: Uint8Array
  readonly authorId: Uint8Array
  /** 16 bytes each. */
  readonly familyId: Uint8Array
  readonly imageId: Uint8Array
  readonly svn: number
  readonly name: string
}

/** A VBS enclave report package as parsed: unverified. */
export type VbsReport = {
  /** 64 bytes that the enclave chose. */
  readonly enclaveData: Uint8Array
  readonly identity: EnclaveIdentity
  readonly modules: readonly EnclaveModule[]
  /** VBS_ENCLAVE_REPORT with its modules: exactly the signed bytes. */
  readonly statement: Uint8Array
  readonly signature: Uint8Array
}

declare const verified: unique symbol

/** A report signed by the given key. Whose key that is, is the caller's question. */
export type VerifiedVbsReport = { readonly report: VbsReport; readonly [verified]: true }

const PACKAGE_HEADER_BYTES = 24
const PACKAGE_VERSION = 1
const SHA256_RSA_PSS_SHA256 = 1
const REPORT_VERSION = 1
const VARDATA_HEADER_BYTES = 8
const VARDATA_MODULE = 1
const DEBUG_FLAGS = 0x7

/**
 * Parses what EnclaveGetAttestationReport returns: VBS_ENCLAVE_REPORT_PKG_HEADER,
 * VBS_ENCLAVE_REPORT, VARDATA blocks, signature; packed, little-endian. The sizes in both headers
 * must agree with each other and with the input, other versions and schemes are refused.
 */
export function parseVbsReport(bytes: Uint8Array): Result<VbsReport, ParseFailure> {
  return parse('VBS_ENCLAVE_REPORT_PKG', bytes, MAX_REPORT_PACKAGE_BYTES, (reader) => {
    const packageSize = reader.u32le('PackageSize')
    reader.onlyU32le(PACKAGE_VERSION, 'Version')
    reader.onlyU32le(SHA256_RSA_PSS_SHA256, 'SignatureScheme', 'RSASSA-PSS with SHA-256')
    const statementSize = reader.capped(
      reader.u32le('SignedStatementSize'),
      MAX_REPORT_PACKAGE_BYTES,
      'SignedStatementSize',
    )
    const signatureSize = reader.capped(
      reader.u32le('SignatureSize'),
      MAX_REPORT_SIGNATURE_BYTES,
      'SignatureSize',
    )
    reader.onlyU32le(0, 'Reserved')
    const size = PACKAGE_HEADER_BYTES + statementSize + signatureSize
    if (packageSize !== size) {
      const expected = `${size}: the header and both sizes in it`
      reader.fail('unexpected_value', 'PackageSize', expected)
    }
    const start = PACKAGE_HEADER_BYTES
    const report = readStatement(reader.sub(statementSize, 'SignedStatement'), statementSize)
    const signature = reader.bytes(signatureSize, 'Signature')
    return { ...report, statement: bytes.subarray(start, start + statementSize), signature }
  })
}

/**
 * Parses a report and checks its signature: RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt
 * of 32 bytes over the signed statement, under the identity signing key (IDKS) of the secure kernel.
 */
export async function verifyVbsReport(input: {
  readonly package: Uint8Array
  readonly key: JsonWebKey
}): Promise<Result<VerifiedVbsReport, ParseFailure | ReportFailure>> {
  const report = parseVbsReport(input.package)
  if (!report.ok) return report
  const key = await importReportKey(input.key)
  if (!key.ok) return key
  const { signature, statement } = report.value
  const scheme = { name: 'RSA-PSS', saltLength: 32 } as const
  const valid = await verifySignature({ scheme, key: key.value, signature, message: statement })
  if (!valid) {
    const compared = () => compareSigner(input.key)
    return err({ reason: 'report_signature_invalid', compared })
  }
  return ok({ report: report.value } as VerifiedVbsReport)
}

function compareSigner(key: JsonWebKey): readonly Comparison[] {
  const expected = `RSA-PSS with SHA-256 by the identity signing key ${showKey(key)}`
  return [comparison('signature', expected, 'by another key, or over other bytes')]
}

/** ENCLAVE_FLAG_FULL_DEBUG_ENABLED, _DYNAMIC_DEBUG_ENABLED, _DYNAMIC_DEBUG_ACTIVE: any of them. */
export function isDebuggable(flags: number): boolean {
  return (flags & DEBUG_FLAGS) !== 0
}

async function importReportKey(jwk: JsonWebKey): Promise<Result<VerificationKey, ReportFailure>> {
  const refused: Err<ReportFailure> = err({ reason: 'report_key_refused' })
  const key = readRsaJwk({ ...jwk })
  if (key === undefined) return refused
  return ok(await importVerificationKey(key, { name: 'RSA-PSS', hash: 'SHA-256' }))
}

function readStatement(reader: ByteReader, size: number) {
  reader.onlyU32le(size, 'ReportSize', 'SignedStatementSize')
  reader.onlyU32le(REPORT_VERSION, 'ReportVersion')
  const enclaveData = reader.bytes(64, 'EnclaveData')
  const identity: EnclaveIdentity = {
    ownerId: reader.bytes(32, 'OwnerId'),
    uniqueId: reader.bytes(32, 'UniqueId'),
    authorId: reader.bytes(32, 'AuthorId'),
    familyId: reader.bytes(16, 'FamilyId'),
    imageId: reader.bytes(16, 'ImageId'),
    enclaveSvn: reader.u32le('EnclaveSvn'),
    secureKernelSvn: reader.u32le('SecureKernelSvn'),
    platformSvn: reader.u32le('PlatformSvn'),
    flags: reader.u32le('Flags'),
    signingLevel: reader.u32le('SigningLevel'),
    enclaveType: reader.u32le('EnclaveType'),
  }
  const modules: EnclaveModule[] = []
  while (reader.remaining > 0) {
    reader.capped(modules.length + 1, MAX_REPORT_MODULES, 'VARDATA')
    modules.push(readModule(reader))
  }
  return { enclaveData, identity, modules }
}

/** VBS_ENCLAVE_REPORT_VARDATA_HEADER and VBS_ENCLAVE_REPORT_MODULE, the only kind there is. */
function readModule(reader: ByteReader): EnclaveModule {
  reader.onlyU32le(VARDATA_MODULE, 'VARDATA.DataType', 'a module')
  const size = reader.u32le('VARDATA.Size')
  if (size < VARDATA_HEADER_BYTES) {
    reader.fail('unexpected_value', 'VARDATA.Size', `at least ${VARDATA_HEADER_BYTES}`)
  }
  const most = reader.remaining + VARDATA_HEADER_BYTES
  if (size > most) reader.fail('truncated', 'VARDATA.Size', `at most ${most}`)
  const block = reader.sub(size - VARDATA_HEADER_BYTES, 'VARDATA')
  const module = {
    uniqueId: block.bytes(32, 'UniqueId'),
    authorId: block.bytes(32, 'AuthorId'),
    familyId: block.bytes(16, 'FamilyId'),
    imageId: block.bytes(16, 'ImageId'),
    svn: block.u32le('Svn'),
    name: readModuleName(block),
  }
  block.end('VBS_ENCLAVE_REPORT_MODULE')
  return module
}

/** UTF-16LE up to a NUL that must be there; what follows is padding of zeros. */
function readModuleName(block: ByteReader): string {
  const raw = Buffer.from(block.rest('ModuleName'))
  let end = 0
  while (end + 1 < raw.length && raw.readUInt16LE(end) !== 0) end += 2
  const padding = raw.subarray(end)
  const name = raw.toString('utf16le', 0, end)
  if (padding.length < 2 || padding.some((byte) => byte !== 0) || !name.isWellFormed()) {
    const expected = 'UTF-16 with a NUL at its end, then nothing but zeros'
    block.fail('unexpected_value', 'ModuleName', expected)
  }
  return name
}
