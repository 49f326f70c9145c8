import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createLog } from '../../../src/base/log.ts'
import { MAX_CLOCK_SKEW_SECONDS } from '../../../src/config/config.ts'
import { type KeyRing, openKeyRing, signingSealingKeys } from '../../../src/keys/key-ring.ts'
import { keyState, signerAt } from '../../../src/keys/key-times.ts'
import { masterSecretsOf } from '../../../src/keys/master-secret.ts'
import { FIRST_KEY_USES } from '../../../src/keys/signing-keys.ts'
import { followKeys } from '../../../src/operations/keys/follow-keys.ts'
import {
  ANNOUNCED_MS,
  CLOCKS_MS,
  COUNTS_MS,
  MOST_LIVING_KEYS,
} from '../../../src/operations/keys/key-lifetimes.ts'
import { retireKey } from '../../../src/operations/keys/retire-key.ts'
import { rotateKey } from '../../../src/operations/keys/rotate-key.ts'
import type { Store } from '../../../src/store/store.ts'
import type { StoredSigningKey } from '../../../src/store/system/stored-signing-keys.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { START, type TestClock, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

/** On the real database. That what the keys sign verifies is shown in rotation-live.test.ts. */
const DAY_MS = 86_400_000
const USE = 'device-token'
const secrets = masterSecretsOf(Buffer.alloc(32, 1).toString('base64'), undefined)
const making = {
  issuer: 'https://verifier.example',
  sealingKeys: signingSealingKeys(secrets),
}

let database: TestDatabase
let clock: TestClock
let logs: string[]
let ring: KeyRing

beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database?.close())
beforeEach(async () => {
  await database.query('delete from signing_key')
  clock = testClock()
  logs = []
  ring = await openRing()
})

const log = createLog({ level: 'info', write: (line) => logs.push(line), clock: () => START })
const openRing = (store: Store = database.store) =>
  openKeyRing({ ...making, store, secrets, log, clock: clock.now })
const rotate = (at: () => Date = clock.now, store: Store = database.store) =>
  rotateKey({ ...making, store, clock: at }, { use: USE, by: 'test' })
const retire = (kid: string, at: () => Date = clock.now) =>
  retireKey({ ...making, store: database.store, clock: at }, { kid, by: 'test', reason: 'leaked' })
const keys = async () => (await database.store.listSigningKeys()).filter((key) => key.use === USE)
const advanceMs = (ms: number) => clock.set(new Date(clock.now().getTime() + ms))

describe('rotation', () => {
  test('announces a key for sign-ins two days ahead, as Microsoft asks of providers', async () => {
    // Entra's reference for providers of external methods: its cache is renewed within two days.
    const rotated = await rotateKey(
      { ...making, store: database.store, clock: clock.now },
      { use: 'sign-in', by: 'test' },
    )
    const ahead = expectOk(rotated).signsFrom.getTime() - START.getTime()
    expect(ahead).toBeGreaterThan(2 * DAY_MS)
    expect(ahead).toBeLessThan(3 * DAY_MS)
  })

  test('announces a key, and says until when the one before is accepted', async () => {
    const [before] = await keys()
    const { kid, signsFrom, previousKid, previousAcceptedUntil } = expectOk(await rotate())
    expect(signsFrom.getTime() - START.getTime()).toBe(ANNOUNCED_MS)
    expect(previousKid).toBe(before?.kid)
    expect(previousAcceptedUntil.getTime() - signsFrom.getTime()).toBe(COUNTS_MS[USE] + CLOCKS_MS)
    expect(await keys()).toMatchObject([
      { kid: previousKid, signsUntil: signsFrom, acceptedUntil: previousAcceptedUntil },
      { kid, signsFrom, signsUntil: null },
    ])
  })

  test('twice in a row is once: a key signs before it is followed', async () => {
    const { kid } = expectOk(await rotate())
    expect(expectRefusal(await rotate(), 'rotation_under_way')).toMatchObject({ kid })
    advanceMs(ANNOUNCED_MS - 1)
    expectRefusal(await rotate(), 'rotation_under_way')
    advanceMs(1)
    expectOk(await rotate())
    expect(keyState((await keys())[1] as StoredSigningKey, clock.now())).toBe('signing')
  })

  test('of many at once one announces a key', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => rotate()))
    expect(all.filter(({ ok }) => ok)).toHaveLength(1)
    for (const one of all) if (!one.ok) expectRefusal(one, 'rotation_under_way')
    expect(await keys()).toHaveLength(2)
  })

  test('that loses against a change which is over already is told so', async () => {
    const store: Store = {
      ...database.store,
      async publishSigningKey(input) {
        const [signer] = await keys()
        expectOk(await retire(signer?.kid ?? ''))
        return database.store.publishSigningKey(input)
      },
    }
    expectRefusal(await rotate(clock.now, store), 'rotation_superseded')
  })

  test('is refused where a key set would grow past what readers take', async () => {
    for (let made = 1; made < MOST_LIVING_KEYS; made += 1) {
      expectOk(await rotate())
      advanceMs(ANNOUNCED_MS)
    }
    expectRefusal(await rotate(), 'signing_keys_too_many')
    advanceMs(COUNTS_MS[USE] + CLOCKS_MS)
    expectOk(await rotate())
  })

  test.each(['before', 'after'] as const)(
    'that is killed %s any of its statements is done or not, and done again once',
    async (moment) => {
      for (let statements = 1; statements <= 3; statements += 1) {
        await rotate(clock.now, mortal(statements, moment)).catch(() => {})
        const rows = await keys()
        expect(rows.filter((key) => key.signsUntil === null)).toHaveLength(1)
        const again = await rotate()
        if (!again.ok) expectRefusal(again, 'rotation_under_way')
        expect(await keys()).toHaveLength(1 + statements)
        advanceMs(ANNOUNCED_MS)
      }
    },
  )

  test('by a process whose clock is behind the key that signs is left to others', async () => {
    const behind = () => new Date(clock.now().getTime() - 60_000)
    expectRefusal(await rotate(behind), 'rotation_under_way')
  })
})

describe('a key that is retired', () => {
  test('is followed by another at once, and is nobody’s twice', async () => {
    const [only] = await keys()
    const { signingKid } = expectOk(await retire(only?.kid ?? ''))
    const now = await ring.reread()
    expect(now.signingKey(USE, clock.now()).kid).toBe(signingKid)
    expect(now.acceptedKeys(USE, clock.now()).map(({ kid }) => kid)).toEqual([signingKid])
    expectRefusal(await retire(only?.kid ?? ''), 'signing_key_retired')
    expectRefusal(await retire('nobody'), 'signing_key_unknown')
  })
})

describe('the schedule', () => {
  const follow = (signingKeyDays: number) =>
    followKeys({
      ...{ store: database.store, clock: clock.now, keyRing: ring, log },
      config: { signingKeyDays, publicUrl: making.issuer },
      sealing: { signingKey: making.sealingKeys },
    })
  const countOf = async () => (await database.store.listSigningKeys()).length

  test('rotates each purpose when it has signed for long enough, once', async () => {
    advanceMs(90 * DAY_MS - 1)
    await follow(90)
    expect(await countOf()).toBe(FIRST_KEY_USES.length)
    advanceMs(1)
    await Promise.all([follow(90), follow(90), follow(90)])
    await follow(90)
    expect(await countOf()).toBe(2 * FIRST_KEY_USES.length)
    expect(logs.filter((line) => line.includes('signing_key_published'))).toHaveLength(4)
  })

  test('can be turned off', async () => {
    advanceMs(3650 * DAY_MS)
    await follow(0)
    expect(await countOf()).toBe(FIRST_KEY_USES.length)
  })

  test('goes on when the database is away', async () => {
    const away = { reread: () => Promise.reject(new Error('away')) }
    await followKeys({
      ...{ store: database.store, clock: clock.now, keyRing: away, log },
      config: { signingKeyDays: 90, publicUrl: making.issuer },
      sealing: { signingKey: making.sealingKeys },
    })
    expect(logs.join()).toContain('keys_not_followed')
  })
})

type Step =
  | { readonly kind: 'rotate'; readonly skew: number }
  | { readonly kind: 'retire'; readonly which: number; readonly skew: number }
  | { readonly kind: 'pass'; readonly ms: number }

/** Clocks of processes that are each wrong by as much as `CLOCK_SKEW_SECONDS` may be at the most. */
const MAX_SKEW_MS = MAX_CLOCK_SKEW_SECONDS * 1000
const skew = fc.integer({ min: -MAX_SKEW_MS, max: MAX_SKEW_MS })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('rotate' as const), skew }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('retire' as const), which: fc.nat(), skew }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.oneof(
        fc.integer({ min: 0, max: 2 * ANNOUNCED_MS }),
        fc.integer({ min: 0, max: 40 * DAY_MS }),
      ),
    }),
  },
)

test('property: whatever processes with wrong clocks do, what was signed counts until it ends', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      await database.query('delete from signing_key')
      clock.set(START)
      expectOk(await rotate())
      const signed: { readonly kid: string; readonly until: number }[] = []
      for (const one of steps) {
        const at = 'skew' in one ? () => new Date(clock.now().getTime() + one.skew) : clock.now
        if (one.kind === 'pass') advanceMs(one.ms)
        else if (one.kind === 'rotate') await rotate(at)
        else {
          const all = await keys()
          await retire(all[one.which % all.length]?.kid ?? '', at)
        }
        const rows = await keys()
        // Every process signs, by its own clock.
        for (const wrong of [-MAX_SKEW_MS, 0, MAX_SKEW_MS]) {
          const signer = signerAt(rows, new Date(clock.now().getTime() + wrong))
          expect(signer?.retiredAt).toBeNull()
          const until = clock.now().getTime() + wrong + COUNTS_MS[USE]
          signed.push({ kid: signer?.kid ?? '', until })
        }
        // It is accepted to the last moment at which a clock that is behind takes it for one that counts.
        for (const { kid, until } of signed) {
          const row = rows.find((key) => key.kid === kid)
          if (row === undefined || row.retiredAt !== null) continue
          expect(keyState(row, new Date(until + MAX_SKEW_MS - 1))).not.toBe('ended')
        }
        expect(rows.filter((key) => !key.retiredAt && key.signsUntil === null)).toHaveLength(1)
      }
    }),
    { numRuns: 25 },
  )
})

/** A store of a process that dies at its n-th statement: before it is sent, or after it was done. */
function mortal(statements: number, moment: 'before' | 'after'): Store {
  let left = statements
  return new Proxy(database.store, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function') return member
      return async (...args: unknown[]) => {
        left -= 1
        if (left < 0 || (left === 0 && moment === 'before')) throw new Error('killed')
        const answer = await Reflect.apply(member, target, args)
        if (left === 0) throw new Error('killed')
        return answer
      }
    },
  })
}
