import { inMember } from '../../../base/located.ts'
import { err, type Failure, ok, type Result } from '../../../base/result.ts'
import type { Freshness } from '../../../evidence/tpm/freshness.ts'
import type { PcrBank } from '../../../evidence/tpm/pcr.ts'
import {
  type QUOTE_REASONS,
  type QuoteFailure,
  type VerifiedQuote,
  verifyQuote,
} from '../../../evidence/tpm/quote.ts'
import type { Aik } from './attestation-key.ts'
import type { BootLogFailure } from './boot-log-proof.ts'
import type { QuotedPcrs } from './tpm-evidence.ts'

type StatementPart = 'quote' | 'signature' | 'pcrs'

/** The part of a statement that a refusal of its quote is about. */
const STATEMENT_PART_OF: Readonly<Record<(typeof QUOTE_REASONS)[number], StatementPart>> = {
  quote_type_wrong: 'quote',
  quote_signature_algorithm_refused: 'signature',
  quote_signature_invalid: 'signature',
  quote_nonce_mismatch: 'quote',
  quote_selects_nothing: 'quote',
  quote_pcr_bank_repeated: 'pcrs',
  quote_pcr_missing: 'pcrs',
  quote_pcr_unexpected: 'pcrs',
  quote_pcr_length_wrong: 'pcrs',
  quote_digest_mismatch: 'pcrs',
}

/** Verifies the quote of a statement, and says of a refusal which member it is about. */
export async function verifyStatement(
  { quote, signature, pcrs, members }: QuotedPcrs,
  aik: Aik,
  freshness: Freshness,
): Promise<Result<VerifiedQuote, QuoteFailure | BootLogFailure>> {
  const signed = { attest: quote, signature, pcrs, key: aik.key }
  const verified = await verifyQuote({ ...signed, ...freshness })
  if (verified.ok) return inMember(members.pcrs, requireQuotedOrder(verified.value, pcrs))
  const part = partOf(verified.failure)
  return inMember(members[part], verified, part === 'pcrs' ? 0 : members.start?.[part])
}

function partOf({ reason, structure }: Failure & Pick<QuoteFailure, 'reason'>): StatementPart {
  if (isQuoteReason(reason)) return STATEMENT_PART_OF[reason]
  return structure === 'TPMT_SIGNATURE' ? 'signature' : 'quote'
}

/**
 * Azure Attestation's protocol has the values in the order of the quote: an agent that came to send them
 * otherwise would be refused there. `pcrs` of the failure are in the right order.
 */
function requireQuotedOrder(
  quote: VerifiedQuote,
  supplied: readonly PcrBank[],
): Result<VerifiedQuote, BootLogFailure> {
  const given = supplied.filter(({ values }) => values.size > 0)
  const turned = quote.pcrs.find((bank, position) => !isSameOrder(bank, given[position]))
  if (turned === undefined) return ok(quote)
  const place = { bank: turned.algorithm, pcrs: [...turned.values.keys()] }
  const [banks, sent] = [quote.pcrs, given].map((list) => list.map(({ algorithm }) => algorithm))
  const isOfBanks = banks?.join() !== sent?.join()
  return err({
    ...{ reason: 'boot_pcr_order_wrong', ...place },
    ...(isOfBanks && { expected: `banks in the order of the quote: ${banks?.join(', ')}` }),
  })
}

function isSameOrder(quoted: PcrBank, given: PcrBank | undefined): boolean {
  if (given?.algorithm !== quoted.algorithm) return false
  const order = [...given.values.keys()]
  return [...quoted.values.keys()].every((index, position) => order[position] === index)
}

function isQuoteReason(reason: QuoteFailure['reason']): reason is (typeof QUOTE_REASONS)[number] {
  return Object.hasOwn(STATEMENT_PART_OF, reason)
}
