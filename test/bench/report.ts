import { availableParallelism, cpus } from 'node:os'
import type { Path } from './options.ts'
import type { PathResult } from './rounds.ts'

export const TARGETS: Readonly<Record<Path, number>> = {
  evaluation: 0.7,
  submission: 0.7,
  appraisal: 0.6,
}

export type Results = Partial<Record<Path, PathResult>>

/** What each path is, and the least that it has to do. */
const MEANING: Readonly<Record<Path, { readonly path: string; readonly floor: string }>> = {
  evaluation: {
    path: 'AuthZEN decision over HTTP',
    floor: 'Hono handler, one prepared read of the device by primary key',
  },
  submission: {
    path: 'attestation submission',
    floor: 'its two signature checks and one recording call',
  },
  appraisal: {
    path: 'evidence appraisal of one vbs message',
    floor: 'its hashes and signature checks',
  },
}

export function describeMachine(postgresVersion: string | undefined): string {
  const [cpu] = cpus()
  const postgres = postgresVersion === undefined ? '' : `, PostgreSQL ${postgresVersion}`
  return `${availableParallelism()} cores (${cpu?.model.trim() || 'unknown model'}), Node ${process.version}${postgres}`
}

/** Tables in Markdown, as they stand in the README. */
export function formatReport(results: Results, machine: string): string {
  const entries = Object.entries(results) as [Path, PathResult][]
  const summary = entries.map(([path, result]) => [
    MEANING[path].path,
    perSecond(result.ops_per_s),
    perSecond(result.floor_ops_per_s),
    result.ratio.toFixed(2),
    TARGETS[path].toFixed(2),
    MEANING[path].floor,
  ])
  const raw = entries.flatMap(([path, result]) =>
    result.raw.map((round, index) => [
      path,
      String(index + 1),
      perSecond(round.ops_per_s),
      perSecond(round.floor_ops_per_s),
      round.ratio.toFixed(3),
    ]),
  )
  const details = entries.flatMap(([path, { details, floor_details }]) =>
    Object.entries(details).map(([name, value]) => [
      path,
      name,
      String(value),
      String(floor_details[name] ?? ''),
    ]),
  )
  return [
    machine,
    formatTable(['path', 'per second', 'floor', 'ratio', 'target', 'the floor is'], summary),
    formatTable(['path', 'round', 'per second', 'floor', 'ratio'], raw),
    formatTable(['path', 'median of', 'path', 'floor'], details),
  ].join('\n\n')
}

/** The paths whose ratio is below its target. */
export function missedTargets(results: Results): readonly Path[] {
  const entries = Object.entries(results) as [Path, PathResult][]
  return entries.filter(([path, { ratio }]) => !(ratio >= TARGETS[path])).map(([path]) => path)
}

function perSecond(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
