import {
  type CatalogueEntry,
  type CatalogueSection,
  listCoarseCodes,
  listServedCodes,
} from '../../compose/error-catalogue.ts'
import { OPERATOR_CODES } from './operator-codes.ts'

/** All codes: of the service, and of the command line alone. */
export function listCatalogue(): readonly CatalogueSection[] {
  const operator = {
    title: 'Command line and log alone',
    seenBy: 'The operator, in what a command prints (`reason` with `--json`) or in the log.',
    entries: Object.entries(OPERATOR_CODES).map(([code, told]) => ({ code, ...told })),
  }
  return [...listServedCodes(), operator]
}

/** The catalogue as a page in Markdown. */
export function writePage(): string {
  const sections = listCatalogue().map(writeSection)
  const coarse = Object.entries(listCoarseCodes()).map(([code, why]) => `- \`${code}\`: ${why}.`)
  return `${INTRODUCTION}\n${coarse.join('\n')}\n\n${sections.join('\n')}`
}

const INTRODUCTION = `# Errors

Made from the source by \`npm run -s countersign -- errors page\`; do not edit. \`npm run -s countersign -- errors explain CODE\` says
the same of one code.

On \`/attest/Tpm\` an error has Azure's form and, as Microsoft's REST API guidelines have it, \`innererror\`:

\`\`\`json
{"error": {
  "code": "InvalidParameter",
  "message": "The quote is over another nonce. Give TPM2_Quote the qualifying data that expected names …",
  "innererror": {
    "code": "quote_nonce_mismatch",
    "where": {"member": "request.att_data.tpm_att_data.current_attestation.quote"},
    "expected": "qualifying data: HASH(UTF8(jwk) ‖ 0x00 ‖ challenge), HASH being sha-256",
    "request_id": "OR_KYzilu5ujfHI6"
  }
}}
\`\`\`

Everywhere else agents and administrators get a problem document (RFC 9457) with \`code\`. Both have, where it
applies, \`expected\`, one line of what would have been right, and \`where\`:

| member of \`where\` | is |
|---|---|
| \`member\` | the path in the message. \`body\` is the HTTP body, \`message\` the JSON in \`data\`, \`request\` the JWS and what its payload says, \`request.header\` its header; \`token\` and \`dpop\` are those of an attestation |
| \`event\` | the number of the event in the boot log, as \`npm run -s countersign -- inspect log\` counts |
| \`offset\` | from the start of the member, in bytes once it is decoded; of JSON text in characters: where the field that is wrong begins |
| \`pcrs\`, \`bank\` | the PCRs concerned, and of which bank, such as \`sha256\` |
| \`structure\` | the binary structure, and its field after a dot |

Codes do not change their meaning. New ones may come: act on those you know, and on the status else.
\`request_id\`, in problem documents \`instance\`, is what the operator finds the attempt in the log by.

The exact reason is told, because whoever sends evidence knows all of it and learns only which check failed.
Some reasons are told under one code, and stand in the log alone:
`

function writeSection({ title, seenBy, entries }: CatalogueSection): string {
  const hasStatus = entries.some(({ status }) => status !== undefined)
  const head = hasStatus
    ? '| code | status | cause | what to change |'
    : '| code | cause | what to change |'
  const line = hasStatus ? '|---|---|---|---|' : '|---|---|---|'
  const rows = entries.map((entry) => writeRow(entry, hasStatus))
  return `## ${title}\n\nSeen by: ${seenBy}\n\n${[head, line, ...rows].join('\n')}\n`
}

function writeRow(entry: CatalogueEntry, hasStatus: boolean): string {
  const { code, status, cause, change, told } = entry
  const name = told === undefined ? `\`${code}\`` : `\`${code}\`, told as \`${told}\``
  const cells = hasStatus ? [name, status ?? '', cause, change] : [name, cause, change]
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
}
