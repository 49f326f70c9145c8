import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { openMemoryStore } from '../../store/drivers/embedded.ts'
import { EXIT, verb } from '../framework/command.ts'
import { flag, required, text } from '../framework/options.ts'
import { printJson, printText } from '../framework/output.ts'
import { createProgress, renderBar } from '../framework/progress.ts'
import { openFixedService } from './fixed-service.ts'
import { makeVectors } from './make-vectors.ts'

export const exportVerb = verb({
  summary: 'write the golden vectors of the protocol of agents into a folder',
  about: `Lets virtual devices attest at a service in this process whose keys, clock and random bytes are
fixed, and writes down what was said: every value on the way of five good runs, and requests that
are wrong in one thing, with what the service answers. A README says what is in each file. They are
the same each time: see docs/agent-vectors.md.

The keys in them are known to everybody. No setting of yours is read, no database is touched.`,
  arguments: { folder: required(text('DIR', 'the folder to write into; it is made if need be')) },
  options: { check: flag('write nothing: say which files differ from what would be written') },
  json: 'the folder, the number of files, and the paths of those that differed before',
  exits: { differs: 'with --check: a file is missing or another one' },
  async run({ folder, check, json }) {
    const progress = createProgress(process.stderr, () => new Date())
    const store = await openMemoryStore()
    try {
      const service = await openFixedService({ store })
      const files = await makeVectors(service, (made, all) => {
        progress.show(`${renderBar(made, all)}  ${made}/${all} files`)
      }).finally(progress.end)
      const target = resolve(folder)
      const differing = await compareFiles(target, files)
      if (!check) await writeFiles(target, files)
      if (json) printJson({ folder: target, files: files.size, differing })
      else printText(describe(target, { files: files.size, differing, check }))
      return check && differing.length > 0 ? EXIT.differs : EXIT.done
    } finally {
      await store.close()
    }
  },
})

/** Paths of the files that a folder has not, or has with another text. */
export async function compareFiles(
  folder: string,
  files: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const differing: string[] = []
  for (const [path, content] of files) {
    const present = await readFile(join(folder, path), 'utf8').catch(() => undefined)
    if (present !== content) differing.push(path)
  }
  return differing.sort()
}

/** Writes files by their paths below a folder, which is made if need be. */
export async function writeFiles(
  folder: string,
  files: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [path, content] of files) {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
  }
}

function describe(
  folder: string,
  told: { readonly files: number; readonly differing: readonly string[]; readonly check: boolean },
): string {
  const { files, differing, check } = told
  const list = differing.map((path) => `  ${path}\n`).join('')
  if (!check)
    return `Wrote ${files} files to ${folder}; ${differing.length} of them are new or changed.\n`
  if (differing.length === 0)
    return `All ${files} files in ${folder} are as they would be written.\n`
  return `${differing.length} of ${files} files in ${folder} are missing or other ones:\n${list}`
}
