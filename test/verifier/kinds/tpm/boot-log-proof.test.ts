import { beforeAll, describe, expect, test } from 'vitest'
import { comparisonsOf } from '../../../../src/base/comparison.ts'
import { digest } from '../../../../src/base/digest.ts'
import { replayLog } from '../../../../src/evidence/event-log/replay.ts'
import { parseTcgLog } from '../../../../src/evidence/event-log/tcg-log.ts'
import type { PcrBank } from '../../../../src/evidence/tpm/pcr.ts'
import { type BootLog, toBootLog } from '../../../../src/simulator/boot-log.ts'
import { independentKeys } from '../../../../src/simulator/key-source.ts'
import { digestEvent } from '../../../../src/simulator/tcg-log-encoding.ts'
import { recordBoot } from '../../../../src/simulator/virtual-device.ts'
import { proveBootLogs } from '../../../../src/verifier/kinds/tpm/boot-log-proof.ts'
import type { BootLogs } from '../../../../src/verifier/kinds/tpm/tpm-evidence.ts'
import { encodeLog } from '../../../evidence/event-log/support.ts'
import { expectOk, expectRefusal } from '../../../support/refusal.ts'

const EV_EVENT_TAG = 6
const ZERO = new Uint8Array(32)
const NO_LOG = new Uint8Array(31)
const ONES = new Uint8Array(32).fill(0xff)
let log: BootLog
let srtm: BootLogs

beforeAll(async () => {
  log = (await recordBoot(independentKeys())).bootLog
  srtm = { srtm: log.bytes, drtm: undefined, hasIma: false, members: { srtm: 'log', drtm: 'drtm' } }
})

/** All 24 PCRs of a bank after the boot, some of them changed. */
function bankAfterBoot(
  changes: Record<number, Uint8Array> = {},
  algorithm: 'sha1' | 'sha256' = 'sha256',
): PcrBank {
  const values = new Map<number, Uint8Array>()
  const width = algorithm === 'sha1' ? 20 : 32
  for (let pcr = 0; pcr < 24; pcr++) {
    values.set(pcr, (pcr >= 17 && pcr <= 22 ? ONES : ZERO).subarray(0, width))
  }
  for (const [pcr, value] of replayLog(expectOk(parseTcgLog(log.bytes)), algorithm).values) {
    values.set(pcr, value)
  }
  for (const [pcr, value] of Object.entries(changes)) values.set(Number(pcr), value)
  return { algorithm, values }
}

function event(pcr: number, text: string, type = EV_EVENT_TAG) {
  return digestEvent({ pcr, type, data: Buffer.from(text) })
}

describe('static PCRs', () => {
  test('a log that replays to all of them', () => {
    const verified = expectOk(proveBootLogs(srtm, [bankAfterBoot()]))
    expect(verified.bank).toBe('sha256')
    expect([...verified.provenPcrs].at(-1)).toBe(15)
  })

  test('the strongest bank of the log is used, whichever else was quoted', () => {
    const banks = [bankAfterBoot({}, 'sha1'), bankAfterBoot()]
    expect(expectOk(proveBootLogs(srtm, banks)).bank).toBe('sha256')
    const foreign: PcrBank = { algorithm: 'sha384', values: bankAfterBoot().values }
    expect(expectOk(proveBootLogs(srtm, [foreign, bankAfterBoot()])).bank).toBe('sha256')
  })

  test('PCRs that any program can reset say nothing about the boot', () => {
    const bank = bankAfterBoot({ 16: ONES, 23: digest('sha256', ZERO) })
    expectOk(proveBootLogs(srtm, [bank]))
  })

  test('a static PCR that was extended behind the log', () => {
    for (const pcr of [5, 8, 10, 15]) {
      const bank = bankAfterBoot({ [pcr]: digest('sha256', Buffer.from('hidden')) })
      const failure = expectRefusal(proveBootLogs(srtm, [bank]), 'log_pcr_mismatch')
      expect(failure).toMatchObject({ pcrs: [pcr] })
    }
  })

  test('PCR 10 belongs to the IMA log where there is one, and then proves nothing', () => {
    const bank = bankAfterBoot({ 10: digest('sha256', Buffer.from('ima')) })
    const verified = expectOk(proveBootLogs({ ...srtm, hasIma: true }, [bank]))
    expect(verified.provenPcrs.has(10)).toBe(false)
  })

  test('SHA-1 alone, or required PCRs that were not quoted', () => {
    const expected = expect.stringMatching(/^a quote of a bank that the log has.*sha256/)
    for (const quoted of [[bankAfterBoot({}, 'sha1')], []]) {
      const failure = expectRefusal(proveBootLogs(srtm, quoted), 'boot_pcr_bank_weak')
      expect(failure).toMatchObject({ expected })
      expect(failure).not.toHaveProperty('member')
    }
    const bank = bankAfterBoot()
    const few = new Map([...bank.values].filter(([pcr]) => pcr !== 4 && pcr !== 7))
    const result = proveBootLogs(srtm, [{ ...bank, values: few }])
    expect(expectRefusal(result, 'boot_pcr_not_quoted')).toMatchObject({ pcrs: [4, 7] })
  })

  test('a log with SHA-1 alone is blamed itself, whatever was quoted', () => {
    const weak = encodeLog([{ pcr: 4, type: EV_EVENT_TAG, data: Uint8Array.of(1) }], ['sha1'])
    const result = proveBootLogs({ ...srtm, srtm: weak }, [bankAfterBoot()])
    expect(expectRefusal(result, 'boot_pcr_bank_weak')).toMatchObject({
      ...{ member: srtm.members.srtm, expected: expect.stringMatching(/^a log with digests of/) },
    })
  })

  test('a log that is no log', () => {
    expectRefusal(proveBootLogs({ ...srtm, srtm: NO_LOG }, [bankAfterBoot()]), 'truncated')
  })
})

describe('dynamic launch', () => {
  const launch = [event(17, 'launch environment'), event(18, 'authority'), event(17, 'more')]
  const extended = (...texts: string[]) =>
    texts.reduce<Uint8Array>(
      (value, text) => digest('sha256', value, digest('sha256', Buffer.from(text))),
      ZERO,
    )
  const launched = {
    17: extended('launch environment', 'more'),
    18: extended('authority'),
    ...{ 19: ZERO, 20: ZERO, 21: ZERO, 22: ZERO },
  }
  const drtm = (events = launch): BootLogs => ({ ...srtm, drtm: toBootLog(0, events).bytes })

  test('its PCRs start at zero and its log must replay to them', () => {
    expectOk(proveBootLogs(drtm(), [bankAfterBoot(launched)]))
  })

  test('without its log nothing is said of its PCRs', () => {
    expectOk(proveBootLogs(srtm, [bankAfterBoot(launched)]))
  })

  test('a log of a launch that did not happen, or happened otherwise', () => {
    const never = proveBootLogs(drtm(), [bankAfterBoot()])
    expectRefusal(never, 'drtm_log_pcr_mismatch')
    const otherwise = bankAfterBoot({ ...launched, 18: extended('another authority') })
    const result = expectRefusal(proveBootLogs(drtm(), [otherwise]), 'drtm_log_pcr_mismatch')
    expect(result).toMatchObject({ pcrs: [18] })
    const [expected, found] = [otherwise, bankAfterBoot(launched)].map(({ values }) =>
      Buffer.from(values.get(18) ?? []).toString('hex'),
    )
    expect(comparisonsOf(result)).toEqual([{ what: 'sha256 PCR 18', expected, found }])
  })

  test('a log of a launch whose PCRs were not quoted', () => {
    const bank = bankAfterBoot(launched)
    const values = new Map([...bank.values].filter(([pcr]) => pcr < 17))
    const result = proveBootLogs(drtm(), [{ ...bank, values }])
    expect(expectRefusal(result, 'drtm_log_pcr_mismatch')).toMatchObject({ pcrs: [17, 18] })
  })

  test('events for static PCRs in its log', () => {
    const events = [...launch, event(12, 'switches of another boot')]
    const result = proveBootLogs(drtm(events), [bankAfterBoot(launched)])
    expect(expectRefusal(result, 'drtm_log_foreign_pcr')).toMatchObject({ pcrs: [12] })
  })

  test('a log that is no log', () => {
    const result = proveBootLogs({ ...srtm, drtm: NO_LOG }, [bankAfterBoot(launched)])
    expectRefusal(result, 'truncated')
  })
})
