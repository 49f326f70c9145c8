import type { Failure, Result } from '../../base/result.ts'
import type { RsaPublicKey } from '../../evidence/event-log/claims.ts'
import type { TpmKey } from '../../evidence/tpm/key.ts'
import type { Accept, MessageReader } from '../protocol/message-reader.ts'
import type { ProtocolFailure } from '../protocol/protocol-failure.ts'
import type { RequestData } from '../protocol/request-data.ts'
import type { RequestVersion } from '../protocol/request-jws.ts'
import type { ServiceContext, SpendContext } from '../protocol/service-context.ts'
import type { WireAnswer } from '../protocol/wire-answers.ts'
import type { CertifiedPath } from '../steps/certified-path.ts'
import type { Trace } from '../steps/trace.ts'
import type { AikTrust } from './tpm/attestation-key.ts'
import type { BoundKeys } from './tpm/key-binding.ts'

/**
 * A kind of evidence, and all that the verifier knows about it. `built-in.ts` lists those that there
 * are; whoever reads requests, verifies them, issues tokens or answers refusals goes through a list
 * and names no kind. `docs/evidence-kinds.md` says how one is added. `F`: its own refusals.
 */
export type EvidenceKind<F extends Failure = Failure> = {
  /** Unique in a list, such as `tpm`. */
  readonly name: string
  /** The `att_type` of requests that are sent for its sake. */
  readonly requestType: string
  /**
   * The member of `att_data` that holds what such a request is about. Absent: `att_data` itself.
   * Whoever names one promises that `verify` refuses a report that was not made over the text of
   * that member, since the request's key may be bound by nothing else. A request of this type in
   * which `read` finds no evidence is refused by whoever reads requests.
   */
  readonly boundMember?: string
  /** The trace steps that its verification may take, in their order. */
  readonly steps: readonly string[]
  /** Under these names digests of its evidence are kept. */
  readonly parts: readonly string[]
  readonly claims: KindClaims
  /** What an agent is told of each of its reasons; `defineKind` asks for all of them. */
  readonly answers: Readonly<Record<string, WireAnswer>>
  /** Reads its evidence out of a request and verifies nothing; `undefined` if there is none. */
  readonly read: (parts: RequestParts<F>) => ReadEvidence<F> | undefined
}

/** The names of claims; no two kinds of a list may issue one of the same name. */
export type KindClaims = {
  /** Claims that Azure Attestation issues, too: they stand in the text of the built-in policy. */
  readonly azure: readonly string[]
  /** Claims that only we issue. */
  readonly own: readonly string[]
  /** What a token says where a request carries no evidence of this kind. */
  readonly absent?: Readonly<Record<string, unknown>>
}

/** A request in parts, as far as a kind may look at it. Unverified. */
export type RequestParts<F extends Failure> = {
  readonly version: RequestVersion
  readonly type: string
  /** `att_data`. */
  readonly data: MessageReader
  /** What the request is about: `att_data`, or the bound member of the kind whose type it has. */
  readonly signed: MessageReader
  readonly accept: Accept<F | ProtocolFailure>
}

/** Evidence of one kind as it came. Unverified. */
export type ReadEvidence<F extends Failure> = {
  /** Name of the kind. */
  readonly kind: string
  /** What was read, for whoever inspects a request. */
  readonly content: unknown
  /** The parts of which digests are kept, by name. */
  readonly parts: Readonly<Record<string, Uint8Array>>
  readonly verify: (run: VerificationRun) => Promise<Result<Findings, F | ProtocolFailure>>
}

/** One verification: what is known when a kind's turn comes. */
export type VerificationRun = {
  readonly request: RequestData
  /** The key that signed the request, which was checked. */
  readonly requestKey: TpmKey
  /** What was sealed with the challenge that the request answers. */
  readonly context: ServiceContext
  readonly spendContext: SpendContext
  readonly trust: AikTrust
  readonly now: Date
  readonly trace: Trace
  /** What kinds before this one in the list have found. */
  readonly findings: Findings[]
  /** Set as soon as a key answered our challenge, whatever fails after that. */
  provenAik: ProvenAik | undefined
}

/** An AK that answered our challenge, and whether a trust anchor vouches for it. */
export type ProvenAik = { readonly deviceKey: Uint8Array; readonly isVouched: boolean }

/** What verified evidence of one kind says; whether that is good is not judged. */
export type Findings = {
  /** By the names that the kind declares; `undefined` was not measured. Others are dropped. */
  readonly claims: Readonly<Record<string, unknown>>
  /** Who attests. One kind of a list says it: the one that answers the challenge. */
  readonly attester?: Attester
  /** The key that the secure kernel signs reports with, as the proven boot measured it. */
  readonly enclaveSigner?: RsaPublicKey | undefined
  /** Where the boot log has such a key that does not count, in words; for who asks why there is none. */
  readonly findMisplacedSigner?: () => string | undefined
}

/** Whose evidence it is, proven. */
export type Attester = {
  /** SHA-256 of the attestation key's SubjectPublicKeyInfo: the device key. */
  readonly hash: Uint8Array
  readonly key: TpmKey
  /** How the key's certificate reaches a trust anchor; absent where none vouches for it. */
  readonly path: CertifiedPath | undefined
  /** The keys of the request whose binding was verified. */
  readonly keys: BoundKeys
}

/** A kind whose every own reason has an answer. */
export function defineKind<F extends Failure>(
  kind: EvidenceKind<F> & {
    readonly answers: Readonly<Record<Exclude<F['reason'], ProtocolFailure['reason']>, WireAnswer>>
  },
): EvidenceKind<F> {
  return kind
}

/** Every claim that tokens may have for their evidence, in the order in which they list them. */
export function listIssuedClaims(kinds: readonly EvidenceKind[]): readonly string[] {
  const names = kinds.flatMap(({ claims }) => [...claims.azure, ...claims.own])
  if (new Set(names).size < names.length) throw new TypeError('two kinds issue the same claim')
  return names.sort()
}
