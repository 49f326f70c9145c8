import type { Alarm } from '../alerts/alarms.ts'
import type { KeySets } from '../azure/key-sets.ts'
import { connectProviders } from '../azure/providers.ts'
import type { AzureRelay } from '../azure/relay.ts'
import { toBase32 } from '../base/encoding.ts'
import { createLog, type Log } from '../base/log.ts'
import { createLogBudget, type LogBudget } from '../base/log-budget.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Post } from '../base/post.ts'
import { createRandomSource } from '../base/random.ts'
import type { Tracing } from '../base/tracing.ts'
import type { Config } from '../config/config.ts'
import { provesHardware, requiresHardware } from '../config/trust-anchors.ts'
import {
  CLIENT_REFUSALS_PER_MINUTE,
  type ClientDirectory,
  createClientDirectory,
} from '../keys/client-directory.ts'
import { type ClientUses, createClientUses } from '../keys/client-uses.ts'
import type { MasterSecrets } from '../keys/master-secret.ts'
import type { FetchJson } from '../keysets/key-sets.ts'
import { createProcessNotices } from '../operations/alerts/notice-in-process.ts'
import { createDeviceLimiter, type DeviceLimiter } from '../operations/attest/device-limiter.ts'
import { createRecentRefusals, type RecentRefusals } from '../operations/attest/recent-refusals.ts'
import { type BreakGlassUses, createBreakGlassUses } from '../operations/audit/break-glass-uses.ts'
import { createDecisionLog, type DecisionLog } from '../operations/decide/decision-log.ts'
import { createQuestionRecord, type QuestionRecord } from '../operations/decide/question-record.ts'
import { createShadowDecisions, type ShadowDecisions } from '../operations/decide/shadow.ts'
import { createExpiries, type Expiries } from '../operations/jobs/expiries.ts'
import { whoSteers } from '../operations/jobs/who-steers.ts'
import { createRulesReader, type RulesReader } from '../operations/release/rules-in-force.ts'
import { type Bell, createBell } from '../operations/signals/bell.ts'
import { createPush, type Push } from '../receivers/push.ts'
import type { Store } from '../store/store.ts'
import { type AttestServices, createAttestServices } from './attest.ts'
import { beginMetrics } from './begin-metrics.ts'
import { prepareBreakGlass, type VerifyBreakGlass } from './break-glass.ts'
import { beginDeveloperMode } from './developer-mode.ts'
import { ensureDocuments, listsTrustAnchors } from './first-documents.ts'
import { createKeyServices, type KeyServices } from './keys.ts'
import { createTokenServices, type TokenServices } from './oauth.ts'
import { traceStore } from './tracing.ts'

/** Everything that handlers work with. Made once; only this file knows what stands behind each. */
export type Services = KeyServices &
  AttestServices &
  TokenServices & {
    readonly config: Config
    readonly log: Log
    readonly metrics: Metrics
    /** That of administration; others are had with `forUse`. */
    readonly store: Store
    readonly clock: () => Date
    /** Fresh random bytes. */
    readonly random: (length: number) => Uint8Array
    readonly rules: RulesReader
    /** What rollouts do to the questions that this process is asked. */
    readonly shadow: ShadowDecisions
    /** A sample of the questions that this process is asked. */
    readonly questions: QuestionRecord
    readonly decisionLog: DecisionLog
    /** Tells processes apart that work on one database. */
    readonly processId: string
    readonly clients: ClientDirectory
    /** Which of their secrets clients used, to be written down. */
    readonly clientUses: ClientUses
    /** Requests whose credentials or scope were refused, by client. */
    readonly clientRefusals: DeviceLimiter
    /** For what anybody can bring about. */
    readonly logBudget: LogBudget
    /** What this process refused last, by the id of the request. */
    readonly recentRefusals: RecentRefusals
    /** Whether refusals tell agents all that was compared. */
    readonly isDeveloperMode: boolean
    /** By URL, one for each Azure provider among the configured verifiers. */
    readonly relays: ReadonlyMap<string, AzureRelay>
    /** Of the same providers. */
    readonly keySets: KeySets
    /** Whether each configured verifier answers, by its name there. */
    readonly verifierStates: () => Readonly<Record<string, boolean>>
    /** Whether a break-glass token opens; asks no store. */
    readonly verifyBreakGlass: VerifyBreakGlass
    /** Uses of it that are to be written into the audit log. */
    readonly breakGlassUses: BreakGlassUses
    readonly push: Push
    readonly post: Post
    /** Absent where nobody collects traces. */
    readonly tracing: Tracing | undefined
    /** Rings after commits that leave something to deliver, where the database tells of them. */
    readonly bell: Bell
    /** The ends of evidence that come soon. */
    readonly expiries: Expiries
    /** What happened in this process alone since it was asked last, and has to be told. */
    readonly noticeInProcess: (now: Date) => Promise<readonly Alarm[]>
    /** Set when the process is on its way down and should get no more requests. */
    readonly lifecycle: { draining: boolean }
  }

export type ServicesInput = {
  readonly config: Config
  readonly log: Log
  /**
   * Takes a line of the log of decisions, or answers that it cannot take it now: whoever waits for it would
   * keep answers waiting. Without it lines go to `log`.
   */
  readonly writeDecision?: ((line: string) => boolean) | undefined
  /** Of this process, where some were begun before the database was there. */
  readonly metrics?: Metrics | undefined
  /** Uses from before the database was there. */
  readonly breakGlassUses?: BreakGlassUses | undefined
  readonly store: Store
  readonly secrets: MasterSecrets
  /** Posts to receivers of streams and of alarms. Without it nothing is sent from here. */
  readonly post?: Post | undefined
  /** Traces what is done; without it nothing is traced. */
  readonly tracing?: Tracing | undefined
  /** Gets a key set of somebody else; without it there is none. */
  readonly fetchJson?: FetchJson | undefined
  readonly clock: () => Date
  /**
   * The first reference values where hardware is unproven anyway: those of simulated devices, so
   * that the service can be tried out. Whoever leaves it out begins with none.
   */
  readonly simulatedHardware?: object | undefined
  /** Whether refusals tell agents all that was compared: for a service that nobody relies on. */
  readonly developer?: boolean | undefined
}

const NOT_POSTED: Post = async () => ({ kind: 'later', cause: 'nothing is pushed from here' })

export async function createServices(input: ServicesInput): Promise<Services> {
  const { config, log, secrets, clock } = input
  const store = traceStore(input.store, input.tracing)
  const now = clock()
  const issuer = config.publicUrl
  const random = createRandomSource()
  // Keys, rules and clients are what a decision needs.
  const decisions = store.forUse('decisions')
  const keys = await createKeyServices({ store: decisions, secrets, issuer, log, clock, random })
  const logBudget = createLogBudget(log)
  const isHardwareProven = provesHardware(config)
  await ensureDocuments(store, now, isHardwareProven ? undefined : input.simulatedHardware)
  if (!isHardwareProven && !(await listsTrustAnchors(store))) {
    log.warn('hardware_unproven', {
      consequence: 'any attestation key is accepted and simulated devices can become trusted',
      remedy: 'set AK_TRUST_ANCHORS or EK_TRUST_ANCHORS, or list trust_anchors',
    })
  }
  if (config.legacyUnboundRequestKey === 'accept') {
    log.warn('legacy_unbound_request_key_accepted', {
      consequence: 'whoever has the evidence of a version 1 device gets tokens with its claims',
      remedy: 'unset LEGACY_UNBOUND_REQUEST_KEY when all agents send attReqV2, or vbs',
    })
  }
  if (config.akCertificatePurpose === 'lax') {
    log.warn('certificates_of_any_purpose_accepted', {
      consequence: 'whatever the authorities certify for signatures counts as a key in a TPM',
      remedy: 'unset AK_CERTIFICATE_PURPOSE, and list the one authority that needs it as lax',
    })
  }
  if (config.unvouchedSteering === 'accept') {
    log.warn('unvouched_steering_accepted', {
      consequence:
        'without trust anchors, whoever attests with many devices of his own making can have causes of denial held',
      remedy: 'set AK_TRUST_ANCHORS or AK_TRUST_ANCHORS_FILE, and unset UNVOUCHED_STEERING',
    })
  }
  const rules = createRulesReader(decisions, {
    clock,
    outageGraceMs: config.outageGraceSeconds * 1000,
    requiresHardware: requiresHardware(config),
  })
  const azure = connectProviders(config, clock)
  const clientUses = createClientUses()
  const processId = toBase32(random(10))
  const isDeveloperMode = input.developer === true
  if (isDeveloperMode) await beginDeveloperMode({ config, rules, log })
  const shared = { config, log, store, clock, random, logBudget, rules, processId, isDeveloperMode }
  const recordings = store.forUse('recordings')
  const attest = await createAttestServices({ ...shared, store: recordings, keys, azure })
  const clients = createClientDirectory(decisions, clock, clientUses.note)
  const { fetchJson } = input
  const callers = { config, keys, store: decisions, clients, fetchJson, clock, random }
  const { metrics = beginMetrics(), post = NOT_POSTED } = input
  Object.assign(metrics.sources, { verifiers: azure.states, pools: store.pools })
  return {
    ...keys,
    ...attest,
    ...shared,
    ...createTokenServices(callers),
    metrics,
    shadow: createShadowDecisions({
      store: store.forUse('jobs'),
      reporter: processId,
      counts: (record, { active }) => whoSteers(config, active.referenceValues).budgets(record),
    }),
    questions: createQuestionRecord({ days: config.questionsDays }),
    decisionLog: createDecisionLog({
      mode: config.decisionLog,
      log: decisionLines(input, metrics),
    }),
    clients,
    clientUses,
    clientRefusals: createDeviceLimiter(CLIENT_REFUSALS_PER_MINUTE),
    recentRefusals: createRecentRefusals(),
    relays: azure.relays,
    keySets: azure.keySets,
    verifierStates: azure.states,
    verifyBreakGlass: await prepareBreakGlass(config, { log, clock }),
    breakGlassUses: input.breakGlassUses ?? createBreakGlassUses(),
    push: createPush(post),
    post,
    tracing: input.tracing,
    bell: createBell(),
    expiries: createExpiries(),
    noticeInProcess: createProcessNotices(metrics),
    lifecycle: { draining: false },
  }
}

/** Whatever the level of the log is: who asks for decisions gets them. */
function decisionLines(
  { log, clock, writeDecision }: ServicesInput,
  metrics: Pick<Metrics, 'decisionLinesLeftOut'>,
): Pick<Log, 'info'> {
  if (writeDecision === undefined) return log
  const write = (line: string) => {
    if (!writeDecision(line)) metrics.decisionLinesLeftOut.inc()
  }
  return createLog({ level: 'info', write, clock })
}
