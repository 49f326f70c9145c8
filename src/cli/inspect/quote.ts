import { fromHex, toHex } from '../../base/encoding.ts'
import { parseTpmsAttest, type TpmsAttest } from '../../evidence/tpm/attest.ts'
import type { Freshness } from '../../evidence/tpm/freshness.ts'
import { verifyQuote, verifyQuoteSignature } from '../../evidence/tpm/quote.ts'
import { parseTpmtSignature, type TpmtSignature } from '../../evidence/tpm/signature.ts'
import { importSpki } from '../../evidence/tpm/spki.ts'
import { parseCertificate } from '../../evidence/x509/certificate.ts'
import { readPemBlocks } from '../../evidence/x509/pem.ts'
import { verb } from '../framework/command.ts'
import { fields } from '../framework/fields.ts'
import {
  FINDING_EXITS,
  FINDING_JSON,
  type Finding,
  type Outcome,
  report,
  verdictOf,
} from '../framework/finding.ts'
import { option, required, text } from '../framework/options.ts'
import { readBytes } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'
import { PCR_FILE_HELP, readPcrFile } from './pcr-file.ts'
import { describeSelections } from './pcrs.ts'

export const inspectQuote = verb({
  summary: 'a TPM quote',
  options: {
    attest: required(text('FILE', 'the TPMS_ATTEST as the TPM returned it')),
    signature: required(text('FILE', 'the TPMT_SIGNATURE as the TPM returned it')),
    key: required(text('FILE', 'the public key or certificate, PEM or DER')),
    pcrs: text('FILE', `${PCR_FILE_HELP}; it must hold the quoted PCRs and no others`),
    nonce: { ...option('HEX', 'the nonce that it must carry', readNonce), mayBeBlank: true },
  },
  json: FINDING_JSON,
  exits: FINDING_EXITS,
  async run({ nonce, pcrs, json, ...files }) {
    const attest = readBytes(files.attest)
    const signature = readBytes(files.signature)
    const key = await importSpki(readPublicKey(readBytes(files.key)))
    if (!key.ok) throw new UsageError(`${files.key} is no usable public key: ${key.failure.reason}`)
    const freshness: Freshness =
      nonce === undefined ? { acceptAnyNonce: true } : { qualifyingData: nonce }
    // What is inspected may be old: a weak signature is told, not hidden.
    const tolerance = { acceptSha1Signature: true } as const
    const quote = { attest, signature, key: key.value, ...tolerance, ...freshness }
    const outcome = await verify(quote, pcrs)
    const finding = describe(outcome, { attest, signature, nonce, pcrs })
    return report(finding, { json, text: explain(finding) })
  },
})

function readNonce(text: string, label: string): Uint8Array {
  const nonce = fromHex(text)
  if (nonce === undefined) throw new UsageError(`${label} must be hexadecimal`)
  return nonce
}

async function verify(
  quote: Parameters<typeof verifyQuoteSignature>[0],
  pcrFile: string | undefined,
): Promise<Outcome> {
  if (pcrFile === undefined) return verifyQuoteSignature(quote)
  const pcrs = readPcrFile(pcrFile)
  return pcrs.ok ? verifyQuote({ ...quote, pcrs: pcrs.value }) : pcrs
}

/** The key of a certificate counts as the key: whether to trust it is for whoever names the file. */
function readPublicKey(file: Uint8Array): Uint8Array | string {
  const text = Buffer.from(file).toString('latin1')
  const block = readPemBlocks(text)?.find(({ label }) => label === 'CERTIFICATE')
  const certificate = parseCertificate(block?.bytes ?? file)
  return certificate.ok ? certificate.value.spki : file
}

function describe(
  outcome: Outcome,
  given: {
    readonly attest: Uint8Array
    readonly signature: Uint8Array
    readonly nonce: Uint8Array | undefined
    readonly pcrs: string | undefined
  },
): Finding {
  const parsed = parseTpmsAttest(given.attest)
  const attest = parsed.ok ? parsed.value : undefined
  const signed = parseTpmtSignature(given.signature)
  const signature = signed.ok ? signed.value : undefined
  const remarks: string[] = []
  if (given.nonce === undefined) {
    remarks.push('no nonce was given (--nonce), so the quote may be of any time')
  }
  if (given.pcrs === undefined) {
    remarks.push('no PCR values were given (--pcrs), so the PCR digest was compared with nothing')
  }
  if (signature?.hash === 'sha1') {
    remarks.push('the signature uses SHA-1: the service refuses such quotes from devices')
  }
  return {
    ...verdictOf(outcome),
    ...(attest && describeAttest(attest)),
    ...(signature && { signature: describeSignature(signature) }),
    remarks,
  }
}

function describeAttest(attest: TpmsAttest) {
  const { attested, clockInfo, extraData } = attest
  return {
    kind: attested.kind,
    extra_data: toHex(extraData),
    qualified_signer: toHex(attest.qualifiedSigner),
    firmware_version: attest.firmwareVersion.toString(16),
    clock: {
      milliseconds: Number(clockInfo.clock),
      resets: clockInfo.resetCount,
      restarts: clockInfo.restartCount,
      safe: clockInfo.safe,
    },
    ...(attested.kind === 'quote' && {
      selections: attested.selections,
      pcr_digest: toHex(attested.pcrDigest),
    }),
  }
}

function describeSignature(signature: TpmtSignature): string {
  return `${signature.scheme} with ${signature.hash}`
}

function explain({ kind, signature, selections, clock, ...finding }: Finding): string {
  const { pcr_digest, extra_data, qualified_signer, firmware_version } = finding
  return fields({
    kind,
    signature,
    'quoted PCRs': Array.isArray(selections) ? describeSelections(selections) : undefined,
    'PCR digest': pcr_digest,
    'nonce (extraData)': extra_data,
    'qualified signer': qualified_signer,
    'firmware version': firmware_version,
    clock,
  })
}
