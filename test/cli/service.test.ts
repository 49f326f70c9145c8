import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { makeDataDirectory } from '../support/data-directory.ts'
import { describeWith } from '../support/left-out.ts'
import { BARE, collect, folderForTest } from './cli-process.ts'

vi.setConfig({ testTimeout: 240_000 })

const UNIT = resolve('docs/countersign.service')

/** The documented ways to start it. Witnesses: npm, and the shell. */
const STARTS = {
  'npm start': ['npm', 'start'],
  'npm run -s countersign -- serve': ['npm', 'run', '-s', 'countersign', '--', 'serve'],
  'a shell that gives its place to it': ['/bin/sh', '-c', 'exec npm start'],
} as const

describe.each(Object.entries(STARTS))('started by %s', (_, [program, ...args]) => {
  async function start() {
    const data = folderForTest()
    await makeDataDirectory(data)
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...BARE, PORT: '0', DATA_DIR: data },
    })
    let printed = ''
    child.stdout.on('data', (text) => {
      printed += text
    })
    const ended = collect(child)
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    await expect.poll(() => printed, { timeout: 120_000 }).toContain('"event":"listening"')
    const url = /"url":"([^"]+)"/.exec(printed)?.[1] ?? ''
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    const isAnswering = () =>
      fetch(`${url}/healthz`).then(
        () => true,
        () => false,
      )
    return { child, ended, isAnswering, printed: () => printed }
  }

  test('it drains on SIGTERM and nothing of it stays', async () => {
    const service = await start()
    service.child.kill('SIGTERM')
    await expect.poll(service.printed, { timeout: 60_000 }).toContain('"event":"stopped"')
    await expect.poll(service.isAnswering, { timeout: 60_000 }).toBe(false)
    await service.ended
  })

  test('it drains, too, when what started it is killed', async () => {
    const service = await start()
    service.child.kill('SIGKILL')
    await expect.poll(service.printed, { timeout: 60_000 }).toContain('"event":"stopped"')
    await expect.poll(service.isAnswering, { timeout: 60_000 }).toBe(false)
  })
})

/** Witness: systemd, which says what it makes of the file. */
describeWith(
  'systemd',
  spawnSync('systemd-analyze', ['--version']).status === 0,
  'the unit for systemd',
  () => {
    let folder: string
    let unit: string
    const analyze = (...args: readonly string[]) =>
      execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: 'pipe' })

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'unit-'))
      unit = join(folder, 'countersign.service')
      // The same with the places of this machine, since systemd looks whether they are there.
      const text = readFileSync(UNIT, 'utf8')
        .replaceAll('/usr/bin/node', process.execPath)
        .replaceAll('/opt/countersign', resolve('.'))
      writeFileSync(unit, text)
    })
    afterAll(() => rmSync(folder, { recursive: true }))

    test('has no mistake', () => {
      // Without --man=no it wants the page of the manual that Documentation names.
      expect(analyze('verify', '--man=no', unit)).toBe('')
    })

    test('leaves the service little to do harm with', () => {
      // 0 is no exposure and 10 is all; systemd calls less than 2 safe, and a unit without a setting 9.6.
      expect(() => analyze('security', '--offline=true', '--threshold=20', unit)).not.toThrow()
    })

    test('gives the service longer to stop than it takes', () => {
      const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(readFileSync(UNIT, 'utf8')) ?? []
      const [, drainMs = ''] =
        /DRAIN_MS = ([\d_]+)/.exec(readFileSync('src/compose/node-service.ts', 'utf8')) ?? []
      expect(Number(seconds) * 1000).toBeGreaterThan(2 * Number(drainMs.replaceAll('_', '')))
    })
  },
)
