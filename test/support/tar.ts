import { execFileSync, spawnSync } from 'node:child_process'
import { describeWith } from './left-out.ts'

/** tar calls gzip by itself where it is told `-z`. */
const HAS_TAR = ['tar', 'gzip'].every((program) => {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return typeof stdout === 'string' && stdout !== ''
})

/** A suite over GNU tar. */
export function describeTar(name: string, suite: () => void): void {
  describeWith('tar', HAS_TAR, name, suite)
}

/** Runs tar to its end, and answers what it printed. */
export function tar(...args: readonly string[]): string {
  return execFileSync('tar', args, { encoding: 'utf8' })
}
