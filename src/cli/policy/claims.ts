import {
  CLAIM_NAMES,
  CLAIMS,
  type ClaimEvidence,
  type ClaimKind,
  type MeasuredAt,
} from '../../appraisal/claims.ts'
import { printJson, printText } from '../framework/output.ts'
import { renderTable } from '../framework/table.ts'

const TYPES: Readonly<Record<ClaimKind, string>> = {
  bool: 'bool',
  int: 'int',
  text: 'string',
  texts: 'list of string',
  secureBootKeys: 'object: pk, kek, db, dbx',
}

const MEASURED: Readonly<Record<MeasuredAt, string>> = {
  boot: 'at boot',
  resume: 'at resume',
  now: 'now',
}

const EVIDENCE: Readonly<Record<ClaimEvidence, string>> = {
  key_certificate: 'certificate or enrolment of the attestation key',
  quote: 'quote of the TPM',
  boot_log: 'boot log, proven by the quote',
  enclave_report: 'report of the VBS enclave',
}

/** Prints every claim that an expression can read as `attestation.NAME`. */
export function printClaims({ json }: { readonly json: boolean }): number {
  if (json) {
    printJson(CLAIM_NAMES.map((name) => showClaim(name)))
    return 0
  }
  const rows = CLAIM_NAMES.map((name) => {
    const { kind, measuredAt, evidence, example, meaning } = CLAIMS[name]
    const shown = shorten(JSON.stringify(example))
    return [name, TYPES[kind], MEASURED[measuredAt], EVIDENCE[evidence], shown, meaning]
  })
  const head = ['claim', 'type', 'measured', 'made of', 'example', 'meaning']
  printText(`${renderTable(head, rows)}\n\n${NOTES}`)
  return 0
}

function showClaim(claim: (typeof CLAIM_NAMES)[number]): object {
  const { kind, measuredAt: measured_at, evidence, meaning, example, aliases = [] } = CLAIMS[claim]
  return { claim, type: kind, measured_at, evidence, example, meaning, aliases }
}

const MOST_SHOWN = 24

function shorten(text: string): string {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN - 1)}…` : text
}

const NOTES = `An expression reads them as attestation.NAME. What was measured at boot changes with the next restart
and attestation. A claim that was never recorded makes a clause undecided, and an enforced one then
denies: has(attestation.NAME) asks whether it is there. Examples are whole with --json.
`
