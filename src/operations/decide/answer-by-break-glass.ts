import {
  type BreakGlassDecision,
  decideBreakGlass,
  denyBreakGlass,
} from '../../access/break-glass/decision.ts'
import type { BreakGlassFailure } from '../../access/break-glass/failure.ts'
import type { VerifiedBreakGlass } from '../../access/break-glass/verify.ts'
import { isDeviceId } from '../../access/device-id.ts'
import { readLanguages } from '../../access/language.ts'
import type { Log } from '../../base/log.ts'
import type { LogBudget } from '../../base/log-budget.ts'
import type { Metrics } from '../../base/metrics.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { BreakGlassUses } from '../audit/break-glass-uses.ts'
import type { DecisionLog } from './decision-log.ts'
import {
  type AnswerSource,
  type Answers,
  type Asked,
  nameDevice,
  type VerifyDeviceToken,
} from './question.ts'

/** None of it asks the store, so that the glass can be broken when the store is down. */
export type BreakGlassDependencies = {
  /** Whether a token opens this service now. */
  readonly verifyBreakGlass: (
    token: string,
  ) => Promise<Result<VerifiedBreakGlass, BreakGlassFailure>>
  readonly verifyDeviceToken: VerifyDeviceToken
  readonly metrics: Pick<Metrics, 'breakGlass' | 'decisions'>
  readonly decisionLog: DecisionLog
  /** For the audit log, when the database is there. */
  readonly breakGlassUses: Pick<BreakGlassUses, 'note'>
  readonly log: Log
  /** For what anybody can bring about. */
  readonly logBudget: LogBudget
  readonly clock: () => Date
}

/** The source of answers that a token opens; refused for a token that opens nothing. */
export type OpenBreakGlass = (
  token: string,
  requestId: string,
) => Promise<Result<AnswerSource, BreakGlassFailure>>

/**
 * Answers by a break-glass token alone: before any client is authenticated, without database and
 * without policy. A token that does not open is an error whoever asks, and never left aside: who
 * breaks the glass must see that it did not work.
 *
 * Nothing is written to the audit table meanwhile, which is where the database is: the log has each use, and a job
 * of this process writes it into the audit log later.
 */
export function createBreakGlassAnswers(dependencies: BreakGlassDependencies): OpenBreakGlass {
  const { verifyBreakGlass, verifyDeviceToken } = dependencies
  return async (token, requestId) => {
    const verified = await verifyBreakGlass(token)
    if (!verified.ok) {
      reportRefusal(dependencies, requestId, verified.failure)
      return verified
    }
    return ok({
      async read(request) {
        const named = await nameDevice(request, verifyDeviceToken)
        // No receipt: it names the documents that decided, and none does.
        return ok({ request, ...named, requestDigest: undefined })
      },
      async begin(_, asked) {
        return answersOf(dependencies, { verified: verified.value, requestId, asked })
      },
    })
  }
}

type Opened = {
  readonly verified: VerifiedBreakGlass
  readonly requestId: string
  readonly asked: Asked
}

function answersOf(dependencies: BreakGlassDependencies, opened: Opened): Answers {
  const { verified, requestId, asked } = opened
  const granted: BreakGlassDecision[] = []
  let refusal: BreakGlassFailure | undefined
  return {
    answer({ request, device }) {
      const decision = decideBreakGlass(verified, device)
      if (decision.ok) {
        granted.push(decision.value)
        dependencies.decisionLog.note({ request, asked, answer: decision.value })
        return decision
      }
      const { failure } = decision
      refusal = failure
      const answer = denyBreakGlass(verified, { failure, languages: readLanguages(asked.language) })
      return err({ ...failure, answer })
    },
    end() {
      if (granted.length > 0) reportUse(dependencies, opened, granted)
      // What was granted beside it is told already, by its own line.
      else if (refusal !== undefined) reportRefusal(dependencies, requestId, refusal)
    },
  }
}

/** As loud as a log can be: each use is somebody's to look after. */
function reportUse(
  { metrics, log, breakGlassUses, clock }: BreakGlassDependencies,
  { verified, requestId }: Opened,
  granted: readonly BreakGlassDecision[],
): void {
  const { claims, kids } = verified
  metrics.breakGlass.labels('granted').inc()
  for (const { decision, context } of granted) {
    metrics.decisions.labels(String(decision), context.verdict).inc()
  }
  const devices = granted.map(({ context }) => context.device_id ?? '').filter(isDeviceId)
  const { jti, sub, iss, reason } = claims
  const detail = { ...{ jti, sub, iss, reason, kids, requestId }, devices: [...new Set(devices)] }
  breakGlassUses.note({
    by: `break-glass:${jti}`,
    action: 'break-glass.used',
    detail,
    now: clock(),
  })
  log.error('break_glass_used', {
    request_id: requestId,
    ...{ jti, sub, iss, reason },
    expires_at: new Date(claims.exp * 1000).toISOString(),
    kids: kids.join(' '),
    granted: granted.length,
    devices: [...new Set(devices)].join(' '),
  })
}

/** A token that nobody signed has no id, and anybody can hand in many: those have a budget. */
function reportRefusal(
  { metrics, log, logBudget, clock }: BreakGlassDependencies,
  requestId: string,
  { reason, jti }: BreakGlassFailure,
): void {
  metrics.breakGlass.labels(reason).inc()
  const fields = { request_id: requestId, reason, jti }
  if (jti !== undefined) log.warn('break_glass_refused', fields)
  else logBudget.write('warn', 'break_glass_refused', reason, fields, clock())
}
