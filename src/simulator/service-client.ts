import { setTimeout as delay } from 'node:timers/promises'
import { err, ok, type Result } from '../base/result.ts'

export const AGENT_REASONS = [
  'agent_service_unreachable',
  'agent_request_timeout',
  'agent_request_refused',
  'agent_answer_malformed',
  'agent_cancelled',
] as const

/** Where in an attestation an agent stands. */
export type AgentStep =
  | 'enrolment'
  | 'activation'
  | 'challenge'
  | 'init'
  | 'request'
  | 'submission'
  | 'sign-in'

/** What kept an agent from attesting. `code` is the service's own, such as `nonce_spent`. */
export type AgentFailure =
  | {
      readonly reason: 'agent_request_refused'
      readonly step: AgentStep
      readonly status: number
      /** The most telling code of the answer; `undefined` when it carried none. */
      readonly code: string | undefined
      readonly detail: string | undefined
      /** How often this request was sent: whether an earlier try of it may have been taken. */
      readonly tries: number
    }
  | {
      readonly reason: Exclude<(typeof AGENT_REASONS)[number], 'agent_request_refused'>
      readonly step: AgentStep
      readonly detail: string
    }

export type ServiceClientOptions = {
  /** Without a final slash. */
  readonly baseUrl: string
  readonly timeoutMs?: number
  /** Tries of one request, the first included, while the service cannot be reached. */
  readonly maxAttempts?: number
  /** Tries while it asks to come later; `maxAttempts` where that is given and this is not. */
  readonly maxBusyAttempts?: number
  /** The longest wait before another try; a service that asks for more is taken at its word. */
  readonly maxBackoffMs?: number
  readonly signal?: AbortSignal
  /** Waits so many milliseconds; in place of a timer. Rejects when `signal` aborts. */
  readonly wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>
  /** In place of the network, such as an embedded service. */
  readonly fetch?: (request: Request) => Response | Promise<Response>
}

const PRESETS = {
  timeoutMs: 15_000,
  maxAttempts: 4,
  maxBusyAttempts: 30,
  maxBackoffMs: 10_000,
  wait: (ms: number, signal: AbortSignal | undefined): Promise<void> =>
    delay(ms, undefined, signal === undefined ? {} : { signal }),
} as const
const FIRST_BACKOFF_MS = 200
const BUSY_STATUSES: readonly number[] = [429, 503]
const MAX_ANSWER_CHARS = 1_000_000

type PostInput = {
  readonly step: AgentStep
  /** Path and query below the base URL. */
  readonly path: string
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Whether a request whose fate is unknown may be sent again. */
  readonly repeatable: boolean
}

type Answer = { readonly status: number; readonly text: string; readonly retryAfter: string | null }

/** Posts JSON with a time limit and, while the service is busy, with bounded patience. */
export class ServiceClient {
  readonly baseUrl: string
  readonly #options: Required<Omit<ServiceClientOptions, 'signal'>> & { signal: AbortSignal | null }

  constructor(options: ServiceClientOptions) {
    this.baseUrl = options.baseUrl.replace(/\/+$/, '')
    const { fetch: send = (request) => fetch(request), signal = null, ...given } = options
    const { maxAttempts: maxBusyAttempts = PRESETS.maxBusyAttempts } = given
    this.#options = { ...PRESETS, maxBusyAttempts, ...given, fetch: send, signal }
  }

  /** The JSON of a 2xx answer. */
  async post(input: PostInput): Promise<Result<unknown, AgentFailure>> {
    for (let attempt = 1; ; attempt += 1) {
      const sent = await this.#send(input)
      if (!sent.ok) {
        const last = attempt >= this.#options.maxAttempts
        const cancelled = sent.failure.reason === 'agent_cancelled'
        if (last || cancelled || !input.repeatable) return sent
        if (!(await this.#pause(backoff(attempt)))) return cancelledAt(input.step)
        continue
      }
      const busy = BUSY_STATUSES.includes(sent.value.status)
      const wait = busy ? retryDelay(sent.value.retryAfter, attempt) : 0
      const last = attempt >= this.#options.maxBusyAttempts
      if (!busy || last || wait > this.#options.maxBackoffMs) {
        return readAnswer(input, sent.value, attempt)
      }
      if (!(await this.#pause(wait))) return cancelledAt(input.step)
    }
  }

  async #send(input: PostInput): Promise<Result<Answer, AgentFailure>> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMs)
    const { signal } = this.#options
    const request = new Request(`${this.baseUrl}${input.path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...input.headers },
      body: JSON.stringify(input.body),
      redirect: 'manual',
      signal: signal === null ? timeout : AbortSignal.any([timeout, signal]),
    })
    try {
      const response = await this.#options.fetch(request)
      const text = await response.text()
      return ok({ status: response.status, text, retryAfter: response.headers.get('retry-after') })
    } catch (error) {
      if (signal?.aborted) return cancelledAt(input.step)
      const detail = describeError(error)
      const reason = timeout.aborted ? 'agent_request_timeout' : 'agent_service_unreachable'
      return err({ reason, step: input.step, detail })
    }
  }

  /** `false` when cancelled meanwhile. */
  async #pause(ms: number): Promise<boolean> {
    const { signal } = this.#options
    try {
      await this.#options.wait(ms, signal ?? undefined)
      return true
    } catch {
      return false
    }
  }
}

function readAnswer(
  input: PostInput,
  answer: Answer,
  tries: number,
): Result<unknown, AgentFailure> {
  const { step } = input
  const json = parseJson(answer.text)
  if (answer.status >= 200 && answer.status < 300) {
    return json === undefined
      ? err({ reason: 'agent_answer_malformed', step, detail: 'not JSON' })
      : ok(json)
  }
  return err({
    reason: 'agent_request_refused',
    step,
    status: answer.status,
    code: readText(json, ['error', 'innererror', 'code'], ['error', 'code'], ['code']),
    detail: readText(json, ['error', 'innererror', 'message'], ['error', 'message'], ['detail']),
    tries,
  })
}

/** The first of the members that is text: Azure's error body, or a problem document (RFC 9457). */
function readText(json: unknown, ...paths: readonly (readonly string[])[]): string | undefined {
  for (const path of paths) {
    let value = json
    for (const name of path) {
      value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
    }
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function parseJson(text: string): unknown {
  if (text.length > MAX_ANSWER_CHARS) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** RFC 9110 §10.2.3: seconds, or a date; our own backoff where neither is given. */
function retryDelay(retryAfter: string | null, attempt: number): number {
  if (retryAfter === null) return backoff(attempt)
  const seconds = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined
  if (seconds !== undefined) return seconds * 1000
  const date = Date.parse(retryAfter)
  return Number.isNaN(date) ? backoff(attempt) : Math.max(0, date - Date.now())
}

/** Doubles with each try; the random half keeps a fleet from knocking in step. */
function backoff(attempt: number): number {
  const ceiling = FIRST_BACKOFF_MS * 2 ** (attempt - 1)
  return ceiling / 2 + Math.random() * (ceiling / 2)
}

function cancelledAt(step: AgentStep) {
  return err({ reason: 'agent_cancelled', step, detail: 'cancelled by the caller' })
}

/** Undici hides what went wrong in `cause`. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message || error.message : error.message
}
