import { beforeAll, describe, expect, test } from 'vitest'
import { err, ok } from '../../../src/base/result.ts'
import { type Certificate, parseCertificate } from '../../../src/evidence/x509/certificate.ts'
import { fingerprintOf } from '../../../src/evidence/x509/fingerprint.ts'
import { ATTESTATION_KEY_USAGE, verifyPath } from '../../../src/evidence/x509/path.ts'
import { MAX_ISSUER_ROUNDS } from '../../../src/verifier/limits.ts'
import {
  type FindIssuers,
  findCertifiedPath,
  type PathTrust,
} from '../../../src/verifier/steps/certified-path.ts'
import { type IssuedCertificate, issueCertificate, TEST_NOW } from '../../support/certificates.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

/** From the root to the leaf. */
let chain: readonly Certificate[]
let leaf: Certificate
let root: Certificate
let between: readonly Certificate[]

const parse = ({ der }: IssuedCertificate) => expectOk(parseCertificate(der))

beforeAll(async () => {
  const issued: IssuedCertificate[] = []
  for (const subject of ['Root', 'Policy', 'Region', 'Issuing', 'Key']) {
    const issuer = issued.at(-1)
    const authority = { ca: true, keyUsage: ['keyCertSign'] } as const
    const request = subject === 'Key' ? { subject } : { subject, ...authority }
    issued.push(await issueCertificate(issuer === undefined ? request : { ...request, issuer }))
  }
  chain = issued.map(parse)
  const [first, ...others] = chain
  const last = others.at(-1)
  if (first === undefined || last === undefined) throw new TypeError('a chain has two ends')
  root = first
  leaf = last
  between = others.slice(0, -1)
})

const find = (trust: Partial<PathTrust>, sent: readonly Certificate[] = []) =>
  findCertifiedPath({
    trust: { anchors: [], intermediates: [], ...trust },
    sent,
    verify: (supplied) =>
      verifyPath({ leaf, ...supplied, now: TEST_NOW, usage: ATTESTATION_KEY_USAGE }),
  })
const known = () => ({ knownAnchors: new Set([fingerprintOf(root)]) })

/** Has every certificate of the chain, by the depth at which it is missed. */
const directory =
  (asked: number[] = []): FindIssuers =>
  async ({ depth }) => {
    asked.push(depth)
    return ok(chain.toReversed().slice(depth + 1, depth + 2))
  }

describe('a path', () => {
  test('is found one issuer at a time, up to a root that only its fingerprint tells', async () => {
    const asked: number[] = []
    const { anchor, learnt } = expectOk(await find({ ...known(), findIssuers: directory(asked) }))
    expect(anchor).toBe(root)
    expect(asked).toEqual([0, 1, 2, 3])
    expect(learnt).toEqual([...between.toReversed(), root])
  })

  test('through what is at hand asks nobody, and teaches what came along', async () => {
    const [policy, region, issuing] = between
    if (!policy || !region || !issuing) throw new TypeError('three are between')
    const findIssuers: FindIssuers = () => expect.fail('nobody is to be asked')
    const trust = { anchors: [root], intermediates: [policy, region], findIssuers }
    expect(expectOk(await find(trust, [issuing])).learnt).toEqual([issuing])
  })

  test('ends at the root that is trusted, not at another that vouches for the same', async () => {
    const trust = { knownAnchors: new Set(['another']), findIssuers: directory() }
    expectRefusal(await find(trust), 'certificate_anchor_unknown')
  })
})

describe('what cannot be had', () => {
  test('leaves the question open, unless something else helps', async () => {
    const unavailable = err({ reason: 'certificate_issuer_unavailable', retryAfterSeconds: 7 })
    const away = await find({ ...known(), findIssuers: async () => unavailable })
    expect(expectRefusal(away, 'certificate_issuer_unavailable')).toMatchObject({
      retryAfterSeconds: 7,
    })
    expectOk(await find({ ...known(), findIssuers: async () => unavailable }, [...between, root]))
  })

  test('is a verdict where there is nowhere to ask, and where what comes is nothing new', async () => {
    for (const findIssuers of [undefined, async () => ok([]), async () => ok([leaf])]) {
      const trust = findIssuers === undefined ? known() : { ...known(), findIssuers }
      expectRefusal(await find(trust, [leaf]), 'certificate_issuer_unknown')
    }
  })

  test('is not asked for on behalf of whoever trusts nobody', async () => {
    const findIssuers: FindIssuers = () => expect.fail('nobody is to be asked')
    expectRefusal(await find({ findIssuers }), 'certificate_issuer_unknown')
  })

  test('is asked for a bounded number of times, whatever an endless supply brings', async () => {
    let asked = 0
    const findIssuers: FindIssuers = async () => {
      asked += 1
      return ok([parse(await issueCertificate({ subject: `Any ${asked}`, ca: true }))])
    }
    expectRefusal(await find({ ...known(), findIssuers }), 'certificate_issuer_unknown')
    expect(asked).toBe(MAX_ISSUER_ROUNDS)
  })
})
