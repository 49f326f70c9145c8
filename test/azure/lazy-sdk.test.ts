import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

/** Every file that is loaded with this one, and the packages that come with them. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  const statements = readFileSync(file, 'utf8').matchAll(
    /^(?:import|export)(?! type )[^;]*?from '([^']+)'/gm,
  )
  for (const [, target = ''] of statements) {
    if (target.startsWith('.')) loadedWith(join(dirname(file), target), seen)
    else seen.add(target)
  }
  return seen
}

test.each(['src/azure/relay.ts', 'src/azure/credential.ts'])(
  '%s loads no SDK before the first message: it costs a start, and a Worker may not load it there',
  (file) => {
    const loaded = loadedWith(file)
    expect(loaded).toContain('src/azure/http-client.ts')
    expect([...loaded].filter((name) => name.startsWith('@azure/'))).toEqual([])
  },
)
