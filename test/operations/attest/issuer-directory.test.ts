import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { KNOWN_AIA_HOSTS, readAiaPlace } from '../../../src/aia/hosts.ts'
import {
  KEPT_ISSUERS_MS,
  MAX_FETCHES_PER_REQUEST,
  MAX_WAITING,
  UNPROVEN_MS,
} from '../../../src/aia/limits.ts'
import { knownAnchor } from '../../../src/appraisal/known-anchors.ts'
import { createLog } from '../../../src/base/log.ts'
import { createLogBudget } from '../../../src/base/log-budget.ts'
import type { Certificate } from '../../../src/evidence/x509/certificate.ts'
import type { MissingIssuer } from '../../../src/evidence/x509/failure.ts'
import { fingerprintOf } from '../../../src/evidence/x509/fingerprint.ts'
import { ATTESTATION_KEY_USAGE, verifyPath } from '../../../src/evidence/x509/path.ts'
import {
  createIssuerDirectory,
  type IssuerDirectory,
} from '../../../src/operations/attest/issuer-directory.ts'
import type { Store } from '../../../src/store/store.ts'
import { findCertifiedPath, type PathTrust } from '../../../src/verifier/steps/certified-path.ts'
import { type AiaServer, startAiaServer } from '../../support/aia-server.ts'
import {
  describeMicrosoftChains,
  MICROSOFT_CHAINS,
  MICROSOFT_CHAINS_AT,
  readMicrosoft,
} from '../../support/microsoft-chains.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'
import { type TestClock, testClock } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const PLACES = KNOWN_AIA_HOSTS.flatMap((text) => readAiaPlace(text) ?? [])
const MICROSOFT: PathTrust = {
  anchors: [],
  knownAnchors: new Set([knownAnchor('microsoft-tpm-root-2014').fingerprint]),
  intermediates: [],
}

let server: AiaServer
let database: TestDatabase
let clock: TestClock
let calls: string[]
let logs: string[]

beforeAll(async () => {
  server = await startAiaServer()
})
afterAll(() => server?.close())

beforeEach(async () => {
  database = await openTestDatabase()
  clock = testClock(MICROSOFT_CHAINS_AT)
  calls = []
  logs = []
  server.asked.length = 0
  return () => database.close()
})

/** Another process on the same database. */
function openDirectory(store: Partial<Store> = {}): IssuerDirectory {
  const noted = {
    ...database.store,
    issuerCertificates: (...wanted: Parameters<Store['issuerCertificates']>) => {
      calls.push('issuerCertificates')
      return database.store.issuerCertificates(...wanted)
    },
    ...store,
  }
  const write = (line: string) => logs.push(line)
  const log = createLog({ level: 'info', write, clock: clock.now })
  return createIssuerDirectory({
    store: noted,
    places: PLACES,
    clock: clock.now,
    log,
    logBudget: createLogBudget(log),
    fetch: server.fetch,
  })
}

type Attempt = {
  readonly directory: IssuerDirectory
  readonly leaf: Certificate
  readonly trust?: PathTrust
  readonly sent?: readonly Certificate[]
}

async function find({ directory, leaf, trust = MICROSOFT, sent = [] }: Attempt) {
  const findIssuers = directory.forRequest()
  return findCertifiedPath({
    trust: { ...trust, findIssuers },
    sent,
    verify: (supplied) =>
      verifyPath({ leaf, ...supplied, now: clock.now(), usage: ATTESTATION_KEY_USAGE }),
  })
}

describeMicrosoftChains('the chains of real Windows devices', () => {
  const root = readMicrosoft('microsoft-tpm-root-2014')
  const chainOf = (name: string) => ({
    leaf: readMicrosoft(`${name}-aik`),
    authority: readMicrosoft(`${name}-ca`),
  })
  const urlOf = ({ issuerUrls: [url = ''] }: Certificate) => url

  /** Puts the genuine certificates where the genuine certificates say that they are. */
  const publish = () => {
    for (const name of MICROSOFT_CHAINS) {
      const { leaf, authority } = chainOf(name)
      server.serve(urlOf(leaf), authority.der)
      server.serve(urlOf(authority), root.der)
    }
  }
  beforeEach(publish)

  test.each(MICROSOFT_CHAINS)(
    '%s: the leaf alone is enough, and the root is known',
    async (name) => {
      const { leaf, authority } = chainOf(name)
      const path = expectOk(await find({ directory: openDirectory(), leaf }))
      expect(path.anchor.der).toEqual(root.der)
      expect(path.learnt.map(fingerprintOf)).toEqual([authority, root].map(fingerprintOf))
      expect(server.asked).toEqual([urlOf(leaf), urlOf(authority)])
    },
  )

  test('what one process found no process fetches again', async () => {
    const { leaf } = chainOf('stm-eus')
    const first = openDirectory()
    await first.keep(expectOk(await find({ directory: first, leaf })))
    server.asked.length = 0
    for (const directory of [first, openDirectory()]) {
      expectOk(await find({ directory, leaf }))
      calls.length = 0
      expectOk(await find({ directory, leaf }))
      expect(calls).toEqual([])
    }
    expect(server.asked).toEqual([])
    const rows = await database.query('select anchor from issuer_certificate')
    expect(rows).toEqual(Array(2).fill({ anchor: fingerprintOf(root) }))
  })

  test('what was fetched for somebody who has proven nothing is kept by its place, and not written', async () => {
    const { leaf } = chainOf('stm-eus')
    const directory = openDirectory()
    expectOk(await find({ directory, leaf }))
    server.asked.length = 0
    clock.advance(UNPROVEN_MS / 1000 - 1)
    expectOk(await find({ directory, leaf }))
    expect(server.asked).toEqual([])
    expect(await database.query('select 1 from issuer_certificate')).toEqual([])
    // It can still be kept, once somebody has.
    await directory.keep(expectOk(await find({ directory, leaf })))
    expect(await database.query('select 1 from issuer_certificate')).toHaveLength(2)
  })

  test('a process looks into the store again after a while', async () => {
    const { leaf } = chainOf('stm-eus')
    const directory = openDirectory()
    await directory.keep(expectOk(await find({ directory, leaf })))
    expectOk(await find({ directory, leaf }))
    calls.length = 0
    clock.advance(KEPT_ISSUERS_MS / 1000)
    expectOk(await find({ directory, leaf }))
    expect(calls).toEqual(['issuerCertificates', 'issuerCertificates'])
  })

  test('the chain may come from the agent, and then nothing is asked for', async () => {
    const { leaf, authority } = chainOf('ntc-eus')
    const directory = openDirectory()
    const path = expectOk(await find({ directory, leaf, sent: [root, authority] }))
    expect(path.anchor.der).toEqual(root.der)
    expect([...server.asked, ...calls]).toEqual([])
  })

  test('what came along with one request helps no other', async () => {
    const { leaf, authority } = chainOf('ntc-eus')
    const directory = openDirectory()
    const nowhere = { ...leaf, issuerUrls: [] }
    expectOk(await find({ directory, leaf: nowhere, sent: [root, authority] }))
    const alone = await find({ directory, leaf: nowhere })
    expectRefusal(alone, 'certificate_issuer_unknown')
  })

  test('with the root in the configuration only what is between is learnt', async () => {
    const { leaf, authority } = chainOf('ntc-eus')
    const trust = { anchors: [root], intermediates: [] }
    const path = expectOk(await find({ directory: openDirectory(), leaf, trust }))
    expect(path.learnt.map(fingerprintOf)).toEqual([fingerprintOf(authority)])
  })

  describe('an issuer that cannot be had', () => {
    test('is no verdict: the same request succeeds once it can', async () => {
      const { leaf, authority } = chainOf('intc-wus')
      server.serve(urlOf(leaf), (_, response) => response.writeHead(503).end())
      const directory = openDirectory()
      const refused = await find({ directory, leaf })
      const failure = expectRefusal(refused, 'certificate_issuer_unavailable')
      expect(failure).toMatchObject({ retryAfterSeconds: 10 })
      server.serve(urlOf(leaf), authority.der)
      clock.advance(10)
      expectOk(await find({ directory, leaf }))
    })

    test('is none either where its place says that there is no such file', async () => {
      const { leaf } = chainOf('intc-wus')
      server.serve(urlOf(leaf), (_, response) => response.writeHead(404).end())
      const result = await find({ directory: openDirectory(), leaf })
      expectRefusal(result, 'certificate_issuer_unavailable')
    })

    test('is one where its place is not on the list, and nobody is asked', async () => {
      const { leaf } = chainOf('intc-wus')
      const elsewhere = { ...leaf, issuerUrls: ['http://attacker.example/x.cer'] }
      const result = await find({ directory: openDirectory(), leaf: elsewhere })
      expectRefusal(result, 'certificate_issuer_unknown')
      expect(server.asked).toEqual([])
    })

    test('is asked for nobody where no anchor is trusted', async () => {
      const { leaf } = chainOf('intc-wus')
      const trust = { anchors: [], intermediates: [] }
      const result = await find({ directory: openDirectory(), leaf, trust })
      expectRefusal(result, 'certificate_issuer_unknown')
      expect([...server.asked, ...calls]).toEqual([])
    })
  })

  describe('a place that serves what it likes', () => {
    const expectNothingKept = async () =>
      expect(await database.query('select 1 from issuer_certificate')).toEqual([])

    test('makes nobody trusted: another root, or the certificate of another authority', async () => {
      const { leaf } = chainOf('stm-eus')
      const { authority } = chainOf('stm-ncu')
      server.serve(urlOf(leaf), authority.der)
      const directory = openDirectory()
      expectRefusal(await find({ directory, leaf }), 'certificate_issuer_unknown')
      server.serve(urlOf(leaf), root.der)
      clock.advance(3600)
      expectRefusal(await find({ directory, leaf }), 'certificate_issuer_unknown')
      await expectNothingKept()
    })

    test('does not become the known root by having its name and key', async () => {
      const { leaf, authority } = chainOf('stm-eus')
      const forged = { ...root, der: Uint8Array.from(root.der) }
      forged.der[forged.der.length - 1] = 0
      const result = await find({ directory: openDirectory(), leaf, sent: [authority, forged] })
      expectRefusal(result, 'certificate_anchor_unknown')
    })

    test('makes a process fetch only so much for one request', async () => {
      const findIssuers = openDirectory().forRequest()
      for (let count = 0; count < MAX_FETCHES_PER_REQUEST + 2; count++) {
        await findIssuers({
          depth: 0,
          issuer: `issuer ${count}`,
          keyIdentifier: undefined,
          urls: [`http://ftpm.amd.com/${count}`],
        })
      }
      expect(server.asked).toHaveLength(MAX_FETCHES_PER_REQUEST)
    })
  })

  test('a store that is away is a fault, and one that cannot write keeps nobody waiting', async () => {
    const { leaf } = chainOf('ntc-eus')
    const away = () => Promise.reject(new Error('the store is away'))
    await expect(
      find({ directory: openDirectory({ issuerCertificates: away }), leaf }),
    ).rejects.toThrow('the store is away')
    const directory = openDirectory({ keepIssuerCertificate: away })
    await directory.keep(expectOk(await find({ directory, leaf })))
  })
})

test('only so many requests wait for issuers at a time', async () => {
  const missing = (count: number): MissingIssuer => ({
    depth: 0,
    issuer: `issuer ${count}`,
    keyIdentifier: undefined,
    urls: [`http://ftpm.amd.com/${count}`],
  })
  const release: (() => void)[] = []
  const directory = openDirectory()
  const waiting = Array.from({ length: MAX_WAITING }, (_, count) => {
    server.serve(`http://ftpm.amd.com/${count}`, (_request, response) => {
      release.push(() => response.writeHead(404).end())
    })
    return directory.forRequest()(missing(count))
  })
  while (release.length < MAX_WAITING) await new Promise((resolve) => setTimeout(resolve, 5))
  const one = await directory.forRequest()(missing(MAX_WAITING))
  expect(expectRefusal(one, 'certificate_issuer_unavailable')).toMatchObject({
    retryAfterSeconds: 1,
  })
  expect(server.asked).toHaveLength(MAX_WAITING)
  for (const answer of release) answer()
  await Promise.all(waiting)
  server.serve('http://ftpm.amd.com/later', (_, response) => response.writeHead(404).end())
  await directory.forRequest()(missing(99))
  expect(server.asked).toHaveLength(MAX_WAITING + 1)
})

test('what cannot be had is told so many times a minute, however many ask for it', async () => {
  const url = 'http://ftpm.amd.com/none'
  server.serve(url, (_, response) => response.writeHead(404).end())
  const directory = openDirectory()
  for (let count = 0; count < 100; count++) {
    const wanted = { depth: 0, issuer: `issuer ${count}`, keyIdentifier: undefined, urls: [url] }
    expectRefusal(await directory.forRequest()(wanted), 'certificate_issuer_unavailable')
  }
  expect(logs).toHaveLength(60)
  expect(logs[0]).toContain('issuer_certificate_unavailable')
})
