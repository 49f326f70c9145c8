import type { KeyObject } from 'node:crypto'
import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { comparisonsOf, showKey } from '../../src/base/comparison.ts'
import { toBase64Url } from '../../src/base/encoding.ts'
import { parseTpmsAttest } from '../../src/evidence/tpm/attest.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import type { BootLog } from '../../src/simulator/boot-log.ts'
import type { BootState } from '../../src/simulator/boot-state.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { SoftTpm } from '../../src/simulator/soft-tpm.ts'
import {
  recordBoot,
  startVirtualDevice,
  type VirtualDevice,
} from '../../src/simulator/virtual-device.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import {
  makeAuthority,
  makeRequest,
  makeVerifier,
  type Payload,
  payloadOf,
  readData,
  signRequest,
  signVbsRequest,
  type TestVerifier,
} from './harness.ts'

const keys = independentKeys()
const NO_NONCE = new Uint8Array(16)
let verifier: TestVerifier
let attestationKey: KeyObject
/** The cold boot, then the same machine after a hibernation. */
let booted: VirtualDevice
let resumed: VirtualDevice

beforeAll(async () => {
  verifier = await makeVerifier()
  attestationKey = await keys()
  const first = [attestationKey]
  const laptop = await startVirtualDevice({
    name: 'laptop',
    keys: async () => first.pop() ?? keys(),
  })
  booted = { ...laptop, tpm: bootTpm('early', 42, laptop.bootLog) }
  resumed = await resume({})
})

/** Windows starts again on the TPM of `booted`, which was reset in between. */
async function resume(changes: Partial<BootState>): Promise<VirtualDevice> {
  const { bootLog, secureKernel } = await recordBoot(keys, { bootCounter: 42, ...changes })
  return { ...booted, bootLog, secureKernel, tpm: bootTpm('late', 43, bootLog) }
}

/** The clock of a software TPM starts anywhere in a span of 2^32 ms; this one in the half asked. */
function bootTpm(half: 'early' | 'late', resetCount: number, log: BootLog): SoftTpm {
  const { startupLocality } = log
  const middle = 90_000_000n + 2n ** 31n
  for (let attempt = 0; attempt < 200; attempt++) {
    const tpm = new SoftTpm({ attestationKey, resetCount, restartCount: 0, startupLocality })
    if (clockOf(tpm) < middle !== (half === 'early')) continue
    for (const event of log.events) tpm.extend(event.pcr, event.digests)
    return tpm
  }
  return expect.fail('no such clock')
}

function clockOf(tpm: SoftTpm): bigint {
  const { attest } = tpm.quote({ nonce: NO_NONCE, bank: 'sha256' })
  return expectOk(parseTpmsAttest(attest)).clockInfo.clock
}

/** `boot_attestation` as an agent keeps it from the time of the boot. */
function bootAttestation(of: VirtualDevice): Payload {
  const quote = of.tpm.quote({ nonce: NO_NONCE, bank: 'sha256' })
  const values = [...of.tpm.readPcrs('sha256')]
  return {
    logs: [{ type: 'TCG', log: toBase64Url(of.bootLog.bytes) }],
    aik_pub: publicJwk(of.tpm.attestationKey),
    pcrs: [
      {
        algorithm: 11,
        values: values.map(([index, value]) => ({ index, digest: toBase64Url(value) })),
      },
    ],
    quote: toBase64Url(quote.attest),
    signature: toBase64Url(quote.signature),
  }
}

async function attestV2(device: VirtualDevice, boot: Payload) {
  const challenge = await verifier.challenge()
  const payload = payloadOf(await makeRequest(device, challenge, { withoutEnclave: true }))
  payload.att_data.tpm_att_data.boot_attestation = boot
  return verifier.send({ request: await signRequest(device.requestKey, 2, payload) })
}

async function attestV1(edit: (tpm: Payload) => void = () => {}) {
  const challenge = await verifier.challenge()
  const options = { version: 1, withoutEnclave: true } as const
  const payload = payloadOf(await makeRequest(resumed, challenge, options))
  const tpm = payload.att_data.tpm_att_data
  tpm.srtm_resume_log = tpm.srtm_boot_log
  tpm.srtm_boot_log = toBase64Url(booted.bootLog.bytes)
  tpm.boot_claim = toBase64Url(booted.tpm.claimPlatform(NO_NONCE))
  edit(tpm)
  return verifier.send({ request: await signVbsRequest(resumed, 1, payload.att_data) })
}

type Answer = Awaited<ReturnType<typeof attestV2>>
const claimsOf = (answer: Answer) => decodeJwt(readData(expectOk(answer).data).payload.report)

describe('a machine that resumed from hibernation', () => {
  test('is proven by both boots, version 2', async () => {
    const answer = await attestV2(resumed, bootAttestation(booted))
    expect(claimsOf(answer)).toMatchObject({ secureBootEnabled: true, bootCounter: 42 })
    if (!answer.ok || answer.value.kind !== 'report') expect.fail('not a report')
    expect(answer.value.trace.map(({ step }) => step)).toContain('boot_before_hibernation')
  })

  test('is proven by both boots, version 1', async () => {
    expect(claimsOf(await attestV1())).toMatchObject({ secureBootEnabled: true })
  })

  test('what was switched off at either boot is off', async () => {
    const unsafe = await resume({ secureBoot: false, bootAppSvn: 9 })
    const claims = claimsOf(await attestV2(unsafe, bootAttestation(booted)))
    expect(claims).toMatchObject({ secureBootEnabled: false, hvciEnabled: true, bootAppSvn: 7 })
    const { bootLog } = await recordBoot(keys, { testSigning: true })
    const before = { ...booted, bootLog, tpm: bootTpm('early', 42, bootLog) }
    const answer = await attestV2(resumed, bootAttestation(before))
    expect(claimsOf(answer)).toMatchObject({ testSigningDisabled: false, secureBootEnabled: true })
  })

  test('a boot attestation of the very same session adds nothing and costs nothing', async () => {
    expect(claimsOf(await attestV2(booted, bootAttestation(booted)))).toMatchObject({
      secureBootEnabled: true,
    })
  })
})

/** A certificate that names the key in the place of `aik_pub`. */
async function certificateOf(device: VirtualDevice): Promise<Payload> {
  const { issue } = await makeAuthority()
  return { aik_pub: undefined, aik_cert: toBase64Url(await issue(device.tpm.attestationKey)) }
}

describe('passing off another boot as the one before', () => {
  test('a clean boot of this machine with another boot counter', async () => {
    const later = await resume({ bootCounter: 57, secureBoot: false })
    const result = await attestV2(later, bootAttestation(booted))
    const failure = expectRefusal(result, 'resume_boot_unlinked')
    const counter = { what: 'bootCounter', expected: '57', found: '42' }
    expect(comparisonsOf(failure)).toContainEqual(counter)
  })

  test('a boot that came after the resume', async () => {
    const result = await attestV2(booted, bootAttestation(resumed))
    expectRefusal(result, 'resume_boot_unlinked')
  })

  test('a boot of another machine', async () => {
    const other = await startVirtualDevice({ name: 'other', keys })
    const result = await attestV2(resumed, bootAttestation(other))
    const failure = expectRefusal(result, 'resume_aik_mismatch')
    const at = 'request.att_data.tpm_att_data.boot_attestation'
    expect(failure).toMatchObject({
      ...{ member: `${at}.aik_pub`, provenAik: { deviceKey: expect.anything() } },
    })
    const certified = { ...bootAttestation(other), ...(await certificateOf(other)) }
    expect(expectRefusal(await attestV2(resumed, certified), 'resume_aik_mismatch')).toMatchObject({
      member: `${at}.aik_cert`,
    })
    const [mine, theirs] = [resumed, other].map(({ tpm }) => publicJwk(tpm.attestationKey))
    expect(comparisonsOf(failure)).toEqual([
      { what: 'attestation key', expected: showKey(mine ?? {}), found: showKey(theirs ?? {}) },
    ])
    const renamed = { ...bootAttestation(other), aik_pub: publicJwk(resumed.tpm.attestationKey) }
    expectRefusal(await attestV2(resumed, renamed), 'quote_signature_invalid')
  })

  test('a boot log that its quote does not prove', async () => {
    const logs = [{ type: 'TCG', log: toBase64Url(resumed.bootLog.bytes) }]
    const result = await attestV2(resumed, { ...bootAttestation(booted), logs })
    expectRefusal(result, 'log_pcr_mismatch')
  })

  test('version 1: the boot log as resume log, or the resume claim as boot claim', async () => {
    const swapped = await attestV1((tpm) => {
      tpm.srtm_resume_log = tpm.srtm_boot_log
    })
    expectRefusal(swapped, 'log_pcr_mismatch')
    const doubled = await attestV1((tpm) => {
      tpm.boot_claim = tpm.current_claim
    })
    expectRefusal(doubled, 'log_pcr_mismatch')
  })

  test('a boot attestation without attestation key', async () => {
    const { aik_pub: _, ...nameless } = bootAttestation(booted)
    expectRefusal(await attestV2(resumed, nameless), 'aik_missing')
  })
})
