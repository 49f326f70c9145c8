import worker from '../../../src/worker.ts'

/**
 * The Worker with a clock that is set from outside: a request to `/test-clock/N` sets it N
 * milliseconds ahead of the machine's.
 */
let aheadMs = 0
const MachineDate = Date
globalThis.Date = class extends MachineDate {
  constructor(...args: readonly []) {
    if (args.length === 0) super(MachineDate.now() + aheadMs)
    else super(...args)
  }
  static override now(): number {
    return MachineDate.now() + aheadMs
  }
} as DateConstructor

export default {
  ...worker,
  fetch(...args: Parameters<typeof worker.fetch>): Promise<Response> | Response {
    const [, ahead] = /\/test-clock\/(-?\d+)$/.exec(args[0].url) ?? []
    if (ahead === undefined) return worker.fetch(...args)
    aheadMs = Number(ahead)
    return new Response('set')
  },
}
