import { type Compared, comparison } from '../../base/comparison.ts'
import { DIGEST_BYTES, digest, equalBytes, type HashAlgorithm } from '../../base/digest.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ParseFailure } from '../bytes.ts'
import { parseTpmsAttest, type QuoteInfo, type TpmsAttest } from './attest.ts'
import { compareNonce, type Freshness, isFresh } from './freshness.ts'
import { importTpmKey, type TpmKey, type TpmKeyFailure } from './key.ts'
import type { PcrBank, PcrSelection } from './pcr.ts'
import {
  acceptsSignatureHash,
  compareSigner,
  parseTpmtSignature,
  type SignatureTolerance,
  verifyTpmtSignature,
} from './signature.ts'

export const QUOTE_REASONS = [
  'quote_type_wrong',
  'quote_signature_algorithm_refused',
  'quote_signature_invalid',
  'quote_nonce_mismatch',
  'quote_selects_nothing',
  'quote_pcr_bank_repeated',
  'quote_pcr_missing',
  'quote_pcr_unexpected',
  'quote_pcr_length_wrong',
  'quote_digest_mismatch',
] as const

/** Why a quote is not believed. `pcrs` are the indexes concerned, of `bank`. */
export type QuoteFailure =
  | ParseFailure
  | TpmKeyFailure
  | { readonly reason: 'quote_type_wrong'; readonly kind: TpmsAttest['attested']['kind'] }
  | {
      readonly reason: 'quote_signature_algorithm_refused'
      readonly scheme: string
      readonly hash: HashAlgorithm
    }
  | { readonly reason: 'quote_selects_nothing' }
  | ({ readonly reason: 'quote_signature_invalid' } & Compared)
  | ({ readonly reason: 'quote_nonce_mismatch'; readonly expected?: string } & Compared)
  | ({
      readonly reason: 'quote_digest_mismatch'
      readonly selections: readonly PcrSelection[]
    } & Compared)
  | {
      readonly reason: Extract<(typeof QUOTE_REASONS)[number], `quote_pcr_${string}`>
      readonly bank: HashAlgorithm
      readonly pcrs: readonly number[]
      readonly expected?: string
    }

declare const verified: unique symbol

/**
 * Verified: `key` signed the quote and `pcrs` are the values it covers, all of them and no others.
 * That `key` belongs to a TPM at all must come from elsewhere (its certificate, an enrolment). Only
 * `verifyQuote` makes one.
 */
export type VerifiedQuote = {
  readonly attest: TpmsAttest & { readonly attested: QuoteInfo }
  /** By bank in the order of the quote; banks without a selected PCR are left out. */
  readonly pcrs: readonly PcrBank[]
  readonly [verified]: true
}

type SignedQuote = {
  readonly attest: Uint8Array
  readonly signature: Uint8Array
  readonly key: JsonWebKey | TpmKey
} & Freshness &
  SignatureTolerance

/**
 * Verifies a TPM2_Quote: structure, magic, type, signature, nonce, then that the PCR values supplied
 * are the quoted ones and no others, then their digest. TPM 2.0 Part 3 §18.4
 *
 * `attest` is the TPMS_ATTEST, `signature` the TPMT_SIGNATURE over it, `key` the attestation key.
 */
export async function verifyQuote(
  input: SignedQuote & { readonly pcrs: readonly PcrBank[] },
): Promise<Result<VerifiedQuote, QuoteFailure>> {
  const signed = await verifyQuoteSignature(input)
  if (!signed.ok) return signed
  const { attest, hash } = signed.value
  const { attested } = attest
  const pcrs = matchPcrs(attested, input.pcrs)
  if (!pcrs.ok) return pcrs
  const sent = digestPcrs(hash, pcrs.value)
  if (!equalBytes(attested.pcrDigest, sent)) {
    const { selections, pcrDigest } = attested
    const compared = () => [comparison('digest of the PCR values', pcrDigest, sent)]
    return err({ reason: 'quote_digest_mismatch', selections, compared })
  }
  return ok({ attest, pcrs: pcrs.value } as VerifiedQuote)
}

/**
 * The first half of `verifyQuote`, for explaining a quote whose PCR values are not at hand: its
 * PCR digest is signed, but compared with nothing. No decision may rest on it.
 */
export async function verifyQuoteSignature(
  input: SignedQuote,
): Promise<
  Result<{ readonly attest: VerifiedQuote['attest']; readonly hash: HashAlgorithm }, QuoteFailure>
> {
  const parsed = parseTpmsAttest(input.attest)
  if (!parsed.ok) return parsed
  const signature = parseTpmtSignature(input.signature)
  if (!signature.ok) return signature
  const { attested, ...rest } = parsed.value
  if (attested.kind !== 'quote') return err({ reason: 'quote_type_wrong', kind: attested.kind })
  const { scheme, hash } = signature.value
  if (!acceptsSignatureHash(hash, input)) {
    return err({ reason: 'quote_signature_algorithm_refused', scheme, hash })
  }
  const key = await importTpmKey(input.key)
  if (!key.ok) return key
  const signed = { ...input, key: key.value, signature: signature.value, message: input.attest }
  if (!(await verifyTpmtSignature(signed))) {
    const compared = () => compareSigner(key.value, signature.value)
    return err({ reason: 'quote_signature_invalid', compared })
  }
  if (!isFresh(rest.extraData, input)) {
    const compared = () => compareNonce(rest.extraData, input)
    return err({ reason: 'quote_nonce_mismatch', compared })
  }
  return ok({ attest: { ...rest, attested }, hash })
}

/** The PCR digest uses the hash of the signing scheme, not that of the bank. Part 3 §18.4.1 */
function digestPcrs(hash: HashAlgorithm, pcrs: readonly PcrBank[]): Uint8Array {
  return digest(hash, ...pcrs.flatMap(({ values }) => [...values.values()]))
}

/** The supplied values in the order of the quote, when they are exactly the quoted ones. */
function matchPcrs(
  { selections }: QuoteInfo,
  supplied: readonly PcrBank[],
): Result<readonly PcrBank[], QuoteFailure> {
  const quoted = selections.filter(({ indexes }) => indexes.length > 0)
  if (quoted.length === 0) return err({ reason: 'quote_selects_nothing' })
  const banks = new Map<HashAlgorithm, PcrBank>()
  for (const bank of supplied) {
    const refusal = checkBank(bank, banks, quoted)
    if (refusal !== undefined) return err(refusal)
    banks.set(bank.algorithm, bank)
  }
  const matched: PcrBank[] = []
  for (const { algorithm, indexes } of quoted) {
    const given = banks.get(algorithm)
    const values = given?.values ?? new Map<number, Uint8Array>()
    const found = indexes.flatMap((index) => {
      const value = values.get(index)
      return value === undefined ? [] : [[index, value] as const]
    })
    if (found.length < indexes.length) {
      const missing = indexes.filter((index) => !values.has(index))
      const expected = `an entry of the bank ${algorithm}, with a value for each PCR that is quoted`
      return err({
        ...{ reason: 'quote_pcr_missing', bank: algorithm, pcrs: missing },
        ...(given === undefined && { expected }),
      })
    }
    matched.push({ algorithm, values: new Map(found) })
  }
  return ok(matched)
}

/**
 * A value that is not quoted would pass as verified, and one of another length would let bytes move
 * from one PCR to the next under the same digest.
 */
function checkBank(
  { algorithm, values }: PcrBank,
  before: ReadonlyMap<HashAlgorithm, PcrBank>,
  quoted: readonly PcrSelection[],
): QuoteFailure | undefined {
  const pcrs = [...values.keys()]
  const bank = algorithm
  if (before.has(bank)) return { reason: 'quote_pcr_bank_repeated', bank, pcrs }
  const selected = new Set(quoted.find((one) => one.algorithm === bank)?.indexes)
  const extra = pcrs.filter((index) => !selected.has(index))
  if (extra.length > 0) return { reason: 'quote_pcr_unexpected', bank, pcrs: extra }
  const odd = pcrs.filter((index) => values.get(index)?.length !== DIGEST_BYTES[bank])
  if (odd.length > 0) return { reason: 'quote_pcr_length_wrong', bank, pcrs: odd }
  return undefined
}
