import { describe, expect, test } from 'vitest'
import { parseCertificate } from '../../../src/evidence/x509/certificate.ts'
import { type PolicySettings, verifyPath } from '../../../src/evidence/x509/path.ts'
import { ANY_POLICY } from '../../../src/evidence/x509/policies.ts'
import { PolicyGraph } from '../../../src/evidence/x509/policy-graph.ts'
import { issueCertificate, TEST_NOW } from '../../support/certificates.ts'
import { integer, oid, sequence } from '../../support/der-writer.ts'
import { expectOk, expectRefusal } from '../../support/refusal.ts'

/**
 * The rules one by one are held against NIST's suite and OpenSSL (pkits.test.ts, openssl.test.ts).
 * Here is what neither asks: that policies cannot be made to cost time, and who demands them.
 */
const many = (prefix: string, count: number) =>
  new Set(Array.from({ length: count }, (_, at) => `${prefix}.${at}`))

describe('the policies of a path', () => {
  test('stay as many as there are, whatever their mappings (CVE-2023-0464)', () => {
    const policies = many('1.2', 64)
    const mappings = new Map([...policies].map((policy) => [policy, policies] as const))
    const graph = new PolicyGraph()
    // As a tree it would have 64 to the power of 8 leaves.
    for (let depth = 0; depth < 8; depth += 1) {
      graph.extend(policies, true)
      graph.map(mappings, false)
    }
    expect(graph.isEmpty).toBe(false)
    expect(graph.authorityConstrained).toEqual(policies)
  })

  test('are told in the words of the first certificate', () => {
    const graph = new PolicyGraph()
    graph.extend(new Set(['1.1', '1.2']), true)
    graph.map(new Map([['1.1', new Set(['2.1'])]]), false)
    graph.extend(new Set(['2.1', '9.9']), true)
    expect(graph.authorityConstrained).toEqual(new Set(['1.1']))
  })

  test('are any where every certificate says so, and none after one that names none', () => {
    const graph = new PolicyGraph()
    graph.extend(new Set([ANY_POLICY]), true)
    graph.extend(new Set([ANY_POLICY, '1.1']), true)
    expect(graph.authorityConstrained).toEqual(new Set([ANY_POLICY, '1.1']))
    graph.extend(undefined, true)
    expect(graph.isEmpty).toBe(true)
    graph.extend(new Set([ANY_POLICY]), true)
    expect(graph.authorityConstrained).toEqual(new Set())
  })
})

describe('a policy is demanded', () => {
  const listing = (...policies: string[]) => ({
    oid: '2.5.29.32',
    critical: true,
    value: sequence(...policies.map((policy) => sequence(oid(policy)))),
  })
  const explicit = { oid: '2.5.29.36', critical: true, value: sequence(integer([0], 0x80)) }

  async function verify(
    middle: Parameters<typeof issueCertificate>[0]['extensions'],
    end: Parameters<typeof issueCertificate>[0]['extensions'],
    policies?: PolicySettings,
  ) {
    const root = await issueCertificate({ subject: 'Root', ca: true })
    const issuer = await issueCertificate({
      subject: 'Middle',
      issuer: root,
      ca: true,
      extensions: middle ?? [],
    })
    const leaf = await issueCertificate({ subject: 'Leaf', issuer, extensions: end ?? [] })
    const [anchor, between, last] = [root, issuer, leaf].map(({ der }) =>
      expectOk(parseCertificate(der)),
    )
    if (!anchor || !between || !last) throw new TypeError('no certificates')
    return verifyPath({
      leaf: last,
      intermediates: [between],
      anchors: [anchor],
      now: TEST_NOW,
      usage: { keyUsage: [], allowedCriticalExtensions: [] },
      ...(policies && { policies }),
    })
  }

  test('by nobody: critical policies are read, whether or not they agree', async () => {
    expectOk(await verify([listing('1.2.3')], [listing('1.2.4')]))
    expectOk(await verify([], [listing('1.2.4')]))
  })

  test('by an issuer, of everything below it', async () => {
    expectOk(await verify([listing('1.2.3'), explicit], [listing('1.2.3')]))
    expectOk(await verify([listing('1.2.3', ANY_POLICY), explicit], [listing('1.2.4')]))
    for (const end of [[], [listing('1.2.4')]]) {
      const failure = expectRefusal(
        await verify([listing('1.2.3'), explicit], end),
        'certificate_policies',
      )
      expect(failure).toMatchObject({ depth: 0 })
    }
  })

  test('by the caller', async () => {
    const wanting = (policy: string): PolicySettings => ({
      initialPolicies: new Set([policy]),
      isExplicitPolicyRequired: true,
    })
    const path = [[listing('1.2.3')], [listing('1.2.3')]] as const
    expectOk(await verify([...path[0]], [...path[1]], wanting('1.2.3')))
    expectRefusal(
      await verify([...path[0]], [...path[1]], wanting('1.2.4')),
      'certificate_policies',
    )
  })
})
