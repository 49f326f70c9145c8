import { toBase64Url, toHex } from '../../base/encoding.ts'
import { parseTcgLog } from '../../evidence/event-log/tcg-log.ts'
import { readReportKey } from '../../evidence/vbs/idks.ts'
import {
  isDebuggable,
  parseVbsReport,
  type VbsReport,
  verifyVbsReport,
} from '../../evidence/vbs/report.ts'
import { readMeasuredBoot } from '../../verifier/kinds/tpm/boot-evidence.ts'
import { verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import {
  FINDING_EXITS,
  FINDING_JSON,
  type Finding,
  report,
  verdictOf,
} from '../framework/finding.ts'
import { required, text } from '../framework/options.ts'
import { readBytes } from '../framework/read-file.ts'
import { renderTable } from '../framework/table.ts'
import { UsageError } from '../framework/usage-error.ts'
import { ownPcrs, PLACES } from './boot-log.ts'

export const inspectReport = verb({
  summary: 'a VBS enclave report: the identity of the enclave and its modules',
  arguments: { file: required(text('FILE', 'the report')) },
  options: {
    key: required(
      text('FILE', 'the key: PEM, a DER certificate, a boot log, or the IDKS that one holds'),
    ),
  },
  json: FINDING_JSON,
  exits: FINDING_EXITS,
  async run({ file, key: keyFile, json }) {
    const bytes = readBytes(file)
    const key = readKey(keyFile)
    const outcome = await verifyVbsReport({ package: bytes, key })
    const parsed = parseVbsReport(bytes)
    const finding: Finding = {
      ...verdictOf(outcome),
      ...(parsed.ok && describe(parsed.value)),
      remarks: parsed.ok ? remarksOn(parsed.value) : [],
    }
    return report(finding, { json, text: explain(finding) })
  },
})

/** Of a log the key that the service would take from it, were its PCRs quoted. */
function readKey(path: string): JsonWebKey {
  const bytes = readBytes(path)
  const key = readReportKey(bytes)
  if (key.ok) return key.value
  const log = parseTcgLog(bytes)
  if (!log.ok) throw new UsageError(`${path} is no usable key: ${key.failure.reason}`)
  const pcrs = log.value.algorithms.map((bank) => ownPcrs(log.value, bank))
  const logs = { srtm: bytes, drtm: undefined, hasIma: false, members: PLACES.logs }
  const boot = readMeasuredBoot(logs, pcrs, PLACES.pcrs)
  if (!boot.ok) {
    throw new UsageError(
      `${path} is a boot log that the service refuses: ${boot.failure.reason} (inspect log says more)`,
    )
  }
  if (boot.value.idks !== undefined) return boot.value.idks
  throw new UsageError(`${path} is a boot log that measures no identity signing key (IDKS)`)
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
