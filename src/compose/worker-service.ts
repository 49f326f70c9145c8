import { createLog, describeFault, type Log } from '../base/log.ts'
import { createLogBudget, type LogBudget } from '../base/log-budget.ts'
import type { Metrics } from '../base/metrics.ts'
import { createRandomSource } from '../base/random.ts'
import type { Config } from '../config/config.ts'
import { readWorkerConfig, type WorkerBindings } from '../config/worker-config.ts'
import { type App, createApp } from '../http/app.ts'
import { answerUnavailable } from '../http/errors/unavailable.ts'
import { masterSecretsOf } from '../keys/master-secret.ts'
import { createFetchJson } from '../keysets/fetch-by-fetch.ts'
import { type BreakGlassUses, createBreakGlassUses } from '../operations/audit/break-glass-uses.ts'
import type { OpenBreakGlass } from '../operations/decide/answer-by-break-glass.ts'
import { claimPublicUrl } from '../operations/jobs/public-url.ts'
import { recordQuestions } from '../operations/jobs/record-questions.ts'
import { reviewUnproven } from '../operations/jobs/review-unproven.ts'
import { deliverRound } from '../operations/signals/deliver-round.ts'
import { resealHeaders } from '../operations/signals/reseal-headers.ts'
import { createFetchPost } from '../receivers/push-by-fetch.ts'
import { type HyperdriveStore, openHyperdriveStore } from '../store/drivers/hyperdrive.ts'
import { beginMetrics } from './begin-metrics.ts'
import { breakGlassWithoutStore } from './break-glass.ts'
import { httpServices } from './http.ts'
import { runJobsOnce } from './jobs.ts'
import { createServices, type Services } from './services.ts'
import { deliverServices, resealServices } from './signals.ts'

/** What the runtime hands over with each request and each run. */
export type Invocation = { readonly waitUntil: (work: Promise<unknown>) => void }

/** The jobs are started each minute: one run is over before the next one begins. */
const JOBS_RUN_MS = 45_000

/** What follows where the server limits no statement of the role that Hyperdrive connects as. */
const NO_LIMITS = {
  consequence: 'a statement that waits for a lock or runs long outlives its request',
  remedy: "alter role … set statement_timeout = '10s', and set lock_timeout = '1s' (docs/edge.md)",
}

/**
 * What outlives a request: keys, documents and statements are prepared once in an isolate. Only
 * what is finished is kept, never a promise: no request may wait for what another one began.
 */
type Isolate = {
  readonly config: Config
  readonly log: Log
  readonly logBudget: LogBudget
  readonly metrics: Metrics
  readonly breakGlassUses: BreakGlassUses
  readonly database: HyperdriveStore
  service: Service | undefined
  /**
   * Whether a request of this isolate delivers events now, whether another one asked for it meanwhile, and until
   * when there is nobody to deliver to.
   */
  readonly delivering: { isUnderWay: boolean; isAsked: boolean; nobodyUntil: number }
}

type Service = { readonly services: Services; readonly app: App }

let isolate: Isolate | undefined
let isReviewed = false
const random = createRandomSource()

/** Answers one request. */
export async function answer(
  request: Request,
  bindings: WorkerBindings,
  invocation: Invocation,
): Promise<Response> {
  try {
    const answered = await withService(bindings, invocation, ({ app }) => app.fetch(request))
    if (mayAnnounce(request)) invocation.waitUntil(deliverEvents(bindings, invocation))
    if (isolate?.service?.services.questions.isDue(new Date()) === true) {
      // After the answer, with a connection of its own: an isolate may be gone before a job comes by.
      invocation.waitUntil(writeQuestions(bindings, invocation))
    }
    if (isolate?.breakGlassUses.isWaiting() === true) {
      invocation.waitUntil(writeBreakGlassUses(bindings, invocation))
    }
    return answered
  } catch (error) {
    // All that the app meets it answers itself: there is no app yet.
    const report = (requestId: string) => logStartFault(error, requestId)
    return answerUnavailable(request, {
      random,
      report,
      metrics: isolate?.metrics,
      openBreakGlass: await openWithoutDatabase(),
    })
  }
}

/** Where that cannot be, the next request tries again. */
function writeBreakGlassUses(bindings: WorkerBindings, invocation: Invocation): Promise<void> {
  return withService(bindings, invocation, ({ services }) =>
    services.breakGlassUses.write(services.store),
  ).catch(() => {})
}

/** Cron calls this; what it leaves undone the next run finds again. */
export async function runScheduledJobs(
  _event: unknown,
  bindings: WorkerBindings,
  invocation: Invocation,
): Promise<void> {
  await withService(bindings, invocation, async ({ services }) => {
    // Not when the isolate starts: a request would wait for it.
    if (!isReviewed) {
      await reviewUnproven(services)
      await resealHeaders(resealServices(services))
    }
    isReviewed = true
    await runJobsOnce(services, AbortSignal.timeout(JOBS_RUN_MS))
  }).catch((error) => logStartFault(error))
}

/** Whether a request may have changed what relying parties are to be told. */
function mayAnnounce({ method, url }: Request): boolean {
  return method !== 'GET' && /^\/(?:v1|ssf)\//.test(new URL(url).pathname)
}

/** So long after an answer at most; what is left then the jobs deliver, once a minute. */
const DELIVER_MS = 20_000
/** For so long nobody is looked for again where there was nobody to push to. */
const NOBODY_MS = 10_000

/**
 * Delivers what a request announced, and what others did meanwhile: of the requests of an isolate one does so at
 * a time.
 */
async function deliverEvents(bindings: WorkerBindings, invocation: Invocation): Promise<void> {
  const delivering = isolate?.delivering
  if (delivering === undefined || Date.now() < delivering.nobodyUntil) return
  delivering.isAsked = true
  if (delivering.isUnderWay) return
  delivering.isUnderWay = true
  try {
    await withService(bindings, invocation, async ({ services }) => {
      const signal = AbortSignal.timeout(DELIVER_MS)
      while (delivering.isAsked && !signal.aborted) {
        delivering.isAsked = false
        const receivers = await deliverRound(deliverServices(services), signal)
        if (receivers === 0) delivering.nobodyUntil = Date.now() + NOBODY_MS
      }
    })
  } catch (error) {
    logStartFault(error)
  } finally {
    delivering.isUnderWay = false
  }
}

function writeQuestions(bindings: WorkerBindings, invocation: Invocation): Promise<void> {
  return withService(bindings, invocation, ({ services }) => recordQuestions(services)).catch(
    (error) => logStartFault(error),
  )
}

/** Does `work` with the services of this isolate and a database connection of its own. */
async function withService<T>(
  bindings: WorkerBindings,
  invocation: Invocation,
  work: (service: Service) => T | Promise<T>,
): Promise<T> {
  isolate ??= openIsolate(bindings)
  const here = isolate
  return here.database.withConnection(
    async () => {
      // Of two first requests each starts one, as neither may wait for the other.
      here.service ??= await startService(here)
      return work(here.service)
    },
    (closing) => invocation.waitUntil(closing),
  )
}

/** Once the settings are read. */
function openWithoutDatabase(): Promise<OpenBreakGlass> | undefined {
  if (isolate === undefined) return undefined
  const { config, ...shared } = isolate
  return breakGlassWithoutStore(config, { ...shared, clock: () => new Date() })
}

function openIsolate(bindings: WorkerBindings): Isolate {
  const config = readWorkerConfig(bindings)
  if (!config.ok) {
    throw new Error(`the configuration has mistakes:\n  ${config.failure.mistakes.join('\n  ')}`)
  }
  const { database, logLevel } = config.value
  if (database.kind !== 'postgres') throw new TypeError('a Worker has no other database')
  const log = createWorkerLog(logLevel)
  return {
    config: config.value,
    log,
    logBudget: createLogBudget(log),
    metrics: beginMetrics(),
    breakGlassUses: createBreakGlassUses(),
    database: openHyperdriveStore(database.url, { prepared: database.prepared === 'auto' }),
    service: undefined,
    delivering: { isUnderWay: false, isAsked: false, nobodyUntil: 0 },
  }
}

async function startService(isolate: Isolate): Promise<Service> {
  const { config, log, metrics, breakGlassUses, database } = isolate
  const secrets = masterSecretsOf(config.secretKey ?? '', config.secretKeyPrevious)
  const { store } = database
  const clock = () => new Date()
  const writeDecision = (line: string) => {
    console.log(line.trimEnd())
    return true
  }
  await claimPublicUrl({ store, config, clock })
  if (!(await database.hasLimits())) log.warn('database_limits_missing', NO_LIMITS)
  const post = createFetchPost(fetch)
  const fetchJson = createFetchJson(fetch)
  const begun = { config, log, metrics, breakGlassUses, writeDecision, store, secrets, clock }
  const services = await createServices({ ...begun, post, fetchJson })
  return { services, app: createApp(httpServices(services)) }
}

/** The operator is told what is wrong, and nobody else. */
function logStartFault(error: unknown, requestId?: string): void {
  const log = isolate?.log ?? createWorkerLog('info')
  log.error('start_failed', { request_id: requestId, ...describeFault(error) })
}

function createWorkerLog(level: Config['logLevel']): Log {
  return createLog({
    level,
    write: (line) => console.log(line.trimEnd()),
    clock: () => new Date(),
  })
}
