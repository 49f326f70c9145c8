/** One run of one variant in a process of its own. */
export type Run = {
  readonly opsPerSecond: number
  /** What else is worth a line, such as `p99_ms`. */
  readonly details?: Readonly<Record<string, number>>
}

export type Variant = 'path' | 'floor'

export type PathResult = {
  /** Median over the rounds of path to floor, both of the same round. */
  readonly ratio: number
  readonly ops_per_s: number
  readonly floor_ops_per_s: number
  readonly raw: readonly Round[]
  readonly details: Readonly<Record<string, number>>
  readonly floor_details: Readonly<Record<string, number>>
}

export type Round = {
  readonly ops_per_s: number
  readonly floor_ops_per_s: number
  readonly ratio: number
}

/**
 * Runs both variants once in each round, in the opposite order of the round before, so that neither
 * always has the warmer machine. Ratios are taken within a round, because the machine drifts.
 */
export async function runRounds(
  rounds: number,
  run: (variant: Variant) => Promise<Run>,
  onRound: (round: Round) => void,
): Promise<PathResult> {
  const raw: Round[] = []
  const runs: Record<Variant, Run[]> = { path: [], floor: [] }
  for (let index = 0; index < rounds; index++) {
    const order: readonly Variant[] = index % 2 === 0 ? ['floor', 'path'] : ['path', 'floor']
    const speeds = { path: 0, floor: 0 }
    for (const variant of order) {
      const result = await run(variant)
      runs[variant].push(result)
      speeds[variant] = result.opsPerSecond
    }
    const round = {
      ops_per_s: roundTo(speeds.path, 1),
      floor_ops_per_s: roundTo(speeds.floor, 1),
      ratio: roundTo(speeds.path / speeds.floor, 3),
    }
    raw.push(round)
    onRound(round)
  }
  return {
    ratio: median(raw.map(({ ratio }) => ratio)),
    ops_per_s: median(raw.map(({ ops_per_s }) => ops_per_s)),
    floor_ops_per_s: median(raw.map(({ floor_ops_per_s }) => floor_ops_per_s)),
    raw,
    details: medianDetails(runs.path),
    floor_details: medianDetails(runs.floor),
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN
  return roundTo((lower + upper) / 2, 3)
}

function medianDetails(runs: readonly Run[]): Readonly<Record<string, number>> {
  const names = Object.keys(runs[0]?.details ?? {})
  return Object.fromEntries(
    names.map((name) => [name, median(runs.map(({ details }) => details?.[name] ?? Number.NaN))]),
  )
}

function roundTo(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}
