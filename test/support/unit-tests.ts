import { globSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'

/** Modules that bring a database, another program or a runtime of its own. */
const HEAVY = /^(node:child_process|node:worker_threads|pg|@electric-sql\/.*|miniflare|wrangler)$/

/** About the sources or the run as a whole, whose files they read and import. */
const ABOUT_ALL = ['test/reasons.test.ts', 'test/left-out.test.ts']

/**
 * Paths of the tests that need no database and start no program: those from which no import, of
 * however many steps, leads to one. No list has to be kept.
 */
export function listUnitTests(): readonly string[] {
  const isHeavy = new Map<string, boolean>()
  const leadsToHeavy = (file: string): boolean => {
    const known = isHeavy.get(file)
    if (known !== undefined) return known
    isHeavy.set(file, false)
    const found = importsOf(file).some((target) =>
      target.startsWith('.') ? leadsToHeavy(pathOf(file, target)) : HEAVY.test(target),
    )
    isHeavy.set(file, found)
    return found
  }
  return globSync('test/**/*.test.ts')
    .filter((file) => !ABOUT_ALL.includes(file) && !leadsToHeavy(file))
    .sort()
}

/** What a file imports when it runs: types vanish. */
function importsOf(file: string): readonly string[] {
  const code = readFileSync(file, 'utf8').replaceAll(/^(?:import|export) type [^']*'[^']*'/gm, '')
  const found = code.matchAll(/(?:from|import)(?:\(| )\s*'([^']+)'/g)
  return [...found].map((match) => match[1] ?? '')
}

function pathOf(file: string, target: string): string {
  return relative('.', resolve(dirname(file), target))
}
