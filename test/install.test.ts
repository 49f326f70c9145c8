import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

/*
 * Witness: npm, under whichever Node.js this machine has. On Node.js 20 it warned of 7 packages in 35 lines,
 * though it installs a Node.js that they run on.
 */

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-install-'))
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
    copyFileSync(name, join(folder, name))
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Without the Node.js of this checkout before it. */
const PATH = (process.env.PATH ?? '')
  .split(':')
  .filter((part) => !part.includes('node_modules'))
  .join(':')

test('npm ci says nothing that looks like a failure', () => {
  const { HOME = '' } = process.env
  const { status, stderr } = spawnSync(
    'npm',
    ['ci', '--dry-run', '--offline', '--ignore-scripts'],
    {
      ...{ cwd: folder, encoding: 'utf8', env: { PATH, HOME } },
    },
  )
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('where no Node.js came that can run it, npm ci fails and says so', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  const [, code = ''] = /^node -e "(.+)"$/.exec(scripts.postinstall) ?? []
  const run = (version: string) => {
    const at = `Object.defineProperty(process, 'versions', { value: { node: '${version}' } });${code}`
    return spawnSync(process.execPath, ['-e', at], { encoding: 'utf8' })
  }
  for (const version of ['18.20.0', '20.20.2', '22.17.1']) {
    expect(run(version)).toMatchObject({ status: 1, stderr: expect.stringContaining('22.18') })
  }
  for (const version of ['22.18.0', '24.21.0', '100.0.0']) expect(run(version).status).toBe(0)
  // As the shell of npm reads it.
  execFileSync('/bin/sh', ['-c', scripts.postinstall])
})
