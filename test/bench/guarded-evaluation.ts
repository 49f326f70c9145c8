import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { compilePolicy } from '../../src/policy/document/compile.ts'
import { DEFAULT_PLAN } from '../../src/rollout/rollout.ts'
import { openStore } from '../../src/store/drivers/open-store.ts'
import type { Json } from '../../src/store/json.ts'
import type { Store } from '../../src/store/store.ts'
import { besideOf } from '../support/recorded-fleet.ts'
import { startChild } from './child.ts'
import { loadEvaluations } from './evaluation-load.ts'
import { DENIED_SECONDS, type Fleet, readBenchConfig } from './fleet.ts'
import type { BenchOptions } from './options.ts'
import { type PathResult, type Round, type Run, runRounds, type Variant } from './rounds.ts'

const CONNECTIONS = 32
const HOUR_MS = 3_600_000
/** Time for repair counts from when a clause began to bind: it is over where that was long enough ago. */
const ARMED_BEFORE_MS = DENIED_SECONDS * 1000

/** What is in force, with time for repair that is over for those who fail, and one clause more. */
const CANDIDATE = {
  ...BASELINE_POLICY,
  clauses: [
    ...BASELINE_POLICY.clauses.map((clause) => ({ ...clause, grace_seconds: DENIED_SECONDS / 2 })),
    {
      id: 'agent_known',
      require: 'attestation.enclaveSvn >= 0',
      severity: 'enforce',
      texts: { en: { title: 'Bench', repair: 'None.' } },
    },
  ],
}

/**
 * The same decisions while all that guards a change is at work: a rollout that enforces for half of
 * the fleet, so that each denial in that half is decided twice; clauses with grace; a hold, a pin and
 * an allowance; and a signed receipt with every answer. Against the service without any of it.
 */
export async function measureGuardedEvaluation(
  options: BenchOptions,
  fleet: Fleet,
  onRound: (round: Round) => void,
): Promise<PathResult> {
  const config = readBenchConfig(fleet.environment)
  const store = await openStore(config.database)
  try {
    const run = (variant: Variant) => runOnce(variant, { options, fleet, store })
    return await runRounds(options.rounds, run, onRound)
  } finally {
    await store.close()
  }
}

async function runOnce(
  variant: Variant,
  { options, fleet, store }: { options: BenchOptions; fleet: Fleet; store: Store },
): Promise<Run> {
  const { environment, client } = fleet
  const isGuarded = variant === 'path'
  const disarm = isGuarded ? await arm(store) : async () => {}
  const server = startChild('evaluation-server.ts', { variant: 'path', environment })
  try {
    const { seconds } = options
    const load = {
      client,
      connections: CONNECTIONS,
      seconds,
      receipts: isGuarded,
      isOneProcess: true,
    }
    return await loadEvaluations(server, { ...load, decides: true })
  } finally {
    await server.stop()
    await disarm()
  }
}

/** Puts everything in place, and answers with how to take it away. */
async function arm(store: Store): Promise<() => Promise<void>> {
  const now = new Date(Date.now() - ARMED_BEFORE_MS)
  const names = { author: 'bench', reason: 'bench', now }
  const compiled = compilePolicy(CANDIDATE)
  const active = await store.activeDocument('policy')
  if (!compiled.ok || active === null) throw new TypeError('there are two policies')
  const { hash, document } = compiled.value
  await store.proposeDocument({ kind: 'policy', hash, body: document as Json, ...names })
  const id = String(now.getTime())
  const plan = {
    ...DEFAULT_PLAN,
    stages: [{ percent: 50, labels: [] }],
    bakeSeconds: 86_400,
    minimumSample: 1_000_000,
    budget: { devices: 1_000_000, share: 1 },
  }
  const rolloutId = `rol_${id}`
  const kind = 'policy'
  const from = active.hash
  const beside = await besideOf(store, kind)
  await store.startRollout({ rolloutId, kind, from, to: hash, beside, plan, note: '', ...names })
  const step = {
    rolloutId,
    stage: 0,
    pass: 'enforce',
    note: '',
    health: null,
    by: 'bench',
  } as const
  await store.stepRollout({ ...step, revision: 1, action: 'entered', state: 'running', now })
  const expiresAt = new Date(Date.now() + HOUR_MS)
  const overrides = ['pin', 'allow'] as const
  for (const action of overrides) {
    const what = action === 'pin' ? ({ action, kind, hash: from } as const) : { action }
    const target = { kind: 'label', name: action } as const
    await store.createOverride({
      overrideId: `ovr_${action}${id}`,
      target,
      what,
      expiresAt,
      ...names,
    })
  }
  await store.beginHold({
    holdId: `hld_${id}`,
    cause: { kind: 'clause', clause: 'agent_known' },
    covers: now,
    until: expiresAt,
    evidence: {},
    lengthen: false,
    most: 10,
    restMs: 0,
    now,
  })
  return async () => {
    const revert = { ...step, revision: 2, action: 'reverted', state: 'reverted', now } as const
    await store.stepRollout(revert)
    const why = { by: 'bench', reason: 'bench', now: new Date() }
    for (const action of overrides) {
      await store.endOverride({ overrideId: `ovr_${action}${id}`, ...why })
    }
    await store.endHold({ holdId: `hld_${id}`, ...why })
  }
}
