import { type FixedService, VECTORS_NOW, VECTORS_URL } from './fixed-service.ts'

/** A request as it goes over the wire. */
export type VectorRequest = {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type VectorAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON. */
  readonly body: unknown
}

/** One request and its answer, and what both were made with. */
export type VectorExchange = {
  /** Kebab-case; says what is asked for. */
  readonly step: string
  /** What the clock of the service says, ISO 8601. */
  readonly at: string
  /** The label of the random bytes that the service takes. */
  readonly chance: string
  readonly request: VectorRequest
  readonly answer: VectorAnswer
}

/** What of an answer's headers an agent acts on. */
const TOLD_HEADERS = ['content-type', 'retry-after', 'www-authenticate']
const SENT_HEADERS = ['content-type', 'dpop']

/** Where to, and what for: a step by the path that it goes to. */
const STEPS: Readonly<Record<string, string>> = {
  '/v1/challenge': 'challenge',
  '/v1/attestations': 'submission',
  '/v1/enrolments': 'enrolment',
  '/v1/enrolments/activate': 'activation',
}

/** Sends requests to the service, one after the other, and writes down what was said. */
export class Recorder {
  readonly exchanges: VectorExchange[] = []
  readonly #service: FixedService
  readonly #name: string
  at: Date = VECTORS_NOW

  /** `name`: of the run; random bytes are labelled by it. */
  constructor(service: FixedService, name: string) {
    this.#service = service
    this.#name = name
  }

  /** For an agent, in place of the network. */
  readonly fetch = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url)
    const headers = SENT_HEADERS.flatMap((name) => {
      const value = request.headers.get(name)
      return value === null ? [] : [[name, value] as const]
    })
    const { answer } = await this.send({
      method: request.method,
      path: pathname + search,
      headers: Object.fromEntries(headers),
      body: await request.text(),
    })
    return new Response(JSON.stringify(answer.body), {
      status: answer.status,
      headers: answer.headers,
    })
  }

  async send(request: VectorRequest): Promise<VectorExchange> {
    const step = this.#stepOf(request)
    const chance = `${this.#name}: ${step}`
    const sent = { step, at: this.at.toISOString(), chance, request }
    const exchange = { ...sent, answer: await ask(this.#service, sent) }
    this.exchanges.push(exchange)
    return exchange
  }

  /** Unique in a run: a second one of the same is numbered. */
  #stepOf({ path }: VectorRequest): string {
    const [place = ''] = path.split('?')
    const isFirst = !this.exchanges.some(({ step }) => step === 'init')
    const step = STEPS[place] ?? (isFirst ? 'init' : 'request')
    const before = this.exchanges.filter((one) => one.step.replace(/-\d+$/, '') === step).length
    return before === 0 ? step : `${step}-${before + 1}`
  }
}

/** What the service answers to a request that is known, as it was recorded or as it answers now. */
export async function ask(
  service: FixedService,
  { at, chance, request }: Omit<VectorExchange, 'answer'>,
): Promise<VectorAnswer> {
  const { method, path, headers, body } = request
  const sent = new Request(VECTORS_URL + path, { method, headers, body })
  const answer = await service.answer(sent, { at: new Date(at), chance })
  const told = TOLD_HEADERS.flatMap((name) => {
    const value = answer.headers.get(name)
    return value === null ? [] : [[name, value] as const]
  })
  const text = await answer.text()
  return { status: answer.status, headers: Object.fromEntries(told), body: JSON.parse(text) }
}
