import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  admitCall,
  type CallOutcome,
  type Circuit,
  CLOSED_CIRCUIT,
  settleCall,
} from '../../src/azure/circuit-breaker.ts'

const SETTINGS = {
  failuresToOpen: 3,
  firstCoolDownMs: 1000,
  maxCoolDownMs: 4000,
  maxTrialMs: 500,
}
const FAILED: CallOutcome = { succeeded: false }
const SUCCEEDED: CallOutcome = { succeeded: true }

/** A circuit with its clock, to be told what happens. */
function start(circuit: Circuit = CLOSED_CIRCUIT) {
  let state = circuit
  let now = 0
  return {
    pass: (ms: number) => {
      now += ms
    },
    admit: () => {
      const asked = admitCall(state, now, SETTINGS)
      state = asked.circuit
      return asked.admission
    },
    settle: (epoch: number, outcome: CallOutcome) => {
      state = settleCall(state, { epoch, outcome, now }, SETTINGS)
    },
    call(outcome: CallOutcome) {
      const admission = this.admit()
      if (admission.admitted) this.settle(admission.epoch, outcome)
      return admission.admitted
    },
    state: () => state,
  }
}

function openCircuit() {
  const circuit = start()
  for (let failure = 0; failure < 3; failure += 1) circuit.call(FAILED)
  return circuit
}

describe('a closed circuit', () => {
  test('opens after so many consecutive failures and not before', () => {
    const circuit = start()
    circuit.call(FAILED)
    circuit.call(FAILED)
    expect(circuit.state().open).toBeUndefined()
    circuit.call(FAILED)
    expect(circuit.admit()).toEqual({ admitted: false, waitMs: 1000 })
  })

  test('forgets failures with each success', () => {
    const circuit = start()
    for (const outcome of [FAILED, FAILED, SUCCEEDED, FAILED, FAILED]) circuit.call(outcome)
    expect(circuit.state()).toMatchObject({ failures: 2, open: undefined })
  })

  test('remembers when the first failure of the outage was', () => {
    const circuit = start()
    circuit.pass(70)
    circuit.call(FAILED)
    circuit.pass(30)
    circuit.call(FAILED)
    circuit.call(FAILED)
    expect(circuit.state().failingSince).toBe(70)
  })
})

describe('an open circuit', () => {
  test('refuses until its cool-down is over', () => {
    const circuit = openCircuit()
    circuit.pass(999)
    expect(circuit.admit()).toEqual({ admitted: false, waitMs: 1 })
    circuit.pass(1)
    expect(circuit.admit().admitted).toBe(true)
  })

  test('waits as long as the other side asks', () => {
    const circuit = start()
    circuit.call(FAILED)
    circuit.call(FAILED)
    circuit.call({ succeeded: false, retryAfterMs: 9000 })
    circuit.pass(8999)
    expect(circuit.admit().admitted).toBe(false)
    circuit.pass(1)
    expect(circuit.admit().admitted).toBe(true)
  })

  test('lets one trial through at a time', () => {
    const circuit = openCircuit()
    circuit.pass(1000)
    expect(circuit.admit().admitted).toBe(true)
    expect(circuit.admit()).toEqual({ admitted: false, waitMs: 500 })
  })

  test('closes with a trial that succeeds', () => {
    const circuit = openCircuit()
    circuit.pass(1000)
    circuit.call(SUCCEEDED)
    expect(circuit.state()).toMatchObject({ failures: 0, open: undefined, failingSince: undefined })
    expect(circuit.call(FAILED)).toBe(true)
    expect(circuit.state().open).toBeUndefined()
  })

  test('opens for twice as long with each trial that fails, up to a limit', () => {
    const circuit = openCircuit()
    for (const coolDownMs of [1000, 2000, 4000, 4000]) {
      circuit.pass(coolDownMs - 1)
      expect(circuit.call(FAILED)).toBe(false)
      circuit.pass(1)
      expect(circuit.call(FAILED)).toBe(true)
    }
    expect(circuit.state().failingSince).toBe(0)
  })

  test('allows another trial when one never reports', () => {
    const circuit = openCircuit()
    circuit.pass(1000)
    const lost = circuit.admit()
    circuit.pass(499)
    expect(circuit.admit().admitted).toBe(false)
    circuit.pass(1)
    const second = circuit.admit()
    expect(second.admitted).toBe(true)
    if (lost.admitted) circuit.settle(lost.epoch, SUCCEEDED)
    expect(circuit.state().open, 'a trial that was given up has no say').toBeDefined()
  })

  test('takes no notice of calls that were admitted before it opened', () => {
    const circuit = start()
    const early = circuit.admit()
    for (let failure = 0; failure < 3; failure += 1) circuit.call(FAILED)
    const opened = circuit.state()
    if (early.admitted) circuit.settle(early.epoch, SUCCEEDED)
    if (early.admitted) circuit.settle(early.epoch, FAILED)
    expect(circuit.state()).toBe(opened)
  })
})

test('whatever happens, the next call is admitted within the longest cool-down', () => {
  const step = fc.record({ pass: fc.nat(5000), succeeded: fc.boolean(), isLost: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const circuit = start()
      for (const { pass, succeeded, isLost } of steps) {
        circuit.pass(pass)
        const admission = circuit.admit()
        if (!admission.admitted) {
          expect(admission.waitMs).toBeGreaterThan(0)
          expect(admission.waitMs).toBeLessThanOrEqual(SETTINGS.maxCoolDownMs)
        } else if (!isLost) circuit.settle(admission.epoch, { succeeded })
      }
      circuit.pass(SETTINGS.maxCoolDownMs + SETTINGS.maxTrialMs)
      expect(circuit.admit().admitted).toBe(true)
    }),
  )
})
