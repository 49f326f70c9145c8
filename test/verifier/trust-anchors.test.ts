import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseReferenceValues } from '../../src/appraisal/reference-values.ts'
import { trustUnder } from '../../src/operations/attest/trust-in-force.ts'
import { independentKeys } from '../../src/simulator/key-source.ts'
import { startVirtualDevice, type VirtualDevice } from '../../src/simulator/virtual-device.ts'
import type { AikTrust } from '../../src/verifier/kinds/tpm/attestation-key.ts'
import { expectOk, expectRefusal } from '../support/refusal.ts'
import { makeAnchor, readAnchor, type TestAnchor } from '../support/trust-anchors.ts'
import {
  makeAuthority,
  makeRequest,
  makeVerifier,
  NOW,
  readData,
  type TestVerifier,
} from './harness.ts'

let verifier: TestVerifier
let certified: VirtualDevice
let plain: VirtualDevice
let root: TestAnchor
let other: TestAnchor
const NOTHING: AikTrust = { anchors: [], intermediates: [] }

beforeAll(async () => {
  const authority = await makeAuthority()
  verifier = await makeVerifier()
  const keys = independentKeys()
  certified = await startVirtualDevice({ name: 'certified', keys, issuer: authority.issue })
  plain = await startVirtualDevice({ name: 'plain', keys })
  root = readAnchor(authority.anchorPem, 'authority')
  other = await makeAnchor('Other')
})

const values = (...trust_anchors: readonly object[]) =>
  expectOk(parseReferenceValues({ enclaves: [], trust_anchors }))

async function send(device: VirtualDevice, trust: AikTrust) {
  const challenge = await verifier.challenge()
  const request = await makeRequest(device, challenge, { withoutEnclave: true })
  return verifier.send({ request }, { config: { trust } })
}

async function claimsOf(device: VirtualDevice, trust: AikTrust) {
  return decodeJwt(readData(expectOk(await send(device, trust)).data).payload.report)
}

const listing = (...lists: readonly (readonly object[])[]) =>
  trustUnder(
    NOTHING,
    lists.map((list) => values(...list)),
    NOW,
  )

describe('the anchor of a chain', () => {
  test('is named in the token whenever the key is validated, and else not', async () => {
    const trust = { anchors: [other.certificate, root.certificate], intermediates: [] }
    expect(await claimsOf(certified, trust)).toMatchObject({
      aikValidated: true,
      aikTrustAnchor: root.fingerprint,
    })
    const claims = await claimsOf(certified, NOTHING)
    expect(claims).toMatchObject({ aikValidated: false })
    expect(claims).not.toHaveProperty('aikTrustAnchor')
  })
})

describe('anchors of reference values', () => {
  test('are trusted in addition to those of the configuration', async () => {
    const configured = { anchors: [other.certificate], intermediates: [] }
    const trust = trustUnder(configured, [values(root.entry())], NOW)
    expect(await claimsOf(certified, trust)).toMatchObject({ aikTrustAnchor: root.fingerprint })
    expect(trust.anchors).toEqual([root.certificate, other.certificate])
    expect(trustUnder(configured, [values(other.entry())], NOW).anchors).toHaveLength(1)
  })

  test('alone are enough to refuse a key under no root or another one', async () => {
    expectRefusal(await send(plain, listing([root.entry()])), 'aik_not_certified')
    expectRefusal(await send(certified, listing([other.entry()])), 'certificate_issuer_unknown')
  })

  test('that have all ended let nobody in', async () => {
    const ended = listing([root.entry({ valid_until: '2026-06-01T00:00:00Z' })])
    expect(ended).toMatchObject({ anchors: [], isRequired: true })
    expectRefusal(await send(certified, ended), 'certificate_issuer_unknown')
    expectRefusal(await send(plain, ended), 'aik_not_certified')
  })

  test('on trial beside reference values without any refuse nobody yet', async () => {
    const trust = listing([], [root.entry()])
    expect(await claimsOf(certified, trust)).toMatchObject({ aikTrustAnchor: root.fingerprint })
    expect(await claimsOf(plain, trust)).toMatchObject({ aikValidated: false })
    const elsewhere = await claimsOf(certified, listing([], [other.entry()]))
    expect(elsewhere).toMatchObject({ aikValidated: false })
    expect(elsewhere).not.toHaveProperty('aikTrustAnchor')
  })

  test('of several documents are all trusted', async () => {
    const trust = listing([other.entry()], [root.entry()])
    expect(await claimsOf(certified, trust)).toMatchObject({ aikTrustAnchor: root.fingerprint })
    expectRefusal(await send(plain, trust), 'aik_not_certified')
  })
})
