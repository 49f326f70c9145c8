/**
 * A circuit breaker as plain data: every function gives the next state. Nothing here waits or reads
 * a clock, so that a Worker may keep one circuit over many requests.
 *
 * Closed, it lets everything through; after so many consecutive failures it opens and refuses. When
 * its cool-down is over it lets one trial through: success closes it, failure opens it again for
 * twice as long.
 */
export type Circuit = {
  /** Consecutive failures. */
  readonly failures: number
  /** The first of them, in milliseconds since 1970. */
  readonly failingSince: number | undefined
  /** `undefined` while closed. */
  readonly open: OpenCircuit | undefined
  /** Grows with every transition: what was admitted in an earlier epoch has nothing to say. */
  readonly epoch: number
}

type OpenCircuit = {
  readonly coolDownMs: number
  readonly trialAt: number
  /** A trial under way holds until then: one whose request was cancelled reports nothing. */
  readonly trialEndsAt: number | undefined
}

export type CircuitSettings = {
  readonly failuresToOpen: number
  readonly firstCoolDownMs: number
  readonly maxCoolDownMs: number
  /** The longest that one admitted call can take. */
  readonly maxTrialMs: number
}

export type Admission =
  | { readonly admitted: true; readonly epoch: number }
  | { readonly admitted: false; readonly waitMs: number }

export const CLOSED_CIRCUIT: Circuit = {
  failures: 0,
  failingSince: undefined,
  open: undefined,
  epoch: 0,
}

/** Asks to make a call. `now` in milliseconds since 1970. */
export function admitCall(
  circuit: Circuit,
  now: number,
  settings: CircuitSettings,
): { readonly circuit: Circuit; readonly admission: Admission } {
  const { open } = circuit
  if (open === undefined) {
    return { circuit, admission: { admitted: true, epoch: circuit.epoch } }
  }
  const freeAt = Math.max(open.trialAt, open.trialEndsAt ?? 0)
  if (now < freeAt) {
    // A trial is usually over long before it must be.
    const waitMs = Math.min(freeAt - now, now < open.trialAt ? Infinity : open.coolDownMs)
    return { circuit, admission: { admitted: false, waitMs } }
  }
  const epoch = circuit.epoch + 1
  const trial = { ...circuit, epoch, open: { ...open, trialEndsAt: now + settings.maxTrialMs } }
  return { circuit: trial, admission: { admitted: true, epoch } }
}

/**
 * Asks to make a call whose outcome will say nothing about the other side: it goes through while the
 * circuit is closed, and is never the trial that may close it.
 */
export function admitBystander(circuit: Circuit, now: number): Admission {
  const { open, epoch } = circuit
  if (open === undefined) return { admitted: true, epoch }
  return { admitted: false, waitMs: Math.max(1, open.trialAt - now) }
}

/** What became of a call that was admitted. */
export type CallOutcome =
  | { readonly succeeded: true }
  /** `retryAfterMs`: what the other side asks to wait. */
  | { readonly succeeded: false; readonly retryAfterMs?: number }

export function settleCall(
  circuit: Circuit,
  call: { readonly epoch: number; readonly outcome: CallOutcome; readonly now: number },
  settings: CircuitSettings,
): Circuit {
  const { epoch, outcome, now } = call
  if (epoch !== circuit.epoch) return circuit
  if (outcome.succeeded) {
    const closed = {
      ...CLOSED_CIRCUIT,
      epoch: circuit.epoch + (circuit.open === undefined ? 0 : 1),
    }
    return circuit.failures === 0 ? circuit : closed
  }
  const failures = circuit.failures + 1
  const failing = { ...circuit, failures, failingSince: circuit.failingSince ?? now }
  if (circuit.open === undefined && failures < settings.failuresToOpen) return failing
  const coolDownMs =
    circuit.open === undefined
      ? settings.firstCoolDownMs
      : Math.min(circuit.open.coolDownMs * 2, settings.maxCoolDownMs)
  const trialAt = now + Math.max(coolDownMs, outcome.retryAfterMs ?? 0)
  return {
    ...failing,
    epoch: circuit.epoch + 1,
    open: { coolDownMs, trialAt, trialEndsAt: undefined },
  }
}
