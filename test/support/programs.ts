import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { makeOnceARunSync } from './once-a-run.ts'

/** What tests start as processes, from the project's root. */
const PROGRAMS = [
  'src/cli.ts',
  'test/faults/serving-process.ts',
  'test/operations/release/driving-process.ts',
  'test/operations/signals/delivering-process.ts',
  'test/store/devices/recording-process.ts',
] as const

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * The path of one of our programs for `node`, bundled once a run: some of the sources' hundreds of modules take
 * a second of the processor to find and to read, and a bundle a tenth. The sources themselves are started by
 * `test/cli/service.test.ts` and `test/cli/command-form.test.ts`, as people start them.
 */
export function programPath(source: (typeof PROGRAMS)[number]): string {
  if (process.env.TEST_RUN_DIR === undefined) return join(PROJECT, source)
  // In a process of its own, as whoever starts a program does not wait for a promise before.
  const folder = makeOnceARunSync('programs', (draft) => {
    execFileSync(process.execPath, [import.meta.filename, draft], { stdio: 'inherit' })
  })
  return join(folder, source.replace(/\.ts$/, '.mjs'))
}

async function buildPrograms(outdir: string): Promise<void> {
  await build({
    entryPoints: PROGRAMS.map((path) => join(PROJECT, path)),
    outbase: PROJECT,
    outdir,
    bundle: true,
    // Commands are loaded when they are called.
    splitting: true,
    format: 'esm',
    platform: 'node',
    outExtension: { '.js': '.mjs' },
    external: ['pg-native'],
    banner: {
      js: `import { createRequire } from 'node:module'
const require = createRequire(${JSON.stringify(pathToFileURL(PROJECT).href)})`,
    },
    plugins: [ownFiles, pglite],
    logLevel: 'error',
  })
}

/** A module finds files of the project from where its source lies. */
const ownFiles: Plugin = {
  name: 'own-files',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const place = JSON.stringify(pathToFileURL(path).href)
      const contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', place)
      return { loader: 'ts', contents }
    })
  },
}

/** It finds PostgreSQL beside itself. */
const pglite: Plugin = {
  name: 'pglite',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^@electric-sql\/pglite$/ }, ({ path }) => {
      return { path: import.meta.resolve(path), external: true }
    })
  },
}

const [, started = '', outdir] = process.argv
if (resolve(started) === import.meta.filename && outdir !== undefined) await buildPrograms(outdir)
