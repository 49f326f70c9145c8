import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { describeDrill } from '../../src/cli/drill/describe-drill.ts'
import { command } from '../../src/cli/drill/drill.ts'
import { span } from '../../src/cli/drill/words.ts'
import { UsageError } from '../../src/cli/framework/usage-error.ts'
import { BASELINE_POLICY } from '../../src/policy/document/baseline.ts'
import { openEmbeddedStore } from '../../src/store/drivers/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { TEXTS } from '../policy/healthy-device.ts'
import { makeDataDirectory } from '../support/data-directory.ts'
import { enforce, enforceFleetDocuments, recordFleet } from '../support/recorded-fleet.ts'
import { callCommand } from './call-command.ts'

let folder: string
let store: Store
const data = () => join(folder, 'data')

/** They attested just now and count for eight hours. */
const DEVICES = 12
const NOW = new Date('2026-05-04T10:00:00Z')
const ISSUER = 'http://localhost:8080'
const OTHER = 'https://other.example'

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-drill-'))
  await makeDataDirectory(data())
  store = await openEmbeddedStore(data())
  await enforceFleetDocuments(store, NOW)
  await recordFleet(store, { devices: DEVICES, now: NOW })
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, maxRetries: 5 })
})
beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] })
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

const drill = (...args: readonly string[]) =>
  callCommand(command, ['outage', ...args, '--data', data()])
const drillJson = async (...args: readonly string[]) =>
  JSON.parse((await drill(...args, '--json')).stdout)

describe('drill outage', () => {
  test('says with its exit status whether somebody would be denied', async () => {
    expect((await drill()).code).toBe(3)
    expect((await drill('--for', '12h')).code).toBe(3)
    expect((await drill('--for', '11h')).code).toBe(0)
    expect((await drill('--for', '7h', '--grace', '0s')).code).toBe(0)
  })

  test('draws who is left over time, says who is first and what helps', async () => {
    const { stdout } = await drill()
    expect(stdout).toContain(
      'If all verifiers were out from 2026-05-04T10:00Z to 2026-05-05T10:00Z (1d), with a grace of 4h (OUTAGE_GRACE_SECONDS=14400):\nof 12 devices 12 have access that it can end.',
    )
    expect(stdout).toMatch(/denied in the end +12 \(100\.0 %\) +12 \(100\.0 %\)/)
    expect(stdout).toMatch(/the first at +2026-05-04T18:00Z \(\+8h\) +2026-05-04T22:00Z \(\+12h\)/)
    expect(stdout).toMatch(/^\+7h +2026-05-04T17:00Z +█{20} 100% +0 +█{20} 100% +0$/m)
    expect(stdout).toMatch(/^\+8h +2026-05-04T18:00Z +░{20} {3}0% +12 +█{20} 100% +0$/m)
    expect(stdout).toMatch(/^dev_\S+ +2026-05-04T18:00Z +2026-05-04T22:00Z$/m)
    expect(stdout).toContain('Next: with the grace 12 devices would be denied. What helps:')
    expect(stdout).toContain('Raise OUTAGE_GRACE_SECONDS to 57601 (16h)')
    expect(stdout).toContain('List a second verifier in VERIFIERS')
    expect(stdout).toContain('the first ends 8h into the outage')
    expect(stdout).not.toContain('+13h')
    for (const line of stdout.split('\n').slice(3, 40)) expect(line.length).toBeLessThan(120)
  })

  test('takes the outage from its options, and the grace from the settings', async () => {
    const summary = await drillJson('--from', '+2h', '--for', '3d', '--step', '12h')
    expect(summary).toMatchObject({
      from: '2026-05-04T12:00:00.000Z',
      until: '2026-05-07T12:00:00.000Z',
      step_seconds: 43_200,
      grace_seconds: 14_400,
      verifier: null,
    })
    vi.stubEnv('OUTAGE_GRACE_SECONDS', '600')
    const settled = await drillJson('--from', '2026-05-04T14:30:00+02:00')
    expect(settled).toMatchObject({ from: '2026-05-04T12:30:00.000Z', grace_seconds: 600 })
    const text = await drill('--grace', '90m', '--for', '8h')
    expect(text.stdout).toContain('(8h), with a grace of 1h30m (--grace; OUTAGE_GRACE_SECONDS is')
  })

  test('knows the built-in verifier by name, and names those there are', async () => {
    expect(await drillJson('--verifier', 'built-in')).toMatchObject({
      verifier: ISSUER,
      trusted: 12,
    })
    expect(await drillJson('--verifier', `${ISSUER}/`)).toMatchObject({ verifier: ISSUER })
    const { code, stdout } = await drill('--verifier', OTHER)
    expect(code).toBe(0)
    expect(stdout).toContain('not counted: 12 other_verifier')
    expect(stdout).toContain(`Name another one with --verifier: ${ISSUER}`)
  })

  test('tells apart what a clause does by the clock', async () => {
    const require = 'now < timestamp("2026-05-04T15:00:00Z")'
    const clause = { id: 'in_hours', require, severity: 'enforce', texts: TEXTS }
    const clauses = [...BASELINE_POLICY.clauses, clause]
    await enforce(store, 'policy', { body: { ...BASELINE_POLICY, clauses }, now: NOW })
    const { code, stdout } = await drill()
    await enforceFleetDocuments(store, NOW)
    expect(code).toBe(3)
    expect(stdout).toMatch(/^in_hours +12 +12$/m)
    expect(stdout).toContain('Look at in_hours')
    expect(stdout).not.toContain('Raise OUTAGE_GRACE_SECONDS')
  })

  test('that is stopped with Ctrl-C ends with the status of an interrupted command', async () => {
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      if (String(text).includes('devices')) process.emit('SIGINT')
      return true
    })
    const before = process.listeners('SIGINT')
    expect(await drill()).toEqual({ code: 130, stdout: '' })
    for (const listener of process.listeners('SIGINT')) {
      if (!before.includes(listener)) process.off('SIGINT', listener)
    }
    expect(process.stderr.write).toHaveBeenLastCalledWith('Stopped. Nothing was changed.\n')
  })
})

describe('advice', () => {
  const config = { outageGraceSeconds: 14_400, verifiers: ['built-in'] }
  const adviceOf = async (change: object, verifiers = config.verifiers) => {
    const summary = { ...(await drillJson()), ...change }
    return describeDrill(summary, { ...config, verifiers })
      .split('\n\n')
      .at(-1)
  }

  test('is none where there is nothing to do', async () => {
    expect((await drill('--for', '2h')).stdout).toContain('Nobody would be denied, grace or not.')
    expect((await drill('--for', '10h')).stdout).toContain('keeps access for all 12 devices')
  })

  test('is to rehearse something else where nobody is counted', async () => {
    const later = await drill('--from', '+9h')
    expect(later.stdout).toContain('let the outage begin earlier (--from)')
    expect(await adviceOf({ trusted: 0 })).toContain('Let devices attest')
  })

  test('does not promise what cannot be set', async () => {
    const advice = await adviceOf({ grace_needed_seconds: 604_801 })
    expect(advice).toContain('No OUTAGE_GRACE_SECONDS is enough (604800 is the most)')
  })

  test('goes by how many verifiers there are', async () => {
    const two = ['built-in', OTHER]
    expect(await adviceOf({}, two)).toContain('VERIFIERS lists 2: rehearse the outage of one')
    expect(await adviceOf({ verifier: OTHER }, two)).toContain('VERIFIERS lists others')
  })
})

test.each([
  [['rollout']],
  [['outage', 'now']],
  [['outage', '--for', '0h']],
  [['outage', '--for', '91d']],
  [['outage', '--for', 'long']],
  [['outage', '--step', '0s']],
  [['outage', '--step', '1m']],
  [['outage', '--grace', '8d']],
  [['outage', '--from', '-2h']],
  [['outage', '--from', '+2']],
  [['outage', '--from', '2026-05-04T09:59Z']],
  [['outage', '--from', '2026-05-05']],
  [['outage', '--from', '2026-13-05T00:00Z']],
  [['outage', '--from', '+91d']],
  [['outage', '--verifier', 'azure']],
  [['outage', '--verifier', '']],
])('%j is wrong usage', async (args) => {
  await expect(callCommand(command, args)).rejects.toThrow(UsageError)
})

test.each([
  [0, '0s'],
  [90_000, '1m30s'],
  [14_400_000, '4h'],
  [93_784_000, '1d2h'],
])('%d ms are %s', (ms, text) => {
  expect(span(ms)).toBe(text)
})
