import type { VerifierFailure } from '../../src/verifier/verifier.ts'

/**
 * What the documents say that each part of a request binds, without cryptography: who signed it, and
 * over what. From it follows for any exchange of parts which rule it breaks first.
 *
 * The bindings are those of Azure's protocol page (virtualization-based-security-protocol: qualifying
 * data of TPM2_Quote and TPM2_Certify, enclave data of the report); the verifier's code has no part in
 * this file, so that it can be wrong where the code is right, and the reverse.
 */

export type Kind = {
  readonly version: 1 | 2
  readonly type: 'basic' | 'vbs'
  readonly binding: 'none' | 'report' | 'quote' | 'certify'
}

/** Every kind of request there is. */
export const KINDS = [
  { version: 1, type: 'basic', binding: 'none' },
  { version: 1, type: 'vbs', binding: 'report' },
  { version: 2, type: 'basic', binding: 'quote' },
  { version: 2, type: 'basic', binding: 'certify' },
  { version: 2, type: 'vbs', binding: 'quote' },
  { version: 2, type: 'vbs', binding: 'certify' },
] as const satisfies readonly Kind[]

export const nameOf = ({ version, type, binding }: Kind) => `v${version} ${type} ${binding}`

/** Names of who and what, never the things themselves. */
export type Facts = {
  readonly key: string
  readonly signer: string
  readonly certification: { readonly by: string; readonly key: string; readonly challenge: string }
  readonly quote: { readonly by: string; readonly boot: string; readonly over: string }
  readonly log: { readonly boot: string }
  readonly ak: string
  readonly cert: string
  readonly challenge: string
  readonly context: string
  readonly rp_data: string
  readonly report: { readonly by: string; readonly over: string }
}

export type Part = keyof Facts

/** The parts that stand in `report_signed`. */
const REPORTED = [
  'key',
  'certification',
  'quote',
  'log',
  'ak',
  'cert',
  'challenge',
  'context',
  'rp_data',
] as const satisfies readonly Part[]

/** What an enclave's report is made over. */
export function reportedText(facts: Omit<Facts, 'report'>): string {
  return JSON.stringify(REPORTED.map((part) => facts[part]))
}

/** What the TPM is asked to quote. */
export function quotedText({ binding }: Kind, key: string, challenge: string): string {
  return binding === 'quote' ? `${key} ${challenge}` : challenge
}

export function hasPart({ type, binding }: Kind, part: Part): boolean {
  if (part === 'report') return type === 'vbs'
  return part !== 'certification' || binding === 'certify'
}

type Rule = readonly [
  reason: VerifierFailure['reason'],
  isBroken: (facts: Facts, kind: Kind) => boolean,
  why: string,
]

const UNBOUND = 'legacy_request_key_unbound'

/** In the order of the table in docs/agent-protocol.md: identity and freshness first, content last. */
const RULES: readonly Rule[] = [
  [
    UNBOUND,
    (_, { binding }) => binding === 'none',
    'the key stands in nothing that was signed (unless LEGACY_UNBOUND_REQUEST_KEY=accept)',
  ],
  [
    'context_challenge_mismatch',
    ({ context, challenge }) => context !== challenge,
    'the service context was sealed with another challenge',
  ],
  [
    'request_signature_invalid',
    ({ signer, key }) => signer !== key,
    'the request is not signed by the key that it names',
  ],
  [
    'aik_certificate_key_mismatch',
    ({ ak, cert }) => ak !== cert,
    'the certificate is of another attestation key',
  ],
  [
    'quote_signature_invalid',
    ({ quote, ak }) => quote.by !== ak,
    'the quote is signed by another attestation key',
  ],
  [
    'quote_nonce_mismatch',
    ({ quote, key, challenge }, kind) => quote.over !== quotedText(kind, key, challenge),
    'the quote is over another request key or another challenge',
  ],
  [
    'certify_signature_invalid',
    ({ certification, ak }, kind) => hasPart(kind, 'certification') && certification.by !== ak,
    'the key was certified by another attestation key',
  ],
  [
    'certify_nonce_mismatch',
    ({ certification, challenge }, kind) =>
      hasPart(kind, 'certification') && certification.challenge !== challenge,
    'the key was certified for another challenge',
  ],
  [
    'certified_key_mismatch',
    ({ certification, key }, kind) => hasPart(kind, 'certification') && certification.key !== key,
    'another key was certified',
  ],
  [
    'log_pcr_mismatch',
    ({ log, quote }) => log.boot !== quote.boot,
    'the log is of another boot than the quoted PCRs',
  ],
  [
    'report_signature_invalid',
    ({ report, log }, kind) => hasPart(kind, 'report') && report.by !== log.boot,
    'the report is signed by another secure kernel than the log measured',
  ],
  [
    'enclave_data_mismatch',
    (facts, kind) => hasPart(kind, 'report') && facts.report.over !== reportedText(facts),
    'the report was made over another request',
  ],
]

/** Why the verifier must refuse these parts; `undefined` where it must not. */
export function expectedRefusal(
  facts: Facts,
  kind: Kind,
  legacyUnboundRequestKey: 'refuse' | 'accept' = 'refuse',
): VerifierFailure['reason'] | undefined {
  const rules = RULES.filter(
    ([reason]) => reason !== UNBOUND || legacyUnboundRequestKey === 'refuse',
  )
  return rules.find(([, isBroken]) => isBroken(facts, kind))?.[0]
}

/** What stands in a table for a reason, so that a row is not wider than a screen. */
export function shorten(reason: string | undefined): string {
  const at = RULES.findIndex(([name]) => name === reason)
  return at < 0 ? (reason ?? 'ok') : String.fromCharCode(65 + at)
}

export function legend(): string {
  return RULES.map(([reason, , why]) => `  ${shorten(reason)}  ${reason}: ${why}`).join('\n')
}

/** Columns as wide as their widest cell. */
export function drawTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (row: readonly string[]) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0))
  return rows.map((row) => line(row).join('  ').trimEnd()).join('\n')
}
