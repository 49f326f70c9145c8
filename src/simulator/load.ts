import { setTimeout as delay } from 'node:timers/promises'
import { AttestationAgent } from './agent.ts'
import { primeSharingKeys } from './key-source.ts'
import { LoadCounter, type LoadReport } from './load-report.ts'
import { readAttempt, type Scenario, startScenarioDevice } from './scenario.ts'
import { HEALTHY, UNHEALTHY } from './scenarios.ts'
import type { ServiceClientOptions } from './service-client.ts'
import {
  type AttestationKeyIssuer,
  type RecordedBoot,
  recordBoot,
  type VirtualDevice,
} from './virtual-device.ts'

export type LoadOptions = {
  /** Base URL of the service. */
  readonly url: string
  /** How many virtual devices attest, each once. */
  readonly devices: number
  /** Devices that begin in a second, whether or not earlier ones are done; 0: as fast as they can. */
  readonly rate: number
  /** Devices that may be attesting at one time. */
  readonly concurrency: number
  /** One device in so many has something wrong with it; 0: none. */
  readonly unhealthyEvery?: number
  readonly issuer?: AttestationKeyIssuer
  /** Called after every device, so it should be quick. */
  readonly onProgress?: (report: LoadReport) => void
  /** Lets what has begun come to its end and begins nothing more. */
  readonly signal?: AbortSignal
  readonly fetch?: ServiceClientOptions['fetch']
}

/** Devices prepared ahead of their turn. Each holds some 100 KiB. */
const PREPARED_AHEAD = 32

/**
 * Lets virtual devices attest against a running service and compares every verdict with what it
 * should be.
 *
 * Every device has an attestation key and a request key of its own, so the service sees as many
 * devices. Devices of one scenario share the boot: its log and its secure kernel keys. Memory is
 * bounded by `concurrency`, not by `devices`: a device is made shortly before its turn and dropped
 * after it.
 */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const counter = new LoadCounter(options.devices)
  const running = new Set<Promise<void>>()
  let position = 0
  for await (const prepared of prepareDevices(options)) {
    const due = await waitUntilDue(options, counter.begunAt, position++)
    if (due !== undefined) counter.noteDelay(prepared.readyAt - due)
    while (running.size >= options.concurrency) await Promise.race(running)
    if (options.signal?.aborted) break
    counter.started += 1
    const begin = due === undefined ? performance.now() : Math.max(due, prepared.readyAt)
    const run = attestDevice(options, prepared, counter, begin).finally(() => running.delete(run))
    running.add(run)
  }
  await Promise.all(running)
  return counter.report(options.signal?.aborted ?? false)
}

type PreparedDevice = {
  readonly scenario: Scenario
  readonly device: VirtualDevice
  readonly readyAt: number
}

/** Makes devices some way ahead of their use, so that making them is not measured. */
async function* prepareDevices(options: LoadOptions): AsyncGenerator<PreparedDevice> {
  const keys = primeSharingKeys()
  const boots = new Map<Scenario, Promise<RecordedBoot>>()
  const prepare = async (index: number): Promise<PreparedDevice> => {
    const scenario = chooseScenario(index, options.unhealthyEvery ?? 10)
    const boot = boots.get(scenario) ?? recordBoot(keys, scenario.device.boot)
    boots.set(scenario, boot)
    const issuer = options.issuer ? { issuer: options.issuer } : {}
    const recordedBoot = await boot
    const machine = crypto.randomUUID()
    const device = await startScenarioDevice(scenario, { keys, machine, recordedBoot, ...issuer })
    return { scenario, device, readyAt: performance.now() }
  }
  const ahead: Promise<PreparedDevice>[] = []
  let next = 0
  try {
    while (next < options.devices || ahead.length > 0) {
      while (next < options.devices && ahead.length < PREPARED_AHEAD) ahead.push(prepare(next++))
      const first = await ahead.shift()
      if (first !== undefined) yield first
    }
  } finally {
    await Promise.allSettled(ahead)
  }
}

/** Unhealthy devices are spread evenly, and their kinds take turns. */
function chooseScenario(index: number, unhealthyEvery: number): Scenario {
  if (unhealthyEvery === 0 || index % unhealthyEvery !== unhealthyEvery - 1) return HEALTHY
  return UNHEALTHY[Math.floor(index / unhealthyEvery) % UNHEALTHY.length] ?? HEALTHY
}

/** When the device is due in an open loop, whose schedule is fixed however slow the answers are. */
async function waitUntilDue(
  options: LoadOptions,
  begunAt: number,
  position: number,
): Promise<number | undefined> {
  if (options.rate === 0) return undefined
  const due = begunAt + (position * 1000) / options.rate
  const wait = due - performance.now()
  if (wait > 0) await delay(wait, undefined, toSignal(options.signal)).catch(() => undefined)
  return due
}

function toSignal(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { signal }
}

async function attestDevice(
  options: LoadOptions,
  prepared: PreparedDevice,
  counter: LoadCounter,
  begin: number,
): Promise<void> {
  const { scenario, device } = prepared
  const send = options.fetch ? { fetch: options.fetch } : {}
  const result = await new AttestationAgent({ device, baseUrl: options.url, ...send }).attest()
  const latency = performance.now() - begin
  try {
    const verdict = result.ok ? result.value.verdict : 'refused'
    counter.noteAnswer({ scenario, verdict, attempt: readAttempt(result), latency })
  } catch {
    const { reason = 'unknown', step = 'unknown' } = result.ok ? {} : result.failure
    counter.noteFailure(`${step}: ${reason}`)
  }
  options.onProgress?.(counter.report(false))
}
