import type { Failure } from '../../base/result.ts'
import { BUILT_IN_KINDS, type BuiltInFailure } from '../kinds/built-in.ts'
import type { EvidenceKind } from '../kinds/kind.ts'
import { PROTOCOL_ANSWERS } from './protocol-answers.ts'
import type { ProtocolFailure } from './protocol-failure.ts'
import { type WireAnswer, type WireError, writeWireError } from './wire-answers.ts'

/** Says what an agent is told of a failure; `requestId` names the attempt in the log. */
export type ToWireError<F extends Failure> = (
  failure: ProtocolFailure | F,
  requestId: string,
) => WireError

/** Every reason of a verifier that knows `kinds`, and what an agent is told of it. */
export function listAnswers<F extends Failure>(
  kinds: readonly EvidenceKind<F>[],
): Readonly<Record<string, WireAnswer>> {
  return Object.assign({}, ...kinds.map(({ answers }) => answers), PROTOCOL_ANSWERS)
}

/** What agents are told about the refusals of a verifier that knows `kinds`. */
export function createWireErrors<F extends Failure>(
  kinds: readonly EvidenceKind<F>[],
): ToWireError<F> {
  const answers = listAnswers(kinds)
  return (failure, requestId) => {
    const answer = answers[failure.reason]
    if (answer === undefined) throw new TypeError(`nothing says how ${failure.reason} is answered`)
    return writeWireError(failure, answer, requestId)
  }
}

/** What the agent is told about a refusal by the built-in verifier. */
export const toWireError: ToWireError<BuiltInFailure> = createWireErrors(BUILT_IN_KINDS)
