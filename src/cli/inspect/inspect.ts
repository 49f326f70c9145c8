import { type Command, UsageError } from '../framework/arguments.ts'
import { inspectLog, LOG_OPTIONS } from './log.ts'
import { inspectQuote, QUOTE_OPTIONS } from './quote.ts'
import { inspectReport, REPORT_OPTIONS } from './report.ts'
import { inspectToken, TOKEN_OPTIONS } from './token.ts'

const KINDS: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  token: inspectToken,
  log: inspectLog,
  quote: inspectQuote,
  report: inspectReport,
}

export const command: Command = {
  options: { ...TOKEN_OPTIONS, ...LOG_OPTIONS, ...QUOTE_OPTIONS, ...REPORT_OPTIONS },
  help: `Usage: countersign inspect KIND …

  inspect token FILE --jwks FILE --issuer URL [--at ISO] [--nonce B64URL] [--policy-hash HASH]
      An attestation token of Azure Attestation or of the built-in verifier, checked against the
      key set of that issuer as it was valid at the given time (now).
  inspect log FILE [--pcrs FILE.json] [--bank sha256]
      A TCG boot log: its claims, the PCR values it replays to, and its events.
  inspect quote --attest FILE --signature FILE --key FILE [--pcrs FILE.json] [--nonce HEX]
      A TPM quote: TPMS_ATTEST and TPMT_SIGNATURE as the TPM returned them, and the public key or
      certificate (PEM or DER). The PCR file must hold the quoted PCRs and no others.
  inspect report FILE --key FILE
      A VBS enclave report. The key is PEM, a DER certificate, or the IDKS of a boot log.

PCR files hold {"sha256": {"0": "hex", …}}.
--json prints one JSON object instead of text: verified, reason, where, remarks and what was read.
Exit status: 0 verified, 2 refused (with the reason), 1 wrong usage.
`,
  run(args) {
    const [kind, ...rest] = args
    const inspect = kind !== undefined && Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
    if (inspect === undefined) {
      throw new UsageError(`say what to inspect: ${Object.keys(KINDS).join(', ')}`)
    }
    return inspect(rest)
  },
}
