import type { RelayFailure } from '../../azure/failure.ts'
import type { KeySets } from '../../azure/key-sets.ts'
import type { AzureRelay } from '../../azure/relay.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Config } from '../../config/config.ts'
import { SERVICE } from '../../store/schema/system-schema.ts'
import type { Store } from '../../store/store.ts'
import { newControlId } from '../release/control-id.ts'
import type { RulesReader } from '../release/rules-in-force.ts'
import { judgeVerifier, type Suspicion } from './judge-outage.ts'
import { type LeaseDependencies, runExclusively } from './lease.ts'
import { runRounds } from './run-rounds.ts'
import { type SteeringConfig, whoSteers } from './who-steers.ts'

/** An outage is held for so long past the last time that it was noticed. */
const NOTICED_MS = 5 * 60_000
/** A verifier of which a token was accepted this lately has no outage, whatever probes find. */
const QUIET_MS = 5 * 60_000
/** The least time for which a probe's outcome counts; longer where probes are rare. */
const MIN_COUNTS_MS = 180_000
/** Holds of other causes do not keep an outage from being held. */
const OTHER_HOLDS = 3

export type WatchDependencies = LeaseDependencies & {
  readonly store: Pick<
    Store,
    | 'observeVerifier'
    | 'verifierObservations'
    | 'forgetVerifierObservations'
    | 'lastAccepted'
    | 'inForce'
    | 'beginHold'
    | 'endHold'
  >
  readonly rules: Pick<RulesReader, 'at'>
  /** By URL, one for each verifier that is elsewhere. */
  readonly relays: ReadonlyMap<string, AzureRelay>
  readonly keySets: Pick<KeySets, 'keySetFor'>
  readonly log: Log
  readonly metrics: Pick<Metrics, 'probes'>
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  readonly config: SteeringConfig & Pick<Config, 'controlIntervalSeconds' | 'outageGraceSeconds'>
}

/**
 * One round of watching the verifiers that are elsewhere: this process asks each of them for a
 * challenge and for its keys, tells the store what came of it, and one of all processes judges by
 * what they told. Nothing in it comes from an agent: what agents send, and what a verifier answers
 * them, speaks for or against no verifier.
 *
 * While one is away, and nobody gets in with its tokens, the last evidence may count longer; that
 * ends as soon as any process finds it well.
 */
export function watchVerifiers(
  dependencies: WatchDependencies,
  signal?: AbortSignal,
): Promise<void> {
  const rounds = {
    probe_verifiers: () => unlessAborted(probeAll(dependencies, signal), signal),
    judge_outages: () => judgeInOneProcess(dependencies),
  }
  return runRounds(rounds, { log: dependencies.log, signal })
}

/** A verifier that hangs must not keep a process from its end. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await work
  const { promise: aborted, resolve } = Promise.withResolvers<void>()
  const stop = () => resolve()
  signal.addEventListener('abort', stop)
  try {
    await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function probeAll(
  dependencies: WatchDependencies,
  signal: AbortSignal | undefined,
): Promise<void> {
  const relays = [...dependencies.relays.values()]
  const told = await Promise.allSettled(relays.map((relay) => probe(dependencies, relay, signal)))
  for (const one of told) if (one.status === 'rejected') throw one.reason
}

async function probe(
  dependencies: WatchDependencies,
  relay: AzureRelay,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { store, config, clock, log, metrics, processId: reporter } = dependencies
  const failure = await findFailure(dependencies, relay)
  if (signal?.aborted) return
  metrics.probes.labels(relay.url, failure?.reason ?? 'answered').inc()
  // It is up, and says that it is asked for too much: by whom, nobody knows.
  if (failure?.reason === 'provider_throttled') return
  if (failure !== undefined) {
    log.warn('verifier_probe_failed', { verifier: relay.url, reason: failure.reason })
  }
  const at = clock()
  const countsMs = Math.max(MIN_COUNTS_MS, 5 * config.controlIntervalSeconds * 1000)
  await store.observeVerifier({
    issuer: relay.url,
    sign: 'answers',
    reporter,
    failure: failure?.reason ?? null,
    at,
    expiresAt: new Date(at.getTime() + countsMs),
  })
}

/** A challenge of its own, and a key set that will do to verify its tokens. */
async function findFailure(
  { keySets }: WatchDependencies,
  relay: AzureRelay,
): Promise<RelayFailure | { readonly reason: 'key_set_unavailable' } | undefined> {
  const challenge = await relay.attestTpm({ kind: 'init' })
  if (!challenge.ok) return challenge.failure
  const keys = await keySets.keySetFor(relay.url, undefined)
  return keys.ok ? undefined : keys.failure
}

async function judgeInOneProcess(dependencies: WatchDependencies): Promise<void> {
  const { store, clock, relays, config } = dependencies
  if (relays.size === 0 || config.outageGraceSeconds === 0) return
  await runExclusively(dependencies, 'judge_outages', async (position) => {
    const now = clock()
    await judgeAll(dependencies, now)
    await store.forgetVerifierObservations(now)
    return position
  })
}

async function judgeAll(dependencies: WatchDependencies, now: Date): Promise<void> {
  const { store, relays, rules, config } = dependencies
  const { active } = await rules.at(await store.inForce())
  const mayHold = whoSteers(config, active.referenceValues).outages
  const observations = await store.verifierObservations(now)
  for (const issuer of relays.keys()) {
    const ofIssuer = observations.filter((one) => one.issuer === issuer)
    const health = judgeVerifier(ofIssuer, now)
    if (health.state === 'well') await endOutage(dependencies, issuer, now)
    if (health.state !== 'suspected' || !mayHold) continue
    const { suspicion } = health
    const quietSince = Math.max(suspicion.since.getTime(), now.getTime() - QUIET_MS)
    const accepted = await store.lastAccepted(issuer, new Date(quietSince))
    if (accepted === null) await holdOutage(dependencies, { issuer, suspicion, now })
  }
}

async function holdOutage(
  dependencies: WatchDependencies,
  outage: { readonly issuer: string; readonly suspicion: Suspicion; readonly now: Date },
): Promise<void> {
  const { store, log, random, config } = dependencies
  const { issuer, suspicion, now } = outage
  const { sign, since, rounds, processes, failures } = suspicion
  const evidence = { sign, since: since.toISOString(), rounds, processes, failures: [...failures] }
  const answer = await store.beginHold({
    holdId: newControlId('hld', random),
    cause: { kind: 'stale', issuer },
    covers: new Date(0),
    until: new Date(now.getTime() + NOTICED_MS),
    evidence,
    lengthen: true,
    most: OTHER_HOLDS + config.verifiers.length,
    // The bound of an outage is by device: how long past its end evidence may count.
    restMs: 0,
    now,
  })
  if (answer !== 'applied') return
  log.error('hold_begun', { cause: `stale ${issuer}`, evidence: JSON.stringify(evidence) })
}

async function endOutage(
  dependencies: WatchDependencies,
  issuer: string,
  now: Date,
): Promise<void> {
  const { store, rules, log } = dependencies
  const { control } = await rules.at(await store.inForce())
  for (const { holdId, cause } of control.holds) {
    if (cause.kind !== 'stale' || cause.issuer !== issuer) continue
    const reason = 'the verifier answers again'
    const answer = await store.endHold({ holdId, by: SERVICE, reason, now })
    if (answer === 'applied') log.warn('hold_ended', { cause: `stale ${issuer}` })
  }
}
