import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** How a server can fail those who ask it. */
export type Outage =
  /** Each connection is closed before anything is said on it. */
  | { readonly kind: 'refuse_connections' }
  /** A request is read and never answered. */
  | { readonly kind: 'hang' }
  /** The connection breaks in the middle of the answer. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'slow'; readonly ms: number }
  | {
      readonly kind: 'status'
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
    }

export type OutageOptions = {
  /** Only requests to these paths. A connection that is refused has none yet. */
  readonly path?: RegExp
  /** How often; always, unless told otherwise. */
  readonly times?: number
}

type Planned = { readonly how: Outage; readonly path: RegExp | undefined; times: number }

/** What goes wrong with which requests. The last one planned counts. */
export class OutagePlan {
  #planned: Planned[] = []

  fail(how: Outage, options: OutageOptions = {}): void {
    this.#planned.unshift({ how, path: options.path, times: options.times ?? Infinity })
  }

  recover(): void {
    this.#planned = []
  }

  /** Whether the next connection is to be refused. */
  takeRefusal(): boolean {
    return this.#take(({ how }) => how.kind === 'refuse_connections') !== undefined
  }

  /** `true` when the request is done with. */
  async apply(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const path = request.url ?? ''
    const how = this.#take((planned) => {
      return planned.how.kind !== 'refuse_connections' && (planned.path?.test(path) ?? true)
    })
    switch (how?.kind) {
      case 'hang':
        return true
      case 'cut':
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
        response.write('{"data":"')
        response.socket?.destroySoon()
        return true
      case 'slow':
        await delay(how.ms)
        return false
      case 'status':
        response.writeHead(how.status, { 'content-type': 'application/json', ...how.headers })
        response.end(how.body ?? '')
        return true
      default:
        return false
    }
  }

  #take(matches: (planned: Planned) => boolean): Outage | undefined {
    const found = this.#planned.find((planned) => planned.times > 0 && matches(planned))
    if (found === undefined) return undefined
    found.times -= 1
    return found.how
  }
}
