/** A Worker in its own runtime on this machine. */
export type RunningWorker = {
  readonly url: string
  readonly fetch: (request: Request) => Promise<Response>
  readonly close: () => Promise<void>
}

export type WorkerToRun = {
  /** One module with everything in it. */
  readonly script: string
  /** Settings and secrets. */
  readonly bindings: Readonly<Record<string, string>>
  /** PostgreSQL, behind the binding HYPERDRIVE. */
  readonly databaseUrl: string
  /** Of loopback, where its own URL has to be known before it runs; any free one unless told. */
  readonly port?: number
  /** File with certificates that it is to trust besides those it has. */
  readonly caFile?: string
}

/** As in wrangler.toml, which a test holds it to. */
export const COMPATIBILITY_DATE = '2026-10-23'

export async function runWorker(input: WorkerToRun): Promise<RunningWorker> {
  const { script, bindings, databaseUrl, port, caFile } = input
  const database = new URL(databaseUrl)
  // The local Hyperdrive wants one even where the server does not.
  if (database.password === '') database.password = 'unused'
  // Read when the module is loaded, so that a process has one for all of its Workers.
  if (caFile !== undefined) process.env.NODE_EXTRA_CA_CERTS = caFile
  const { convertV4MiniflareOptions, Miniflare } = await import('miniflare')
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      modules: [{ type: 'ESModule', path: 'worker.js', contents: script }],
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: ['nodejs_compat'],
      bindings: { ...bindings },
      hyperdrives: { HYPERDRIVE: database.toString() },
      ...(port === undefined ? {} : { port }),
    }),
  )
  const url = await runtime.ready
  return {
    url: url.origin,
    async fetch(request) {
      const target = new URL(request.url)
      const headers = new Headers(request.headers)
      const body = request.body === null ? null : await request.arrayBuffer()
      const { method } = request
      return fetch(url.origin + target.pathname + target.search, { method, headers, body })
    },
    close: () => runtime.dispose(),
  }
}
