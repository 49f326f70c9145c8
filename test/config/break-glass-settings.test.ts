import { beforeAll, describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { createHolder, type Holder, keySetOf } from '../access/break-glass/break-glass-fixture.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'

let alice: Holder
let bob: Holder

beforeAll(async () => {
  alice = await createHolder('alice')
  bob = await createHolder('bob')
})

const mistakesOf = (environment: Readonly<Record<string, string>>) =>
  expectRefusal(parseConfig(environment), 'config_invalid').mistakes

describe('the settings of break-glass', () => {
  test('are off unless there are keys', () => {
    expect(expectOk(parseConfig({})).breakGlass).toBe(undefined)
    expect(expectOk(parseConfig({ BREAK_GLASS_KEYS: '' })).breakGlass).toBe(undefined)
  })

  test('want two signatures and an hour at most, unless told otherwise', () => {
    const keys = { BREAK_GLASS_KEYS: keySetOf(alice, bob) }
    const preset = expectOk(parseConfig(keys)).breakGlass
    expect(preset).toMatchObject({ threshold: 2, maxSeconds: 3600 })
    expect(preset?.keys.map(({ kid }) => kid)).toEqual(['alice', 'bob'])
    const env = { ...keys, BREAK_GLASS_THRESHOLD: '1', BREAK_GLASS_MAX_SECONDS: '86400' }
    expect(expectOk(parseConfig(env)).breakGlass).toMatchObject({ threshold: 1, maxSeconds: 86400 })
  })

  test('cannot want more signatures than there are keys', () => {
    const one = 'BREAK_GLASS_THRESHOLD: 2 signatures cannot come from 1 of BREAK_GLASS_KEYS'
    expect(mistakesOf({ BREAK_GLASS_KEYS: keySetOf(alice) })).toEqual([one])
    const env = { BREAK_GLASS_KEYS: keySetOf(alice, bob), BREAK_GLASS_THRESHOLD: '3' }
    expect(mistakesOf(env)).toHaveLength(1)
  })

  test('without keys are a mistake: somebody counts on them', () => {
    expect(mistakesOf({ BREAK_GLASS_THRESHOLD: '2', BREAK_GLASS_MAX_SECONDS: '600' })).toEqual([
      'BREAK_GLASS_THRESHOLD: has no effect without BREAK_GLASS_KEYS',
      'BREAK_GLASS_MAX_SECONDS: has no effect without BREAK_GLASS_KEYS',
    ])
  })

  test('cannot be used where nothing is logged', () => {
    const env = { BREAK_GLASS_KEYS: keySetOf(alice, bob), LOG_LEVEL: 'silent' }
    expect(mistakesOf(env)).toEqual(['LOG_LEVEL: silent would hide every use of BREAK_GLASS_KEYS'])
  })

  test('are told with all other mistakes, and a private key is not repeated', () => {
    const secret = JSON.stringify({ keys: [{ ...alice.jwk, d: 'c2VjcmV0' }] })
    const mistakes = mistakesOf({
      BREAK_GLASS_KEYS: secret,
      BREAK_GLASS_THRESHOLD: '0',
      BREAK_GLASS_MAX_SECONDS: '86401',
      PORT: 'x',
    })
    const named = mistakes.map((line) => line.split(':')[0])
    expect(named.sort()).toEqual([
      'BREAK_GLASS_KEYS',
      'BREAK_GLASS_MAX_SECONDS',
      'BREAK_GLASS_THRESHOLD',
      'PORT',
    ])
    expect(mistakes).toContain('BREAK_GLASS_KEYS: key 1 is a private key: make a new one')
    expect(mistakes.join()).not.toContain('c2VjcmV0')
  })
})
