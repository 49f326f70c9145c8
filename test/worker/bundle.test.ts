import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { KJUR, RSAKey, X509 } from '../../src/azure/without-jsrsasign.ts'
import { type BuiltWorker, buildWorkerOnce, PROJECT } from '../support/wrangler.ts'

const MIB = 1024 * 1024

describe('the built Worker', () => {
  let built: BuiltWorker
  let script: string

  beforeAll(async () => {
    built = await buildWorkerOnce()
    script = await readFile(built.script, 'utf8')
  })

  const modulesOf = (name: string) =>
    [...built.modules.keys()].filter((path) => path.includes(name))

  test('is below 1 MiB gzipped', () => {
    expect(gzipSync(script).length).toBeLessThan(MIB)
  })

  test('has the Azure SDKs and not their jsrsasign', () => {
    expect(modulesOf('node_modules/@azure/attestation/')).not.toEqual([])
    expect(modulesOf('node_modules/@azure/identity/')).not.toEqual([])
    expect(modulesOf('jsrsasign')).toEqual(['src/azure/without-jsrsasign.ts'])
    // What every version of it says of itself, minified or not.
    expect(script).not.toMatch(/kjur\.github\.io|KEYUTIL|asn1hex/i)
  })

  test.each([
    ...['@electric-sql/pglite', 'pg-native', '@hono/node-server', 'drizzle-orm/pglite'],
    ...['src/simulator/', 'src/cli/'],
  ])('has nothing of %s', (name) => {
    expect(modulesOf('src/worker.ts')).not.toEqual([])
    expect(modulesOf(name)).toEqual([])
  })
})

test('what stands for jsrsasign refuses every use', () => {
  const refusal = 'jsrsasign is not part of this build'
  expect(() => KJUR.jws).toThrow(refusal)
  expect(() => KJUR.crypto).toThrow(refusal)
  expect(() => new X509()).toThrow(refusal)
  expect(() => new RSAKey()).toThrow(refusal)
})

describe('the modules of Node', () => {
  test('have one jsrsasign, of a version without the known vulnerabilities', async () => {
    const lock = JSON.parse(await readFile(join(PROJECT, 'package-lock.json'), 'utf8')) as Lock
    const copies = Object.entries(lock.packages).filter(([path]) => path.endsWith('/jsrsasign'))
    expect(copies.map(([path]) => path)).toEqual(['node_modules/jsrsasign'])
    expect(isAtLeast(copies[0]?.[1].version ?? '', [11, 1, 1])).toBe(true)
  })

  test('give the Azure client that one', async () => {
    const fromHere = createRequire(import.meta.url)
    const fromClient = createRequire(fromHere.resolve('@azure/attestation'))
    const path = fromClient.resolve('jsrsasign/package.json')
    expect(path).toBe(join(PROJECT, 'node_modules/jsrsasign/package.json'))
    const { version } = JSON.parse(await readFile(path, 'utf8')) as { version: string }
    expect(isAtLeast(version, [11, 1, 1])).toBe(true)
    fromClient('@azure/attestation')
    const loaded = Object.keys(fromHere.cache).filter((file) => file.includes('jsrsasign'))
    expect(loaded).not.toEqual([])
    expect(
      loaded.filter((file) => !file.startsWith(join(PROJECT, 'node_modules/jsrsasign/'))),
    ).toEqual([])
  })
})

type Lock = { readonly packages: Readonly<Record<string, { readonly version?: string }>> }

function isAtLeast(version: string, least: readonly number[]): boolean {
  const parts = version.split('.').map(Number)
  const differing = least.findIndex((part, index) => parts[index] !== part)
  return differing < 0 || (parts[differing] ?? 0) > (least[differing] ?? 0)
}
