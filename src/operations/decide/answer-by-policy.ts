import { type Decision, decide } from '../../access/decide.ts'
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
import type { InForceRevision } from '../../store/devices/trust-records.ts'
import type { Store } from '../../store/store.ts'
import type { RulesInForce, RulesReader } from '../release/rules-in-force.ts'
import type { DecisionLog } from './decision-log.ts'
import {
  type AnswerSource,
  type Asked,
  nameDevice,
  type Question,
  type VerifyDeviceToken,
} from './question.ts'
import type { QuestionRecord } from './question-record.ts'
import type { ShadowDecisions } from './shadow.ts'

export type PolicyAnswersDependencies = {
  readonly store: Pick<Store, 'trustRecord' | 'trustRecords'>
  readonly rules: Pick<RulesReader, 'at'>
  readonly verifyDeviceToken: VerifyDeviceToken
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
 * Answers by the policy that is in force for the device, over its trust record. Records and the
 * revision of what is in force are read in one statement; nothing is written but what is seen of
 * rollouts, now and then.
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
      const { revision, recordOf } = await findRecords(dependencies.store, questions)
      const rulesInForce = await dependencies.rules.at(revision)
      return {
        answer: async (question) => {
          const record = recordOf(question)
          return ok(await decideOne(dependencies, { question, record, rulesInForce, asked }))
        },
        end: () => reportIfDue(dependencies),
      }
    },
  }
}

type Found = {
  readonly revision: InForceRevision
  readonly recordOf: (question: Question) => TrustRecord | null
}

async function findRecords(
  store: PolicyAnswersDependencies['store'],
  questions: readonly Question[],
): Promise<Found> {
  const ids = questions.flatMap(({ device }) => (device.ok ? [device.value] : []))
  const [only] = ids
  if (only !== undefined && questions.length === 1) {
    const found = await store.trustRecord(only)
    return { revision: found, recordOf: () => found.record }
  }
  // Without a device the revision alone is read: what is in force names the answer all the same.
  const found = await store.trustRecords([...new Set(ids)])
  return {
    revision: found,
    recordOf: ({ device }) => (device.ok ? (found.records.get(device.value) ?? null) : null),
  }
}

async function decideOne(
  dependencies: PolicyAnswersDependencies,
  input: {
    readonly question: Question
    readonly record: TrustRecord | null
    readonly rulesInForce: RulesInForce
    readonly asked: Asked
  },
): Promise<Decision> {
  const { question, record, rulesInForce, asked } = input
  const { request, device, token, requestDigest } = question
  const { metrics, questions, decisionLog, shadow, clock } = dependencies
  const now = clock()
  const { rules, reliefs, trials } = rulesInForce.rulesFor(record, now)
  const unnamed = device.ok ? undefined : device.failure.reason
  const decided = decide({ rules, record, request, token, unnamed, reliefs, now }, asked)
  const { decision, context } = decided.decision
  metrics.decisions.inc({ decision: String(decision), verdict: context.verdict })
  for (const { kind } of context.relief ?? []) metrics.relieved.inc({ kind })
  if (trials.length > 0) shadow.observe({ decided, trials, rulesInForce })
  const { clientId } = asked
  if (record !== null && clientId !== null) {
    questions.note({ clientId, deviceId: record.deviceId, request, now })
  }
  const receipt =
    requestDigest === undefined
      ? undefined
      : await dependencies.issueReceipt(describeDecision({ decided, requestDigest, trials }))
  decisionLog.note({ request, asked, answer: decided.decision, receiptId: receipt?.receiptId })
  return receipt === undefined ? decided.decision : withReceipt(decided.decision, receipt)
}

function withReceipt({ decision, context }: Decision, { receipt }: IssuedReceipt): Decision {
  const told: Decision['context'] & { readonly receipt: string } = { ...context, receipt }
  return { decision, context: told }
}

/** While a rollout is open, one answer in a while carries what was seen of it to the database. */
async function reportIfDue(dependencies: PolicyAnswersDependencies): Promise<void> {
  const { shadow, reportShadowDecisions, log, clock } = dependencies
  if (!shadow.isDue(clock())) return
  try {
    await reportShadowDecisions()
  } catch (error) {
    // Nothing about the answer hangs on it, and it is told again.
    log.error('report_failed', describeFault(error))
  }
}
