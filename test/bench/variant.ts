/** The child's side of `child.ts`. */

/** What the process was started with. */
export function readInput<T>(): T {
  return JSON.parse(process.argv[2] ?? 'null') as T
}

/** To the parent; on standard error where there is none, as under a profiler. */
export function say(message: unknown): void {
  if (process.send !== undefined) process.send(message)
  else process.stderr.write(`${JSON.stringify(message)}\n`)
}

/** Keeps `concurrency` calls of `run` under way until `work` is over. */
export async function runConcurrently(
  concurrency: number,
  work: { readonly next: () => number | undefined; readonly run: (item: number) => Promise<void> },
): Promise<void> {
  const runner = async () => {
    for (let item = work.next(); item !== undefined; item = work.next()) await work.run(item)
  }
  await Promise.all(Array.from({ length: concurrency }, runner))
}

/** The items from `first` up to, and without, `end`. */
export function countUp(first: number, end: number): () => number | undefined {
  let item = first
  return () => (item < end ? item++ : undefined)
}

/** Items from 0 on, again and again, for as long as it says. */
export function cycleFor(seconds: number, items: number): () => number | undefined {
  const end = performance.now() + seconds * 1000
  let item = -1
  return () => {
    item = (item + 1) % items
    return performance.now() < end ? item : undefined
  }
}
