const SEARCHES = ['find', 'findLast', 'findIndex', 'includes', 'indexOf', 'some', 'every'] as const

/**
 * How often `run` looks something up in a map, and how many items it may pass when it searches
 * lists: the work that grows too fast where something is searched for each thing that there is, or
 * tried in every combination. The same on every machine, however busy it is.
 */
export function countWork(run: () => void): number {
  let work = 0
  const restore = [
    replace(Map.prototype, 'get', () => {
      work += 1
    }),
    ...SEARCHES.map((name) =>
      replace(Array.prototype, name, ({ length }) => {
        work += length
      }),
    ),
  ]
  try {
    run()
  } finally {
    for (const each of restore) each()
  }
  return work
}

function replace<T extends object>(
  owner: T,
  name: keyof T & string,
  count: (self: { readonly length: number }) => void,
): () => void {
  const original = Object.getOwnPropertyDescriptor(owner, name)
  const { value } = original ?? {}
  if (original === undefined || typeof value !== 'function') throw new TypeError(`no ${name}`)
  Object.defineProperty(owner, name, {
    ...original,
    value(this: { readonly length: number }, ...args: unknown[]): unknown {
      count(this)
      return Reflect.apply(value, this, args)
    },
  })
  return () => Object.defineProperty(owner, name, original)
}
