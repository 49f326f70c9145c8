import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { makeOnceARun } from './once-a-run.ts'

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

/** Runs wrangler to its end, without asking anybody anything, and answers what it printed. */
export async function runWrangler(args: readonly string[]): Promise<string> {
  const script = `${PROJECT}/node_modules/wrangler/bin/wrangler.js`
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args], {
    cwd: PROJECT,
    maxBuffer: 10_000_000,
    env: {
      ...process.env,
      CI: 'true',
      NO_COLOR: '1',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    },
  })
  return stdout
}

export type BuiltWorker = {
  /** Path of the one script that is uploaded. */
  readonly script: string
  /** Paths of every module in it, from the project's root, with the bytes that each brings. */
  readonly modules: ReadonlyMap<string, number>
}

/** Builds the Worker as a deployment does, from `wrangler.toml`, into `folder`. */
export async function buildWorker(folder: string): Promise<BuiltWorker> {
  const metafile = `${folder}/${METAFILE}`
  await runWrangler(['deploy', '--dry-run', '--outdir', folder, '--metafile', metafile])
  return readBuilt(folder)
}

/** The same, built once for all files of a test run. */
export async function buildWorkerOnce(): Promise<BuiltWorker> {
  return readBuilt(await makeOnceARun('worker', buildWorker))
}

const METAFILE = 'meta.json'

function readBuilt(folder: string): BuiltWorker {
  const { outputs } = JSON.parse(readFileSync(`${folder}/${METAFILE}`, 'utf8')) as Metafile
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs))
  return {
    script: `${folder}/worker.js`,
    modules: new Map(inputs.map(([path, { bytesInOutput }]) => [path, bytesInOutput])),
  }
}

type Metafile = {
  readonly outputs: Readonly<
    Record<
      string,
      { readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>> }
    >
  >
}
