import { describe, expect, test } from 'vitest'
import { BUILT_IN_TEXTS } from '../../src/access/texts.ts'
import { VERDICTS } from '../../src/access/trust-record.ts'
import { tellReasons } from '../../src/signals/told-reasons.ts'
import { BASELINE } from '../access/rules.ts'

const { policy } = BASELINE
const MET = 'This device meets the requirements. Nothing needs to be done.'

describe('the reasons of an event', () => {
  test('that was written without any are those of its verdict', () => {
    const { admin, user } = tellReasons('quarantined', [], policy)
    const { en, de } = BUILT_IN_TEXTS.quarantined
    expect(admin).toEqual({ en: 'quarantined' })
    expect(user).toEqual({
      en: `${en.title}. ${en.repair}`,
      de: `${de?.title}. ${de?.repair}`,
    })
    expect(tellReasons('stale', [], policy).user.en).toContain(BUILT_IN_TEXTS.stale.en.title)
  })

  test.each(VERDICTS)('say of %s that all is well only where it is', (verdict) => {
    const { user } = tellReasons(verdict, [], policy)
    expect(user.en === MET).toBe(verdict === 'trusted')
    expect(user.de).toBeDefined()
  })

  test('are told by the texts of their clauses, and of one that is gone all the same', () => {
    const told = tellReasons(
      'untrusted',
      [
        { code: 'clause_failed', clause: 'secure_boot_on' },
        { code: 'clause_failed', clause: 'gone' },
      ],
      policy,
    )
    expect(told.admin.en).toBe('untrusted: clause_failed secure_boot_on; clause_failed gone')
    expect(told.user.en).toMatch(/^Secure Boot is off\. .+The device did not meet a requirement\. /)
  })
})
