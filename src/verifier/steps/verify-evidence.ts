import { digest } from '../../base/digest.ts'
import { toBase64Url } from '../../base/encoding.ts'
import { err, type Failure, ok, type Result } from '../../base/result.ts'
import { importTpmKey, type TpmKey, type TpmKeyFailure } from '../../evidence/tpm/key.ts'
import type { Attester, EvidenceKind, Findings, VerificationRun } from '../kinds/kind.ts'
import type { AttestRequest } from '../protocol/attest-request.ts'
import type { ProtocolFailure } from '../protocol/protocol-failure.ts'
import { aboutJwk } from '../protocol/public-jwk.ts'
import type { RequestData, RequestKeyBinding } from '../protocol/request-data.ts'
import {
  REQUEST_KEY_USE,
  type RequestJws,
  type RequestJwsFailure,
  verifyRequestSignature,
} from '../protocol/request-jws.ts'
import { endWith } from './trace.ts'

/** Everything that a token states, every part of it verified; whether it is good is not judged. */
export type VerifiedEvidence = {
  readonly attester: Attester
  /** The key that signed the request: the token's `cnf`, unless it is bound by `none`. */
  readonly requestKey: { readonly key: TpmKey; readonly boundBy: RequestKeyBinding['kind'] }
  /** By name; what was not measured is absent. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly rpData: Uint8Array | undefined
}

/** SHA-256 of parts of the evidence, base64url: what is kept of evidence that is not. */
export type EvidenceDigests = Readonly<Record<string, string>>

/**
 * Verifies the evidence of a request whose signature and service context were verified before: kind
 * by kind in the order of the list, the first that is refused ending it.
 */
export async function verifyEvidence<F extends Failure>(
  { evidence }: AttestRequest<F>,
  kinds: readonly EvidenceKind<F>[],
  run: VerificationRun,
): Promise<Result<VerifiedEvidence, F | ProtocolFailure>> {
  const claims: Record<string, unknown> = {}
  for (const [index, kind] of kinds.entries()) {
    const read = evidence.find((one) => one.kind === kind.name)
    const found = read === undefined ? absent(kind) : await read.verify(run)
    if (!found.ok) {
      const others = kinds.slice(index + 1).map(({ name }) => name)
      return endWith(run.trace, found, () => walkOthers(evidence, others, run))
    }
    run.findings.push(found.value)
    for (const name of [...kind.claims.azure, ...kind.claims.own]) {
      const value = found.value.claims[name]
      if (value !== undefined) claims[name] = value
    }
  }
  const attester = run.findings.find((one) => one.attester !== undefined)?.attester
  if (attester === undefined) throw new TypeError('no kind of the list answers the challenge')
  const { requestKey, request } = run
  const boundBy = request.requestKey.binding.kind
  return ok({ attester, requestKey: { key: requestKey, boundBy }, claims, rpData: request.rpData })
}

/** Goes on with kinds that need no more than what the one that was refused has found all the same. */
async function walkOthers<F extends Failure>(
  evidence: AttestRequest<F>['evidence'],
  kinds: readonly string[],
  run: VerificationRun,
): Promise<void> {
  if (run.findings.length === 0) return
  for (const { kind, verify } of evidence) if (kinds.includes(kind)) await verify(run)
}

function absent({ claims }: Pick<EvidenceKind, 'claims'>): Result<Findings, never> {
  return ok({ claims: claims.absent ?? {} })
}

/** The key of a request, usable. */
export async function importRequestKey({
  requestKey,
}: RequestData): Promise<Result<TpmKey, TpmKeyFailure>> {
  const { jwk, member } = requestKey
  const key = await importTpmKey(jwk, REQUEST_KEY_USE)
  return key.ok ? key : err(aboutJwk(key.failure, member))
}

/** The key of a request, whose holder signed it. */
export async function proveRequestKey(
  jws: RequestJws,
  request: RequestData,
): Promise<Result<TpmKey, TpmKeyFailure | RequestJwsFailure>> {
  const key = await importRequestKey(request)
  if (!key.ok) return key
  const signature = await verifyRequestSignature(jws, key.value)
  return signature.ok ? key : signature
}

/** Names the parts of the evidence for the record, without keeping them. */
export function digestEvidence<F extends Failure>({ evidence }: AttestRequest<F>): EvidenceDigests {
  const digests: Record<string, string> = {}
  for (const [name, bytes] of evidence.flatMap(({ parts }) => Object.entries(parts))) {
    digests[name] = toBase64Url(digest('sha256', bytes))
  }
  return digests
}
