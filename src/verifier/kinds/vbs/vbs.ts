import { type Compared, type Comparison, comparison, showKey } from '../../../base/comparison.ts'
import { digestText, equalBytes } from '../../../base/digest.ts'
import { toBase64Url } from '../../../base/encoding.ts'
import { inMember } from '../../../base/located.ts'
import { err, ok, type Result } from '../../../base/result.ts'
import type { ParseFailure } from '../../../evidence/bytes.ts'
import type { RsaPublicKey } from '../../../evidence/event-log/claims.ts'
import {
  type ReportFailure,
  type VbsReport,
  type VerifiedVbsReport,
  verifyVbsReport,
} from '../../../evidence/vbs/report.ts'
import { MAX_ENCLAVE_REPORT_BYTES } from '../../limits.ts'
import { invalid } from '../../protocol/wire-answers.ts'
import { takeStep } from '../../steps/trace.ts'
import { defineKind, type Findings, type RequestParts, type VerificationRun } from '../kind.ts'
import { recognizeData } from './recognize-data.ts'

export const ENCLAVE_REASONS = ['enclave_signer_unknown', 'enclave_data_mismatch'] as const

export type EnclaveFailure =
  | ({
      readonly reason: (typeof ENCLAVE_REASONS)[number]
      readonly member?: string
      readonly expected?: string
    } & Compared)
  | ReportFailure
  | ParseFailure

/** What a request brings for an enclave. Unverified. */
export type EnclaveEvidence = {
  /** VBS_ENCLAVE_REPORT_PKG_HEADER and what follows. */
  readonly report: Uint8Array
  /** The `report_signed` member exactly as on the wire, which the report must be bound to. */
  readonly boundText: string
  /** Where the report stands in the message, for refusals. */
  readonly member: string
}

const IN_VBS_ALONE = 'in att_data of a request whose att_type is vbs, and nowhere else'
const REPORT_OF_V2 = 'vsm_report with enclave.report: typ says version 2'
const REQUEST_TYPE = 'vbs'
const BOUND_MEMBER = 'report_signed'
const STEP = 'enclave_report'
const PART = 'enclave_report'
const SIGNER = 'identity signing key (IDKS)'

/** The report of a VBS enclave, beside the TPM's evidence of the machine that it runs on. */
export const vbsKind = defineKind<EnclaveFailure>({
  name: 'vbs',
  requestType: REQUEST_TYPE,
  boundMember: BOUND_MEMBER,
  steps: [STEP],
  parts: [PART],
  claims: {
    azure: [
      'enclaveAuthorId',
      'enclaveFamilyId',
      'enclaveFlags',
      'enclaveImageId',
      'enclaveOwnerId',
      'enclavePlatformSvn',
      'enclaveSecureKernelSvn',
      'enclaveSvn',
      'enclaveUniqueId',
      'vbsReportPresent',
    ],
    own: [],
    absent: { vbsReportPresent: false },
  },
  answers: {
    enclave_signer_unknown: invalid(
      'The boot log names no key that enclave reports are signed with.',
      'Turn virtualization-based security on and restart, or send a request of the type basic.',
      'VSM_IDKS_INFO in a TRUSTBOUNDARY of PCR 12',
    ),
    enclave_data_mismatch: invalid(
      'The enclave report was not made over this request.',
      'Give EnclaveGetAttestationReport the SHA-512 of the text of report_signed exactly as it is ' +
        'sent, braces included.',
      'EnclaveData: SHA-512(UTF8(report_signed))',
    ),
    report_key_refused: invalid(
      'The key in the boot log that enclave reports are signed with cannot be used.',
      'Update Windows and restart.',
      'an RSA key of 2048 to 4096 bits',
    ),
    report_signature_invalid: invalid(
      'The enclave report is not signed by the key in the boot log.',
      'Send the report as the enclave got it since this boot, and the log of this boot. A signature by ' +
        'PKCS #1 v1.5, or with another salt, does not count.',
      'RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes by the identity signing ' +
        'key (IDKS) of this boot',
    ),
  },
  read(parts) {
    const evidence = readEnclaveEvidence(parts)
    return (
      evidence && {
        kind: 'vbs',
        content: evidence,
        parts: { [PART]: evidence.report },
        verify: (run) => verify(evidence, run),
      }
    )
  },
})

function readEnclaveEvidence({
  version,
  type,
  data,
  signed,
}: RequestParts<EnclaveFailure>): EnclaveEvidence | undefined {
  signed.refuseMisplaced([BOUND_MEMBER, 'vsm_report'], IN_VBS_ALONE)
  if (type !== REQUEST_TYPE) return undefined
  const [holder, member] =
    version === 1
      ? ([data, 'vsm_report'] as const)
      : ([
          data.object('vsm_report', REPORT_OF_V2).object('enclave', REPORT_OF_V2),
          'report',
        ] as const)
  return {
    report: holder.bytes(member, MAX_ENCLAVE_REPORT_BYTES),
    boundText: signed.text,
    member: holder.at(member),
  }
}

async function verify(
  evidence: EnclaveEvidence,
  { findings, trace }: VerificationRun,
): Promise<Result<Findings, EnclaveFailure>> {
  const signer = findings.find(({ enclaveSigner }) => enclaveSigner !== undefined)?.enclaveSigner
  const misplaced = () => findings.map((one) => one.findMisplacedSigner?.()).find(Boolean)
  const verified = await takeStep(
    trace,
    STEP,
    async () => inMember(evidence.member, await verifyEnclave(evidence, signer, misplaced)),
    {
      compared: ({ report }) => [
        ...(signer === undefined ? [] : [comparison(SIGNER, showKey(signer), showKey(signer))]),
        compareData(evidence, report),
      ],
    },
  )
  return verified.ok ? ok({ claims: claimsOf(verified.value.report.identity) }) : verified
}

/**
 * Verifies the enclave's report: signed by the secure kernel's identity key that the proven boot log
 * measured, which is the only place where that key is ever taken from, and made over the SHA-512 of
 * the request's own text, so that it speaks of this request and no other.
 */
async function verifyEnclave(
  evidence: EnclaveEvidence,
  idks: RsaPublicKey | undefined,
  findMisplaced: () => string | undefined,
): Promise<Result<VerifiedVbsReport, EnclaveFailure>> {
  if (idks === undefined) {
    const wanted = 'SIPAEVENT_VSM_IDKS_INFO (0x00050023) in a TRUSTBOUNDARY of PCR 12'
    const compared = () => [comparison(SIGNER, wanted, findMisplaced() ?? 'none in the boot log')]
    return err({ reason: 'enclave_signer_unknown', compared })
  }
  const report = await verifyVbsReport({ package: evidence.report, key: idks })
  if (!report.ok) return report
  const bound = digestText('sha512', evidence.boundText)
  if (!equalBytes(report.value.report.enclaveData, bound)) {
    const { enclaveData } = report.value.report
    const compared = () => [compareData(evidence, report.value.report)]
    const mistaken = recognizeData(evidence.boundText, enclaveData)
    const expected = mistaken && `EnclaveData: SHA-512(UTF8(report_signed)), and not ${mistaken}`
    return err({
      reason: 'enclave_data_mismatch',
      compared,
      ...(expected !== undefined && { expected }),
    })
  }
  return report
}

function compareData({ boundText }: EnclaveEvidence, { enclaveData }: VbsReport): Comparison {
  const bound = digestText('sha512', boundText)
  return comparison('EnclaveData: SHA-512 of the text of report_signed', bound, enclaveData)
}

function claimsOf(identity: VbsReport['identity']): Findings['claims'] {
  return {
    enclaveAuthorId: toBase64Url(identity.authorId),
    enclaveFamilyId: toBase64Url(identity.familyId),
    enclaveFlags: identity.flags,
    enclaveImageId: toBase64Url(identity.imageId),
    enclaveOwnerId: toBase64Url(identity.ownerId),
    enclavePlatformSvn: identity.platformSvn,
    enclaveSecureKernelSvn: identity.secureKernelSvn,
    enclaveSvn: identity.enclaveSvn,
    enclaveUniqueId: toBase64Url(identity.uniqueId),
    vbsReportPresent: true,
  }
}
