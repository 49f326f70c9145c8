import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { importBreakGlassKeys, readBreakGlassKeys } from '../../src/access/break-glass/keys.ts'
import { verifyBreakGlass } from '../../src/access/break-glass/verify.ts'
import { command } from '../../src/cli/break-glass/break-glass.ts'
import { parseConfig } from '../../src/config/config.ts'
import {
  AUDIENCE,
  createHolder,
  DEVICE,
  forge,
  tokenOf,
} from '../access/break-glass/break-glass-fixture.ts'
import { expectOk, noteReason } from '../support/refusal.ts'
import { callCommand } from './call-command.ts'
import { runCli } from './cli-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-glass-'))
const place = (name: string) => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true }))

/** What the commands say to people meanwhile. */
let stderr = ''
beforeEach(() => {
  stderr = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
})

let made = 0

async function call(...args: readonly string[]) {
  return callCommand(command, args)
}

async function keygen(...more: readonly string[]) {
  made += 1
  const path = place(`key-${made}.pem`)
  const { code, stdout } = await call('keygen', '--out', path, ...more)
  expect(code).toBe(0)
  return { path, jwk: JSON.parse(stdout) }
}

type Key = Awaited<ReturnType<typeof keygen>>

const ABOUT = ['--audience', `${AUDIENCE}/`, '--device', DEVICE, '--reason', 'the verifier is down']

async function sign(key: Key, ...more: readonly string[]): Promise<string> {
  const { code, stdout } = await call('sign', '--key', key.path, ...more)
  expect(code).toBe(0)
  expect(stdout).toMatch(/^[\w-]+\n$/)
  return stdout.trim()
}

function keySet(...keys: readonly Key[]): string {
  const path = place(`keys-${keys.map(({ jwk }) => jwk.kid.slice(0, 4)).join('')}.json`)
  writeFileSync(path, JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }))
  return path
}

async function show(token: string, ...more: readonly string[]) {
  const { code, stdout } = await call('show', token, '--json', ...more)
  const found = JSON.parse(stdout)
  if (found.reason !== undefined) noteReason(found.reason)
  return { code, ...found }
}

describe('break-glass keygen', () => {
  test('writes a key for its holder alone and prints what the settings want', async () => {
    const first = await keygen()
    const second = await keygen()
    expect(statSync(first.path).mode & 0o777).toBe(0o600)
    expect(readFileSync(first.path, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    const keys = JSON.stringify({ keys: [first.jwk, second.jwk] })
    const { breakGlass } = expectOk(parseConfig({ BREAK_GLASS_KEYS: keys }))
    expect(breakGlass?.keys.every(({ kid, thumbprint }) => kid === thumbprint)).toBe(true)
    expect(Object.keys(first.jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  })

  test('overwrites nothing', async () => {
    const { path } = await keygen()
    const before = readFileSync(path, 'utf8')
    await expect(call('keygen', '--out', path)).rejects.toThrow(/is there already/)
    expect(readFileSync(path, 'utf8')).toBe(before)
    const lost = place('no/such/folder.pem')
    await expect(call('keygen', '--out', lost)).rejects.toThrow(/cannot write .*ENOENT/)
    await expect(call('keygen')).rejects.toThrow(/--out is missing/)
  })

  test('encrypts the key under a passphrase, without which it signs nothing', async () => {
    const passphrase = place('passphrase')
    writeFileSync(passphrase, 'correct horse\nother line\n')
    const key = await keygen('--passphrase-file', passphrase)
    expect(readFileSync(key.path, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
    await sign(key, ...ABOUT, '--passphrase-file', passphrase)
    const wrong = place('wrong')
    writeFileSync(wrong, 'incorrect\n')
    await expect(sign(key, ...ABOUT)).rejects.toThrow(/encrypted: give its --passphrase-file/)
    await expect(sign(key, ...ABOUT, '--passphrase-file', wrong)).rejects.toThrow(/passphrase/)
    writeFileSync(wrong, '\n')
    await expect(sign(key, ...ABOUT, '--passphrase-file', wrong)).rejects.toThrow(/no passphrase/)
  })
})

describe('break-glass sign', () => {
  test('makes a token that a service takes once enough people have signed', async () => {
    const [alice, bob] = [await keygen(), await keygen()]
    const half = await sign(alice, ...ABOUT, '--issuer', 'alice', '--for', '10m')
    expect(stderr).toContain(DEVICE)
    const whole = await sign(bob, '--add', half)
    const keys = expectOk(readBreakGlassKeys(readFileSync(keySet(alice, bob), 'utf8')))
    const rules = {
      keys: await importBreakGlassKeys(keys),
      threshold: 2,
      audience: AUDIENCE,
      maxSeconds: 600,
      skewSeconds: 0,
    }
    const now = new Date()
    const { claims, kids } = expectOk(await verifyBreakGlass(whole, { rules, now }))
    expect(kids).toEqual([alice.jwk.kid, bob.jwk.kid])
    expect(claims).toMatchObject({
      iss: 'alice',
      aud: AUDIENCE,
      sub: DEVICE,
      exp: claims.iat + 600,
    })
  })

  test('shows the second signer what it is about, on standard error', async () => {
    const [alice, bob] = [await keygen(), await keygen()]
    const about = ['--audience', AUDIENCE, '--all-devices', '--reason', 'a bad policy']
    const half = await sign(alice, ...about, '--issuer', 'alice of operations')
    stderr = ''
    await sign(bob, '--add', half)
    expect(stderr).toContain('EVERY DEVICE')
    expect(stderr).toContain('a bad policy')
    expect(stderr).toContain('alice of operations')
    expect(stderr).toContain(AUDIENCE)
    expect(stderr).toMatch(/until +\S+ \(1800 s\)/)
  })

  test('wants to be told everything, and rightly', async () => {
    const key = await keygen()
    const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
      [['--device', DEVICE, '--reason', 'r'], /--audience is missing/],
      [['--audience', 'trust', '--device', DEVICE, '--reason', 'r'], /--audience must be/],
      [['--audience', AUDIENCE, '--reason', 'r'], /either --device or --all-devices/],
      [[...ABOUT, '--all-devices'], /either --device or --all-devices/],
      [['--audience', AUDIENCE, '--device', DEVICE], /--reason is missing/],
      [['--audience', AUDIENCE, '--device', 'laptop', '--reason', 'r'], /--device cannot be used/],
      [['--audience', AUDIENCE, '--all-devices', '--reason', ' '], /--reason is empty/],
      [[...ABOUT, '--issuer', 'a\u202eb'], /--issuer cannot be used/],
      [[...ABOUT, '--for', '25h'], /--for must be like/],
      [[...ABOUT, '--for', '0m'], /--for must be like/],
      [[...ABOUT, '--for', 'soon'], /--for must be like/],
      [['--add', 'x', '--reason', 'r'], /--reason is in the token/],
      [['--add', 'x', '--all-devices'], /--all-devices is in the token/],
    ]
    for (const [args, message] of mistakes)
      await expect(sign(key, ...args)).rejects.toThrow(message)
    await expect(call('sign', ...ABOUT)).rejects.toThrow(/--key is missing/)
    await expect(call('sing')).rejects.toThrow(/did you mean sign/)
  })

  test('takes no key of another kind', async () => {
    const path = place('rsa.pem')
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await expect(sign({ path, jwk: {} }, ...ABOUT)).rejects.toThrow(/no Ed25519 key/)
    writeFileSync(path, 'hello')
    await expect(sign({ path, jwk: {} }, ...ABOUT)).rejects.toThrow(/no private key in PEM/)
  })

  test('does not sign twice with one key', async () => {
    const key = await keygen()
    const half = await sign(key, ...ABOUT)
    await expect(sign(key, '--add', half)).rejects.toThrow(/has signed the token already/)
  })

  test('does not sign what is no token, has expired or lives too long', async () => {
    const key = await keygen()
    const holder = await createHolder('somebody')
    const iat = Math.floor(Date.now() / 1000)
    const cases: readonly (readonly [string, string])[] = [
      ['x', 'break_glass_malformed'],
      [await forge([holder], { header: { alg: 'none' } }), 'break_glass_header_refused'],
      [await tokenOf([holder], { iat: iat - 60, exp: iat - 1 }), 'break_glass_expired'],
      [await tokenOf([holder], { iat, exp: iat + 86_401 }), 'break_glass_lifetime_too_long'],
    ]
    for (const [token, reason] of cases) {
      stderr = ''
      const called = await call('sign', '--key', key.path, '--add', token)
      expect(called).toEqual({ code: 3, stdout: '' })
      expect(stderr).toBe(`REFUSED  ${reason}\n`)
    }
  })
})

describe('break-glass show', () => {
  test('says who signed, what it allows, and that it is good', async () => {
    const [alice, bob] = [await keygen(), await keygen()]
    const token = await sign(bob, '--add', await sign(alice, ...ABOUT))
    const keys = ['--keys', keySet(alice, bob)]
    expect(await show(token, ...keys, '--audience', AUDIENCE)).toMatchObject({
      code: 0,
      verified: true,
      remarks: [],
      signatures: [alice, bob].map(({ jwk }) => ({ kid: jwk.kid, state: 'valid' })),
      token: { aud: AUDIENCE, sub: DEVICE, reason: 'the verifier is down' },
    })
    const { code, stdout } = await call('show', token, ...keys)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^VERIFIED\n/)
    expect(stdout).toContain(`signed by ${alice.jwk.kid}`)
    expect(stdout).toContain('(--audience)')
  })

  test('tells what is missing from one that is not good', async () => {
    const [alice, bob, eve] = [await keygen(), await keygen(), await keygen()]
    const keys = ['--keys', keySet(alice, bob)]
    const half = await sign(alice, ...ABOUT, '--for', '2h')
    expect(await show(half, ...keys)).toMatchObject({
      code: 3,
      verified: false,
      reason: 'break_glass_too_few_signatures',
      remarks: [expect.stringContaining('--audience'), expect.stringContaining('longer')],
    })
    expect(await show(half, ...keys, '--threshold', '1')).toMatchObject({ code: 0 })
    const foreign = await sign(eve, '--add', half)
    expect((await show(foreign, ...keys)).signatures).toEqual([
      { kid: alice.jwk.kid, state: 'valid' },
      { kid: eve.jwk.kid, state: 'unknown_key' },
    ])
    const whole = await sign(bob, '--add', half)
    const elsewhere = ['--audience', 'https://other.example']
    expect(await show(whole, ...keys, ...elsewhere)).toMatchObject({
      code: 3,
      reason: 'break_glass_wrong_audience',
    })
    expect(await show(whole)).toMatchObject({
      code: 3,
      reason: 'break_glass_not_configured',
      remarks: expect.arrayContaining([expect.stringContaining('--keys')]),
    })
    // Nothing is said of signatures that nothing was there to check by.
    expect((await show(whole)).signatures).toMatchObject([
      { state: 'unchecked' },
      { state: 'unchecked' },
    ])
    const unchecked = (await call('show', whole)).stdout
    expect(unchecked).toContain('not checked: no keys were given (--keys)')
    expect(unchecked).not.toContain('not one of the keys')
    const refused = await call('show', half, ...keys)
    expect(refused.stdout).toMatch(/^REFUSED {2}break_glass_too_few_signatures\n/)
    expect(refused.stdout).toContain('What it says, not believed:')
  })

  test('shows nothing of what is no token', async () => {
    const found = await show('x', '--keys', keySet(await keygen()))
    expect(found).toMatchObject({ code: 3, reason: 'break_glass_malformed', signatures: [] })
    expect(found).not.toHaveProperty('token')
  })

  test('wants a token, usable keys and a threshold that they can reach', async () => {
    const file = place('nothing.json')
    writeFileSync(file, '{}')
    await expect(call('show')).rejects.toThrow(/TOKEN is missing/)
    await expect(call('show', 'x', '--keys', file)).rejects.toThrow(/must be a JWK set/)
    await expect(call('show', 'x', '--threshold', '0')).rejects.toThrow(/--threshold must be/)
    await expect(call('show', 'x', '--threshold', '17')).rejects.toThrow(/--threshold must be/)
    await expect(call('show', 'x', '--audience', 'y')).rejects.toThrow(/--audience must be/)
    await expect(call('sign', 'x')).rejects.toThrow("there is no 'x' here")
  })
})

describe('the command line', () => {
  test('does it all offline, with the token alone on standard output', async () => {
    const [alice, bob] = [await keygen(), await keygen()]
    const args = ['break-glass', 'sign', '--key', alice.path, ...ABOUT]
    // A database that is not there is not asked for.
    const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }
    const signed = await runCli(args, env)
    expect(signed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[\w-]+\n$/) })
    expect(signed.stderr).toContain('the verifier is down')
    const token = await sign(bob, '--add', signed.stdout.trim())
    const shown = await runCli(['break-glass', 'show', token, '--keys', keySet(alice, bob)], env)
    expect(shown).toMatchObject({ code: 0, stderr: '' })
  })
})
