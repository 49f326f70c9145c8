import { readdirSync } from 'node:fs'
import { describe, test } from 'vitest'
import { collect, folderForTest, runCli, startCli } from './cli-process.ts'

const TIMEOUT_MS = 120_000

/** Resolves once the process has written a match of `pattern` to standard error. */
function untilTold(child: ReturnType<typeof startCli>, pattern: RegExp): Promise<string> {
  let told = ''
  return new Promise((resolve, reject) => {
    child.stderr?.on('data', (text) => {
      told += text
      const found = pattern.exec(told)?.[0]
      if (found !== undefined) resolve(found)
    })
    child.once('close', () => reject(new Error(`ended before it said ${pattern}: ${told}`)))
  })
}

describe.concurrent('demo', { timeout: TIMEOUT_MS }, () => {
  test('--exit shows verdict, decision and reasons of each device, and ends with 0', async ({
    expect,
    onTestFinished,
  }) => {
    const folder = folderForTest(onTestFinished)
    // What is set around it does not reach the demo.
    const env = { TMPDIR: folder, DATABASE_URL: 'postgres://127.0.0.1:1/none', PORT: 'x' }
    const { code, stdout } = await runCli(['demo', '--exit'], env)
    expect(code).toBe(0)
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/).join(' | '))
    expect(rows).toEqual(
      expect.arrayContaining([
        ' | device | agent was told | verdict | decision | reasons',
        '✓ | healthy | recorded | trusted | granted | -',
        '✓ | secure-boot-off | recorded | untrusted | denied | secure_boot_on',
        '✓ | debuggable-enclave | recorded | untrusted | denied | enclave_not_debuggable',
        '✓ | old-enclave | recorded | untrusted | denied | enclave_current',
        '✓ | tampered-log | log_pcr_mismatch | unknown | denied | never_attested',
        '✓ | replayed-nonce | nonce_spent | trusted | granted | -',
        '✓ | forged-token | token_key_unknown | unknown | denied | never_attested',
        '✓ | expired | recorded | stale | denied | stale',
        '11 of 11 devices got the right answer.',
      ]),
    )
    expect(readdirSync(folder)).toEqual([])
  })

  test('stays up with its URL printed until it is stopped, and leaves nothing behind', async ({
    expect,
    onTestFinished,
  }) => {
    const folder = folderForTest(onTestFinished)
    const child = startCli(['demo', '--json'], { TMPDIR: folder })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const ended = collect(child)
    // With --json, standard output is for the JSON alone.
    const url = await untilTold(child, /http:\/\/127\.0\.0\.1:\d+/)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    child.kill('SIGTERM')
    const { code, stdout, stderr } = await ended
    expect(code).toBe(0)
    const outcomes: { correct: boolean }[] = JSON.parse(stdout)
    expect(outcomes).toHaveLength(11)
    expect(outcomes.every(({ correct }) => correct)).toBe(true)
    expect(stderr).toMatch(/curl -su cli_demo:css_\S+ http/)
    expect(readdirSync(folder)).toEqual([])
  })

  test('ends cleanly when it is interrupted in the middle', async ({ expect, onTestFinished }) => {
    const folder = folderForTest(onTestFinished)
    const child = startCli(['demo'], { TMPDIR: folder })
    const ended = collect(child)
    await untilTold(child, /starting virtual devices/)
    child.kill('SIGINT')
    const { code, stdout } = await ended
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    expect(readdirSync(folder)).toEqual([])
  })
})
