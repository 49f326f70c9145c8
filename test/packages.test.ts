import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { VERSION } from '../src/base/version.ts'

const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>
}

/** Runs wrangler, which only a checkout has. */
const DEVELOPMENT = ['src/cli/edge/dev-edge.ts']
/** Drizzle generates migrations and has no part in the service; types alone need no package. */
const IMPORT =
  /^(?:import|export)(?! type\b)[^'"]*?from '([^'.][^']*)'|\bimport\('([^'.][^']*)'\)/gm

function packagesOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)]
    .map((match) => match[1] ?? match[2] ?? '')
    .filter((name) => !isBuiltin(name))
    .map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    )
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join('src', name))
  .filter((file) => !DEVELOPMENT.includes(file))

test('the service needs production packages only, and all of them', () => {
  const needed = new Set(files.flatMap(packagesOf))
  expect([...needed].sort()).toEqual(Object.keys(dependencies).sort())
})

test('the version that is told is that of package.json', () => {
  expect(VERSION).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version)
})
