import { availableParallelism, cpus } from 'node:os'
import { BESIDE_TARGETS, type BesideFigures } from './beside.ts'
import { type ConsoleFigures, PAGE_TARGETS } from './console.ts'
import type { Path } from './options.ts'
import { PREVIEW_TARGETS, type PreviewFigures } from './preview.ts'
import { REVOCATION_TARGETS, type RevocationFigures } from './revocation.ts'
import type { PathResult } from './rounds.ts'
import { STATUS_LIST_TARGETS, type StatusListFigures } from './status-list.ts'
import type { WorkerFigures } from './worker.ts'

/** The paths that are compared with a floor. */
type RatioPath = Exclude<
  Path,
  'worker' | 'preview' | 'beside' | 'status_list' | 'revocation' | 'console'
>

export const TARGETS: Readonly<Partial<Record<RatioPath, number>>> = {
  evaluation: 0.85,
  guarded_evaluation: 0.6,
  submission: 0.75,
  appraisal: 0.6,
  policy: 1,
  relay: 0.5,
}

/** What the Worker may come to: of the platform's second to start, half. */
const WORKER_LIMITS = { gzip_bytes: 1_048_576, startup_ms: 500 } as const

export type Results = Partial<Record<RatioPath, PathResult>> & {
  worker?: WorkerFigures
  preview?: PreviewFigures
  beside?: BesideFigures
  status_list?: StatusListFigures
  revocation?: RevocationFigures
  console?: ConsoleFigures
}

/** What each path is, and the least that it has to do. */
const MEANING: Readonly<Record<RatioPath, { readonly path: string; readonly floor: string }>> = {
  evaluation: {
    path: 'AuthZEN decision over HTTP',
    floor: 'Hono handler, one prepared read of the device by primary key',
  },
  guarded_evaluation: {
    path: 'the same during a rollout, with grace, holds, overrides and a receipt each',
    floor: 'the same without any of it',
  },
  submission: {
    path: 'attestation submission',
    floor: 'its three signatures by WebCrypto (token, proof, device token) and one recording call',
  },
  appraisal: {
    path: 'evidence appraisal of one vbs message',
    floor: 'its hashes and signature checks',
  },
  policy: {
    path: 'clauses of the baseline policy for one device',
    floor: 'the same evaluated by the library that parses and checks them',
  },
  relay: {
    path: 'message relayed to a provider',
    floor: 'the same message sent to the provider by fetch',
  },
  edge_evaluation: {
    path: 'AuthZEN decision over HTTP in workerd, a connection per request',
    floor: 'the same on Node',
  },
}

export function describeMachine(postgresVersion: string | undefined): string {
  const [cpu] = cpus()
  const postgres = postgresVersion === undefined ? '' : `, PostgreSQL ${postgresVersion}`
  return `${availableParallelism()} cores (${cpu?.model.trim() || 'unknown model'}), Node ${process.version}${postgres}`
}

/** Tables in Markdown, as they stand in docs/performance.md. */
export function formatReport(results: Results, machine: string): string {
  const entries = ratiosOf(results)
  const summary = entries.map(([path, result]) => [
    MEANING[path].path,
    perSecond(result.ops_per_s),
    perSecond(result.floor_ops_per_s),
    result.ratio.toFixed(2),
    TARGETS[path]?.toFixed(2) ?? '',
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
  const { worker, preview, beside, status_list, revocation, console: pages } = results
  return [
    machine,
    formatTable(['path', 'per second', 'floor', 'ratio', 'target', 'the floor is'], summary),
    formatTable(['path', 'round', 'per second', 'floor', 'ratio'], raw),
    formatTable(['path', 'median of', 'path', 'floor'], details),
    ...(worker === undefined ? [] : [formatFigures('Worker', worker, WORKER_LIMITS)]),
    ...(preview === undefined
      ? []
      : [formatFigures('preview', { ...preview, ...preview.floors }, PREVIEW_TARGETS)]),
    ...(beside === undefined ? [] : [formatFigures('beside', beside, BESIDE_TARGETS)]),
    ...(status_list === undefined
      ? []
      : [formatFigures('status list', status_list, STATUS_LIST_TARGETS)]),
    ...(revocation === undefined
      ? []
      : [formatFigures('revocation', revocation, REVOCATION_TARGETS)]),
    ...(pages === undefined ? [] : [formatPages(pages)]),
  ].join('\n\n')
}

function formatPages(pages: ConsoleFigures): string {
  const rows = [...Object.entries(pages), ['target', PAGE_TARGETS] as const].map(([name, page]) => [
    name,
    ...[page.p50_ms, page.ratio, page.bytes].map((value) => value.toLocaleString('en')),
  ])
  return formatTable(['console', 'p50 ms', 'ratio to its statements', 'bytes'], rows)
}

function formatFigures(
  title: string,
  figures: Readonly<Record<string, unknown>>,
  limits: Readonly<Record<string, number>>,
): string {
  const rows = Object.entries(figures).flatMap(([name, value]) => {
    if (typeof value !== 'number') return []
    return [[name, value.toLocaleString('en'), limits[name]?.toLocaleString('en') ?? '']]
  })
  return formatTable([title, 'is', 'target'], rows)
}

/** The paths that miss their target. */
export function missedTargets(results: Results): readonly Path[] {
  const missed: Path[] = ratiosOf(results)
    .filter(([path, { ratio }]) => !(ratio >= (TARGETS[path] ?? 0)))
    .map(([path]) => path)
  const { worker, preview, beside, status_list, revocation, console: pages } = results
  const { gzip_bytes, startup_ms } = WORKER_LIMITS
  const { ratio, peak_mb } = PREVIEW_TARGETS
  if (worker && !(worker.gzip_bytes < gzip_bytes && worker.startup_ms < startup_ms)) {
    missed.push('worker')
  }
  if (preview && !(preview.ratio >= ratio && preview.peak_mb < peak_mb)) missed.push('preview')
  if (beside && !isUnder(beside, BESIDE_TARGETS)) missed.push('beside')
  if (status_list && !fits(status_list)) missed.push('status_list')
  if (revocation && !isSoonEnough(revocation)) missed.push('revocation')
  if (pages && !areLight(pages)) missed.push('console')
  return missed
}

function areLight(pages: ConsoleFigures): boolean {
  const { p50_ms, ratio, bytes } = PAGE_TARGETS
  return Object.values(pages).every((page) => {
    return page.p50_ms < p50_ms && page.ratio <= ratio && page.bytes <= bytes
  })
}

function fits(figures: StatusListFigures): boolean {
  const { bytes, gzip_bytes, build_ms } = STATUS_LIST_TARGETS
  return figures.bytes <= bytes && figures.gzip_bytes <= gzip_bytes && figures.build_ms < build_ms
}

function isUnder(figures: BesideFigures, limits: typeof BESIDE_TARGETS): boolean {
  const { preview_p99_ms, lock_p99_ms, not_answered } = limits
  return (
    figures.preview_p99_ms < preview_p99_ms &&
    figures.lock_p99_ms < lock_p99_ms &&
    figures.not_answered < not_answered
  )
}

function isSoonEnough({ p50_ms, p99_ms, ratio }: RevocationFigures): boolean {
  const targets = REVOCATION_TARGETS
  return p50_ms < targets.p50_ms && p99_ms < targets.p99_ms && ratio >= targets.ratio
}

function ratiosOf({
  worker: _,
  preview: __,
  beside: ___,
  status_list: ____,
  revocation: _____,
  console: ______,
  ...ratios
}: Results): readonly [RatioPath, PathResult][] {
  return Object.entries(ratios) as [RatioPath, PathResult][]
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
