import { fromBase64Url } from '../../base/encoding.ts'
import {
  type AttestationRequestOptions,
  makeAttestationRequest,
} from '../../simulator/attestation-request.ts'
import { toBootLog } from '../../simulator/boot-log.ts'
import { fixedChance } from '../../simulator/chance.ts'
import { makeDpopProof } from '../../simulator/dpop-proof.ts'
import type { MeasuredEvent } from '../../simulator/tcg-log-encoding.ts'
import type { VirtualDevice, VirtualDeviceOptions } from '../../simulator/virtual-device.ts'
import { readData, writeData } from './envelope.ts'
import { Recorder, type VectorExchange, type VectorRequest } from './exchange.ts'
import { bootOf, keysOfDevice, startFixedDevice } from './fixed-device.ts'
import { type FixedService, VECTORS_NOW, VECTORS_URL } from './fixed-service.ts'
import type { GoodRun } from './runs.ts'

/** The run whose device tries what is refused. */
export const TRYING_RUN = 'v2-vbs'

/** The firmware's own, and the first of Secure Boot in PCR 7. */
const FEW_EVENTS = 4
const JSON_HEADERS = { 'content-type': 'application/json' } as const
export const ATTEST_PATH = '/attest/Tpm?api-version=2025-06-01'
export const SUBMISSION_PATH = '/v1/attestations'

/** What the first message was answered with. */
export type Opened = { readonly challenge: Uint8Array; readonly serviceContext: string }

export type RequestChanges = Partial<
  Pick<
    AttestationRequestOptions,
    'device' | 'version' | 'binding' | 'withoutEnclave' | 'tamper' | 'challenge' | 'serviceContext'
  >
> & {
  /** What goes into the envelope in the place of the message. */
  readonly message?: (message: { readonly payload: { readonly request: string } }) => unknown
  readonly path?: string
  /** Seconds between the answer and this request. */
  readonly later?: number
}

/** How one refused request is made: by the device of a good run, at the same service. */
export class RefusalBench {
  readonly name: string
  readonly service: FixedService
  readonly runs: ReadonlyMap<string, GoodRun>
  readonly recorder: Recorder

  constructor(service: FixedService, runs: ReadonlyMap<string, GoodRun>, name: string) {
    this.name = name
    this.service = service
    this.runs = runs
    this.recorder = new Recorder(service, name)
  }

  /** The good run of this name. */
  run(name: string = TRYING_RUN): GoodRun {
    const run = this.runs.get(name)
    if (run === undefined) throw new TypeError(`no run ${name}`)
    return run
  }

  /** The exchange of a good run. */
  exchangeOf(step: string, name: string = TRYING_RUN): VectorExchange {
    const exchange = this.run(name).exchanges.find((one) => one.step === step)
    if (exchange === undefined) throw new TypeError(`no ${step} in the run ${name}`)
    return exchange
  }

  /**
   * The device of the good run, started anew. Its log has a few events only, for requests that are
   * refused before anybody looks at it: they are the most.
   */
  device(): Promise<VirtualDevice> {
    return this.deviceAfter((events) => events.slice(0, FEW_EVENTS))
  }

  /** The same after a start that measured other events, which its TPM and its log agree on. */
  async deviceAfter(
    change: (events: readonly MeasuredEvent[]) => readonly MeasuredEvent[] = (events) => events,
    boot: VirtualDeviceOptions['boot'] = {},
  ): Promise<VirtualDevice> {
    const recorded = await bootOf(TRYING_RUN, boot)
    const { startupLocality, events } = recorded.bootLog
    const bootLog = toBootLog(startupLocality, change(events))
    return startFixedDevice(TRYING_RUN, {
      issuer: this.service.authority.issue,
      start: this.name,
      recordedBoot: { ...recorded, bootLog },
    })
  }

  /** The first message and its answer. */
  async open(): Promise<Opened> {
    const answer = await this.post(ATTEST_PATH, { data: writeData(INIT) })
    const { data } = answer.answer.body as { readonly data: string }
    const { payload } = readData(data) as {
      payload: Record<'challenge' | 'service_context', string>
    }
    const challenge = fromBase64Url(payload.challenge) ?? new Uint8Array()
    return { challenge, serviceContext: payload.service_context }
  }

  /** The first message, then a request that is changed. */
  async request(changes: RequestChanges = {}): Promise<VectorExchange> {
    return this.answer(await this.open(), changes)
  }

  /** A request over what was opened. */
  async answer(opened: Opened, changes: RequestChanges = {}): Promise<VectorExchange> {
    const { message: wrap = same, path = ATTEST_PATH, later = 0, ...options } = changes
    const request = await makeAttestationRequest({
      device: await this.device(),
      version: 2,
      ...opened,
      rpId: VECTORS_URL,
      rpData: this.nonce,
      ...options,
    })
    this.recorder.at = new Date(VECTORS_NOW.getTime() + later * 1000)
    return this.post(path, { data: writeData(wrap({ payload: { request } })) })
  }

  /** The nonce of the good run, which only its submission used up. */
  get nonce(): string {
    return (this.exchangeOf('challenge').answer.body as { readonly nonce: string }).nonce
  }

  /** The token of the good run. */
  get token(): string {
    const { body } = this.exchangeOf('submission').request
    return (JSON.parse(body) as { readonly token: string }).token
  }

  /** A proof by the request key, over the nonce of the good run. */
  proof(changes: Partial<Parameters<typeof makeDpopProof>[0]> = {}): Promise<string> {
    return makeDpopProof({
      key: keysOfDevice(TRYING_RUN).request,
      method: 'POST',
      url: VECTORS_URL + SUBMISSION_PATH,
      nonce: this.nonce,
      now: VECTORS_NOW,
      chance: fixedChance(`vectors: ${this.name}: proof`),
      ...changes,
    })
  }

  /** Hands in the token of the good run, or another one. */
  submit(with_: { readonly token?: unknown; readonly proof?: string; readonly later?: number }) {
    const { token = this.token, proof, later = 0 } = with_
    this.recorder.at = new Date(VECTORS_NOW.getTime() + later * 1000)
    return this.post(SUBMISSION_PATH, { token }, proof === undefined ? {} : { dpop: proof })
  }

  post(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<VectorExchange> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return this.send({ path, headers: { ...JSON_HEADERS, ...headers }, body: text })
  }

  send(request: Omit<VectorRequest, 'method'>): Promise<VectorExchange> {
    return this.recorder.send({ ...request, method: 'POST' })
  }
}

const INIT = { payload: { type: 'aikcert' } } as const
const same = (message: unknown) => message
