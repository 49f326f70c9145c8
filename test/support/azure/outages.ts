/** How a server fails. `refuse_connections` is a closed port; the others happen inside of TLS. */
export type Outage =
  | { readonly kind: 'refuse_connections' }
  /** Reads the request and never answers. */
  | { readonly kind: 'hang' }
  /** Does what was asked, sends half of the answer and destroys the socket. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'slow'; readonly ms: number }
  | {
      readonly kind: 'status'
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
    }

export type OutageOptions = {
  /** Which requests: tested against path and query. All of them when left out. */
  readonly path?: RegExp
  /** How many such requests. Until `recover` when left out. */
  readonly times?: number
}

export type RequestOutage = Exclude<Outage, { kind: 'refuse_connections' }>

/** The outages that are still to happen to requests, in the order in which they were ordered. */
export type OutagePlan = {
  readonly add: (outage: RequestOutage, options?: OutageOptions) => void
  /** The outage that befalls a request, counted as having happened. */
  readonly take: (path: string) => RequestOutage | undefined
  readonly clear: () => void
}

export function createOutagePlan(): OutagePlan {
  let entries: { outage: RequestOutage; path: RegExp | undefined; left: number }[] = []
  return {
    add: (outage, options = {}) => {
      entries.push({ outage, path: options.path, left: options.times ?? Number.POSITIVE_INFINITY })
    },
    take: (path) => {
      const entry = entries.find((one) => one.path === undefined || path.search(one.path) >= 0)
      if (entry === undefined) return undefined
      entry.left -= 1
      if (entry.left <= 0) entries = entries.filter((one) => one !== entry)
      return entry.outage
    },
    clear: () => {
      entries = []
    },
  }
}
