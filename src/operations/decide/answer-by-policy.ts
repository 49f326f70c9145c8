import { type Decision, decide } from '../../access/decide.ts'
import { completeRequest, type Directory } from '../../access/directory.ts'
import { NO_DEVICE_ID } from '../../access/kept-request.ts'
import { readReceiptOrder } from '../../access/receipt/order.ts'
import {
  type DecisionFacts,
  describeDecision,
  type IssuedReceipt,
} from '../../access/receipt/receipt.ts'
import type { TrustRecord } from '../../access/trust-record.ts'
import { describeFault, type Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { ok } from '../../base/result.ts'
import type { RulesInForce } from '../release/rules-in-force.ts'
import type { DecisionLog } from './decision-log.ts'
import { type FactsDependencies, findFacts } from './facts.ts'
import {
  type AnswerSource,
  type Asked,
  nameDevice,
  type Question,
  type VerifyDeviceToken,
} from './question.ts'
import type { QuestionRecord } from './question-record.ts'
import type { ShadowDecisions } from './shadow.ts'

export type PolicyAnswersDependencies = DecidingDependencies & {
  readonly store: FactsDependencies['store']
  readonly rules: FactsDependencies['rules']
  readonly verifyDeviceToken: VerifyDeviceToken
}

/** What decides, and where it is noted. */
export type DecidingDependencies = {
  /** Signs what a decision came to, under a fresh id. */
  readonly issueReceipt: (facts: DecisionFacts) => Promise<IssuedReceipt>
  readonly questions: Pick<QuestionRecord, 'note'>
  readonly decisionLog: DecisionLog
  readonly shadow: Pick<ShadowDecisions, 'observe' | 'isDue'>
  /** Tells the database what was seen of rollouts, and logs what was halted. */
  readonly reportShadowDecisions: () => Promise<void>
  readonly metrics: Pick<Metrics, 'decisions' | 'relieved'>
  readonly log: Log
  readonly clock: () => Date
}

/**
 * Answers by the policy that is in force for the device, over its trust record and what the entity
 * directory says. Records, entities and the revision of what is in force are read in one statement
 * (`findFacts`); nothing is written but what is seen of rollouts, now and then.
 */
export function createPolicyAnswers(dependencies: PolicyAnswersDependencies): AnswerSource {
  const { verifyDeviceToken } = dependencies
  return {
    async read(request) {
      const order = readReceiptOrder(request)
      if (!order.ok) return order
      const named = await nameDevice(request, verifyDeviceToken)
      return ok({ request, ...named, requestDigest: order.value })
    },
    async begin(questions, asked) {
      const { rulesInForce, recordOf, directoryOf } = await findFacts(dependencies, questions)
      return {
        answer: async (question) => {
          const [record, directory] = [recordOf(question), directoryOf(question)]
          return ok(
            await decideOne(dependencies, { question, record, directory, rulesInForce, asked }),
          )
        },
        end: () => reportIfDue(dependencies),
      }
    },
  }
}

/** Decides one question over what was read for it, and notes what came of it. */
export async function decideOne(
  dependencies: DecidingDependencies,
  input: {
    readonly question: Question
    readonly record: TrustRecord | null
    readonly directory: Directory | undefined
    readonly rulesInForce: RulesInForce
    readonly asked: Asked
  },
): Promise<Decision> {
  const { question, record, directory, rulesInForce, asked } = input
  const { request: sent, device, token, requestDigest } = question
  const { metrics, questions, decisionLog, shadow, clock } = dependencies
  const now = clock()
  const { rules, reliefs, trials } = rulesInForce.rulesFor(record, now)
  const unnamed = device.ok ? undefined : device.failure.reason
  const request = directory === undefined ? sent : completeRequest(sent, directory)
  const decided = decide({ rules, record, request, token, unnamed, reliefs, now }, asked)
  const { decision, context } = decided.decision
  metrics.decisions.inc({ decision: String(decision), verdict: context.verdict })
  for (const { kind } of context.relief ?? []) metrics.relieved.inc({ kind })
  if (trials.length > 0) shadow.observe({ decided, trials, rulesInForce })
  const { clientId } = asked
  // Kept as it was sent: what the directory says of it may be another thing when it is replayed.
  if (clientId !== null && (record !== null || unnamed === 'device_not_named')) {
    questions.note({ clientId, deviceId: record?.deviceId ?? NO_DEVICE_ID, request: sent, now })
  }
  const receipt =
    requestDigest === undefined
      ? undefined
      : await dependencies.issueReceipt(
          describeDecision({ decided, requestDigest, directory, trials }),
        )
  decisionLog.note({
    request: sent,
    asked,
    answer: decided.decision,
    receiptId: receipt?.receiptId,
  })
  return receipt === undefined ? decided.decision : withReceipt(decided.decision, receipt)
}

function withReceipt({ decision, context }: Decision, { receipt }: IssuedReceipt): Decision {
  const told: Decision['context'] & { readonly receipt: string } = { ...context, receipt }
  return { decision, context: told }
}

/** While a rollout is open, one answer in a while carries what was seen of it to the database. */
export async function reportIfDue(dependencies: DecidingDependencies): Promise<void> {
  const { shadow, reportShadowDecisions, log, clock } = dependencies
  if (!shadow.isDue(clock())) return
  try {
    await reportShadowDecisions()
  } catch (error) {
    // Nothing about the answer hangs on it, and it is told again.
    log.error('report_failed', describeFault(error))
  }
}
