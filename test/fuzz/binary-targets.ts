import { EV } from '../../src/evidence/event-log/event-types.ts'
import { parseSipaElements, type SipaElement } from '../../src/evidence/event-log/sipa.ts'
import {
  parseIdentityKey,
  parseRevocationList,
  parseSiPolicy,
} from '../../src/evidence/event-log/sipa-payloads.ts'
import { parseTcgLog } from '../../src/evidence/event-log/tcg-log.ts'
import { parseUefiVariable } from '../../src/evidence/event-log/uefi.ts'
import { parseTpmsAttest } from '../../src/evidence/tpm/attest.ts'
import { parsePcrSelections } from '../../src/evidence/tpm/pcr-selection.ts'
import { parsePlatformStatement } from '../../src/evidence/tpm/platform-statement.ts'
import { parseTpmPublic } from '../../src/evidence/tpm/public-area.ts'
import { parseTpmtSignature } from '../../src/evidence/tpm/signature.ts'
import { parseIdks, readReportKey } from '../../src/evidence/vbs/idks.ts'
import { parseVbsReport } from '../../src/evidence/vbs/report.ts'
import { parseCertificate } from '../../src/evidence/x509/certificate.ts'
import { readCertificateFile } from '../../src/evidence/x509/certificate-file.ts'
import { hardwareNameOf } from '../../src/evidence/x509/hardware-name.ts'
import { encodePlatformStatement } from '../../src/simulator/tpm-encoding.ts'
import type { Target } from './fuzz.ts'
import { certificates, files, members, quotes } from './real.ts'

/** Parsers of bytes, begun from what real machines and authorities made. */
export function binaryTargets(): readonly Target[] {
  return [...tpmTargets(), ...logTargets(), ...enclaveTargets(), ...certificateTargets()]
}

function tpmTargets(): readonly Target[] {
  const { attest, signature } = quotes()
  const publicAreas = members(
    'eventlog/go-attestation/windows_gcp_shielded_vm.json',
    'AK',
    'Public',
  )
  const statements = attest.slice(0, 3).map((quote, index) =>
    encodePlatformStatement({
      bank: 'sha256',
      attest: quote,
      signature: signature[index] ?? Buffer.alloc(64),
      pcrs: Buffer.alloc(24 * 32),
    }),
  )
  const selection = Buffer.from('00000002000b03ffff00000403010000', 'hex')
  return [
    { name: 'TPMS_ATTEST', seeds: attest, parse: parseTpmsAttest },
    { name: 'TPMT_SIGNATURE', seeds: signature, parse: parseTpmtSignature },
    {
      name: 'TPMT_PUBLIC',
      seeds: publicAreas.map((text) => Buffer.from(text, 'base64')),
      parse: parseTpmPublic,
    },
    { name: 'TPML_PCR_SELECTION', seeds: [selection], parse: parsePcrSelections },
    { name: 'platform statement', seeds: statements, parse: parsePlatformStatement },
  ]
}

/** By the layout in `wbcl.h`: no public log has its elements apart from others. */
const SI_POLICY = Buffer.concat([
  Buffer.from('0100000000000000' + '0600' + '0b00' + '20000000', 'hex'),
  Buffer.from('abc', 'utf16le'),
  Buffer.alloc(32, 9),
])
const IDENTITY_KEY = Buffer.concat([
  Buffer.from('01000000' + '00080000' + '03000000' + '00010000' + '010001', 'hex'),
  Buffer.alloc(256, 0xd1),
])

function logTargets(): readonly Target[] {
  const logs = files('eventlog/*/*.bin', 'eventlog/*/*_eventlog', 'windows/evidence/*.log0.bin')
  const events = logs.flatMap((log) => {
    const parsed = parseTcgLog(log)
    return parsed.ok ? parsed.value.events : []
  })
  const dataOf = (...types: readonly number[]) =>
    events.filter(({ type }) => types.includes(type)).map(({ data }) => data)
  const tagged = dataOf(EV.eventTag)
  const payloads = tagged.flatMap((data) => {
    const elements = parseSipaElements(data)
    return elements.ok ? elements.value.flatMap(flatten) : []
  })
  const small = payloads.filter(({ length }) => length > 8).slice(0, 400)
  return [
    { name: 'TCG log', seeds: logs, parse: parseTcgLog },
    { name: 'SIPA elements', seeds: tagged, parse: parseSipaElements },
    {
      name: 'UEFI variable',
      seeds: dataOf(EV.efiVariableDriverConfig, EV.efiVariableAuthority),
      parse: parseUefiVariable,
    },
    {
      name: 'SIPA code integrity policy',
      seeds: [...small, SI_POLICY],
      parse: parseSiPolicy,
    },
    { name: 'SIPA revocation list', seeds: small, parse: parseRevocationList },
    { name: 'SIPA identity key', seeds: [...small, IDENTITY_KEY], parse: parseIdentityKey },
  ]
}

function flatten({ data, children }: SipaElement): Uint8Array[] {
  return [data, ...children.flatMap(flatten)]
}

function enclaveTargets(): readonly Target[] {
  const reports = files('vbs/vbs-enclave-report-package.bin')
  return [
    { name: 'VBS enclave report', seeds: reports, parse: parseVbsReport },
    { name: 'VSM_IDKS_INFO', seeds: [IDENTITY_KEY], parse: parseIdks },
    {
      name: 'file with the key of a report',
      seeds: [...files('vbs/*.der', 'certs/gce-leaf/*.pem'), IDENTITY_KEY],
      parse: readReportKey,
    },
  ]
}

function certificateTargets(): readonly Target[] {
  const vendors = certificates('certs/tpm-vendors/*.pem', 'certs/gce-leaf/*.pem')
  return [
    { name: 'X.509 certificate', seeds: vendors, parse: parseCertificate },
    {
      name: 'hardware that a certificate names',
      seeds: vendors,
      parse(bytes) {
        const certificate = parseCertificate(bytes)
        return certificate.ok ? { ok: true, value: hardwareNameOf(certificate.value) } : certificate
      },
    },
    {
      name: 'file of certificates',
      seeds: [...vendors.slice(0, 20), ...files('certs/gce-ca/*', 'certs/gce-leaf/*.pem')],
      parse: readCertificateFile,
    },
  ]
}
