import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { ok, type Result } from '../../src/base/result.ts'
import { publicJwk } from '../../src/simulator/attestation-request.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import {
  reportEnclave,
  startVirtualDevice,
  type VirtualDevice,
} from '../../src/simulator/virtual-device.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { makeAuthority, makeVerifier, readData, signRequest, type TestVerifier } from './harness.ts'
import {
  drawTable,
  expectedRefusal,
  hasPart,
  KINDS,
  type Kind,
  legend,
  nameOf,
  type Part,
  shorten,
} from './substitution-model.ts'
import {
  type Exchange,
  exchange,
  factsOf,
  listCertification,
  type Machine,
  makeRun,
  payloadOf,
  type Run,
} from './substitution-runs.ts'

/**
 * Every part of every kind of request, exchanged for another's, one at a time and in pairs. The
 * requests are ours on both sides: no real request of an agent is public. That quotes and
 * certifications bind what is said here has a witness in substitution-swtpm.test.ts; that the report of
 * an enclave does has none but Microsoft's description, and one real report whose data are another's.
 */

const keys = independentKeys()
let authority: Awaited<ReturnType<typeof makeAuthority>>
let verifier: TestVerifier
let device: VirtualDevice
/** The device now, the same device at an earlier challenge with another request key, and another. */
let machines: Readonly<Record<'now' | 'before' | 'other', Machine>>

beforeAll(async () => {
  authority = await makeAuthority()
  verifier = await makeVerifier({ trust: authority.trust, legacyUnboundRequestKey: 'accept' })
  device = await startVirtualDevice({ name: 'device', keys, issuer: authority.issue })
  const other = await startVirtualDevice({
    name: 'other',
    keys,
    issuer: authority.issue,
    boot: { bootDrivers: 3 },
  })
  machines = {
    now: machineOf(device, 'key'),
    before: machineOf({ ...device, requestKey: await keys() }, 'key of before'),
    other: machineOf(other, 'key of other'),
  }
})

function machineOf(by: VirtualDevice, keyName: string): Machine {
  const { tpm, requestKey: key } = by
  return {
    name: by.name,
    boot: by.name,
    ak: publicJwk(tpm.attestationKey),
    cert: by.attestationCertificate ?? undefined,
    log: by.bootLog.bytes,
    requestKey: { name: keyName, jwk: publicJwk(key), key },
    quote: async (nonce) => {
      const values = tpm.readPcrs('sha256')
      return { ...tpm.quote({ nonce, bank: 'sha256' }), values, all: [...values.values()] }
    },
    certify: async (nonce) => listCertification(tpm.certify({ key, nonce })),
    report: (data) => reportEnclave(by, data),
  }
}

type Runs = { readonly now: Run; readonly exchanges: readonly Exchange[] }

/** The request of the device, and whatever could stand in it instead. */
async function makeRuns(kind: Kind): Promise<Runs> {
  const challenge = { ...(await verifier.challenge()), name: 'now' }
  const earlier = { ...(await verifier.challenge()), name: 'before' }
  const rpData = (text: string) => toBase64Url(toUtf8(text))
  const now = await makeRun(kind, machines.now, { ...challenge, rpData: rpData('now') })
  const before = await makeRun(kind, machines.before, { ...earlier, rpData: rpData('before') })
  const other = await makeRun(kind, machines.other, { ...challenge, rpData: rpData('other') })
  const exchanges = Object.entries({ other, before }).flatMap(([from, run]) =>
    PARTS.filter((part) => hasPart(kind, part))
      .filter((part) => JSON.stringify(run[part].fact) !== JSON.stringify(now[part].fact))
      .map((part) => ({ part, from, run })),
  )
  return { now, exchanges }
}

/** `key` before `signer`, which it takes with it. */
const PARTS: readonly Part[] = [
  'key',
  'signer',
  'certification',
  'quote',
  'log',
  'ak',
  'cert',
  'challenge',
  'context',
  'rp_data',
  'report',
]

async function send(kind: Kind, run: Run, isLegacyAccepted = true) {
  const request = await signRequest(run.signer.wire, kind.version, payloadOf(kind, run))
  const config = isLegacyAccepted ? {} : { legacyUnboundRequestKey: 'refuse' as const }
  // Many requests answer one challenge here; that a context serves one is shown elsewhere.
  return verifier.send({ request }, { config, spendContext: async () => ok(true) })
}

type Sent = Awaited<ReturnType<typeof send>>
const reasonOf = (result: Result<unknown, { reason: string }>) =>
  result.ok ? undefined : result.failure.reason

/** A token speaks of the device and of its own key, or confirms no key. */
function expectSound(kind: Kind, sent: Sent): void {
  if (!sent.ok) return
  const claims = decodeJwt<{ cnf?: unknown }>(readData(sent.value.data).payload.report)
  expect(claims).toMatchObject({ aikPubHash: device.deviceKey, aikValidated: true })
  if (kind.binding === 'none') expect(claims).not.toHaveProperty('cnf')
  else expect(claims.cnf).toEqual({ jwk: machines.now.requestKey.jwk })
}

const label = ({ part, from }: Exchange) => `${part} of ${from}`

/** Said by hand, against the model and the verifier both. The columns are those of KINDS. */
const SINGLE: Readonly<Record<string, readonly string[]>> = {
  'key of other': ['ok', 'enclave_data_mismatch', 'quote_nonce_mismatch', 'certified_key_mismatch'],
  'key of before': [
    'ok',
    'enclave_data_mismatch',
    'quote_nonce_mismatch',
    'certified_key_mismatch',
  ],
  'signer of other': Array(4).fill('request_signature_invalid'),
  'signer of before': Array(4).fill('request_signature_invalid'),
  'certification of other': ['-', '-', '-', 'certify_signature_invalid'],
  'certification of before': ['-', '-', '-', 'certify_nonce_mismatch'],
  'quote of other': Array(4).fill('quote_signature_invalid'),
  'quote of before': Array(4).fill('quote_nonce_mismatch'),
  'log of other': Array(4).fill('log_pcr_mismatch'),
  'ak of other': Array(4).fill('aik_certificate_key_mismatch'),
  'cert of other': Array(4).fill('aik_certificate_key_mismatch'),
  'challenge of before': Array(4).fill('context_challenge_mismatch'),
  'context of before': Array(4).fill('context_challenge_mismatch'),
  'rp_data of other': ['ok', 'enclave_data_mismatch', 'ok', 'ok'],
  'rp_data of before': ['ok', 'enclave_data_mismatch', 'ok', 'ok'],
  'report of other': ['-', 'report_signature_invalid', '-', '-'],
  'report of before': ['-', 'enclave_data_mismatch', '-', '-'],
}

/** With a report, version 2 refuses as without, and what was let through for the report's data. */
function singleRefusal(kind: Kind, name: string): string | undefined {
  const column = KINDS.findIndex((one) => nameOf(one) === nameOf(kind))
  const [withoutReport, report] = [
    SINGLE[name]?.[column > 3 ? column - 2 : column],
    SINGLE[name]?.[1],
  ]
  const isVbs2 = column > 3
  const said = isVbs2 && (withoutReport === 'ok' || withoutReport === '-') ? report : withoutReport
  return said === 'ok' ? undefined : said
}

const shown: string[] = []
afterAll(() => {
  const text = [`Why a request is refused when a part of it is another's:\n${legend()}`, ...shown]
  process.stdout.write(`\n${text.join('\n\n')}\n`)
})

describe.each(KINDS.map((kind) => [nameOf(kind), kind] as const))('%s', (name, kind) => {
  let runs: Runs
  beforeAll(async () => {
    runs = await makeRuns(kind)
  })

  test('is accepted as it is, and its token confirms its key if the evidence holds it', async () => {
    const sent = await send(kind, runs.now)
    expectOk(sent)
    expectSound(kind, sent)
  })

  test('any one part of another', async () => {
    for (const one of runs.exchanges) {
      const changed = exchange(runs.now, [one])
      const sent = await send(kind, changed)
      expectSound(kind, sent)
      expect([label(one), reasonOf(sent)]).toEqual([label(one), singleRefusal(kind, label(one))])
      expect(expectedRefusal(factsOf(changed), kind, 'accept')).toBe(reasonOf(sent))
    }
  })

  test('any two parts of others', async () => {
    const cells = new Map<string, string>()
    for (const [at, one] of runs.exchanges.entries()) {
      for (const two of runs.exchanges.slice(at + 1).filter(({ part }) => part !== one.part)) {
        const changed = exchange(runs.now, inOrder([one, two]))
        const sent = await send(kind, changed)
        const pair = `${label(one)}, ${label(two)}`
        expectSound(kind, sent)
        expect([pair, reasonOf(sent)]).toEqual([
          pair,
          expectedRefusal(factsOf(changed), kind, 'accept'),
        ])
        cells.set(pair, shorten(reasonOf(sent)))
      }
    }
    shown.push(drawPairs(name, kind, runs.exchanges, cells))
  })
})

const inOrder = (exchanges: readonly Exchange[]) =>
  exchanges.toSorted((a, b) => PARTS.indexOf(a.part) - PARTS.indexOf(b.part))

function drawPairs(
  name: string,
  kind: Kind,
  exchanges: readonly Exchange[],
  cells: ReadonlyMap<string, string>,
): string {
  const header = ['', 'alone', ...exchanges.map((_, index) => String(index + 1))]
  const rows = exchanges.map((one, index) => [
    `${index + 1} ${label(one)}`,
    shorten(singleRefusal(kind, label(one))),
    ...exchanges.map((two) => cells.get(`${label(two)}, ${label(one)}`) ?? ''),
  ])
  const note = kind.binding === 'none' ? ' (accepted by choice: its tokens confirm no key)' : ''
  return `${name}${note}\n${drawTable([header, ...rows])}`
}

describe('evidence of one kind, sent as another under a key of the sender', () => {
  /** Whoever reads the traffic of the device has a genuine machine and an enclave of their own. */
  test.each(KINDS.map((kind) => [nameOf(kind), kind] as const))('%s', async (name, kind) => {
    const { now: recorded } = await makeRuns(kind)
    const row: string[] = [name]
    for (const target of KINDS) {
      const challenge = {
        challenge: new Uint8Array(Buffer.from(recorded.challenge.wire, 'base64url')),
        serviceContext: recorded.context.wire,
        name: 'now',
      }
      const own = await makeRun(target, machines.other, { ...challenge, rpData: 'b3du' })
      const taken: readonly Part[] = ['quote', 'log', 'ak', 'cert']
      const more: readonly Part[] = ['certification', 'report']
      const stolen = [...taken, ...more.filter((part) => hasPart(kind, part))]
      const forged = exchange(
        own,
        stolen.map((part) => ({ part, from: 'device', run: recorded })),
      )
      const sent = await send(target, forged, false)
      const reason = expectedRefusal(factsOf(forged), target)
      expectRefusal(sent, reason ?? expect.fail('nothing would refuse it'))
      row.push(shorten(reason))
    }
    downgrades.push(row)
  })

  const downgrades: string[][] = [['recorded \\ sent as', ...KINDS.map(nameOf)]]
  afterAll(() => {
    shown.push(`Evidence of one kind, sent as another under another key\n${drawTable(downgrades)}`)
  })
})
