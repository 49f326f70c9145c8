import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runWorker } from '../../support/workerd.ts'
import { runWrangler } from '../../support/wrangler.ts'

/** Something that serves, with a clock of its own. */
export type Place = {
  readonly name: string
  readonly fetch: (request: Request) => Promise<Response>
  /** Sets its clock so many milliseconds ahead of the machine's. */
  readonly setClock: (aheadMs: number) => Promise<void>
  readonly close: () => Promise<void>
}

export type Environment = Readonly<Record<string, string>>

/** A process of the service on Node. */
export async function startProcess(name: string, env: Environment): Promise<Place> {
  const { PATH = '' } = process.env
  const child = fork('test/operations/keys/clocked-process.ts', {
    execArgv: [],
    env: { PATH, ...env, PORT: '0' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [{ url }] = await once(child, 'message')
  return {
    name,
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const body = request.body === null ? null : await request.arrayBuffer()
      const { method, headers } = request
      return fetch(url + pathname + search, { method, headers, body })
    },
    async setClock(aheadMs) {
      const answered = once(child, 'message')
      child.send(aheadMs)
      await answered
    },
    async close() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** The Worker in workerd, bundled as for a deployment. */
export async function startWorker(databaseUrl: string, bindings: Environment): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-clocked-'))
  const entry = 'test/operations/keys/clocked-worker.ts'
  await runWrangler(['deploy', entry, '--dry-run', '--outdir', folder])
  const script = readFileSync(join(folder, 'clocked-worker.js'), 'utf8')
  rmSync(folder, { recursive: true })
  const worker = await runWorker({ script, bindings, databaseUrl })
  return {
    name: 'worker',
    fetch: worker.fetch,
    async setClock(aheadMs) {
      await worker.fetch(new Request(`${worker.url}/test-clock/${aheadMs}`))
    },
    close: worker.close,
  }
}
