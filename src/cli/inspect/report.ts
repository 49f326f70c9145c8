import { toBase64Url, toHex } from '../../base/encoding.ts'
import { readReportKey } from '../../evidence/vbs/idks.ts'
import {
  isDebuggable,
  parseVbsReport,
  type VbsReport,
  verifyVbsReport,
} from '../../evidence/vbs/report.ts'
import { readArguments, UsageError } from '../framework/arguments.ts'
import { fields } from '../framework/fields.ts'
import { renderTable } from '../framework/table.ts'
import { readBytes } from './files.ts'
import { type Finding, report, verdictOf } from './finding.ts'

export const REPORT_OPTIONS = {
  key: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

export async function inspectReport(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, REPORT_OPTIONS, 1)
  const bytes = readBytes(positionals[0], 'the report file')
  const key = readReportKey(readBytes(values.key, '--key'))
  if (!key.ok) throw new UsageError(`${values.key} is no usable key: ${key.failure.reason}`)
  const outcome = await verifyVbsReport({ package: bytes, key: key.value })
  const parsed = parseVbsReport(bytes)
  const finding: Finding = {
    ...verdictOf(outcome),
    ...(parsed.ok && describe(parsed.value)),
    remarks: parsed.ok ? remarksOn(parsed.value) : [],
  }
  return report(finding, { json: values.json, text: explain(finding) })
}

function describe({ enclaveData, identity, modules }: VbsReport) {
  return {
    enclave_data: toHex(enclaveData),
    identity: {
      author_id: toBase64Url(identity.authorId),
      family_id: toBase64Url(identity.familyId),
      image_id: toBase64Url(identity.imageId),
      unique_id: toBase64Url(identity.uniqueId),
      owner_id: toBase64Url(identity.ownerId),
      svn: identity.enclaveSvn,
      platform_svn: identity.platformSvn,
      secure_kernel_svn: identity.secureKernelSvn,
      flags: identity.flags,
      debuggable: isDebuggable(identity.flags),
      signing_level: identity.signingLevel,
      type: identity.enclaveType,
    },
    modules: modules.map(({ name, svn, authorId }) => ({
      name,
      svn,
      author_id: toBase64Url(authorId),
    })),
  }
}

function remarksOn({ identity }: VbsReport): string[] {
  const remarks = ['whose key it is was not checked: it must come from a verified boot log']
  if (isDebuggable(identity.flags)) {
    remarks.push('the enclave can be debugged, so what it says proves nothing')
  }
  return remarks
}

function explain({ identity, modules, enclave_data }: Finding): string {
  if (typeof identity !== 'object' || !Array.isArray(modules)) return ''
  const rows = modules.map((module: { name: string; svn: number; author_id: string }) => [
    module.name,
    String(module.svn),
    module.author_id,
  ])
  const table = renderTable(['name', 'svn', 'author id'], rows)
  return `${fields({ ...identity, enclave_data })}\nModules\n${table}\n`
}
