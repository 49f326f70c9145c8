import { describe, expect, test } from 'vitest'
import { type Certificate, parseCertificate } from '../../../src/evidence/x509/certificate.ts'
import { KEY_USAGES } from '../../../src/evidence/x509/extensions.ts'
import { type PathInput, verifyPath } from '../../../src/evidence/x509/path.ts'
import { describeOpenssl } from '../../support/openssl.ts'
import { type GeneratedChain, generateChains, LATER, NOW } from './generated-chains.ts'
import { CLIENT, POLICIES, type Trait } from './generated-extensions.ts'
import { verifyWithOpenssl } from './openssl-verify.ts'

/** `X509_CHAINS=10000` for a thorough run; `X509_SEED` for other chains. */
const COUNT = Number(process.env.X509_CHAINS ?? 2000)
const SEED = Number(process.env.X509_SEED ?? 1)
const TIMEOUT_MS = 300_000

const ANY = ['-policy', '2.5.29.32.0']
const [ONE_POLICY = ''] = POLICIES
/** The initial settings of RFC 5280 §6.1.1, and the options of `openssl verify` that mean the same. */
const SETTINGS: readonly {
  readonly name: string
  readonly options: readonly string[]
  readonly input?: Partial<PathInput>
}[] = [
  { name: 'any policy', options: ANY },
  {
    name: 'an explicit policy',
    options: [...ANY, '-explicit_policy'],
    input: { policies: { isExplicitPolicyRequired: true } },
  },
  {
    name: 'one explicit policy',
    options: ['-policy', ONE_POLICY, '-explicit_policy'],
    input: {
      policies: { isExplicitPolicyRequired: true, initialPolicies: new Set([ONE_POLICY]) },
    },
  },
  {
    name: 'one policy where certificates ask for any',
    options: ['-policy', ONE_POLICY],
    input: { policies: { initialPolicies: new Set([ONE_POLICY]) } },
  },
  {
    name: 'an explicit policy that anyPolicy is not',
    options: [...ANY, '-explicit_policy', '-inhibit_any'],
    input: { policies: { isExplicitPolicyRequired: true, isAnyPolicyInhibited: true } },
  },
  {
    name: 'an explicit policy without mapping',
    options: [...ANY, '-explicit_policy', '-inhibit_map'],
    input: { policies: { isExplicitPolicyRequired: true, isPolicyMappingInhibited: true } },
  },
  {
    name: 'the purpose of TLS clients',
    options: [...ANY, '-purpose', 'sslclient'],
    input: {
      usage: {
        keyUsage: ['digitalSignature', 'keyAgreement'],
        extendedKeyUsage: [CLIENT],
        isPurposeOptional: true,
        allowedCriticalExtensions: ['2.5.29.17'],
      },
    },
  },
  { name: 'a clock after 2050', options: ANY, input: { now: LATER } },
]

/**
 * Where RFC 5280 and OpenSSL part, by what a chain has: which of the two accepts it, the errors of
 * OpenSSL or the reason of ours, and why ours is right. Numbers: openssl-verification-options(1),
 * X509_STORE_CTX_get_error(3).
 */
const DIFFERENCES: Readonly<Record<Trait, Difference>> = {
  // 79: invalid CA certificate. A v1 root passes there, v2 roots are forgotten. §6.1: an anchor is a
  // name and a key; 6.1.4 (k): out-of-band means decide for versions before 3.
  'anchor-of-version-2': { accepts: 'ours', errors: [79, 26] },
  // 26: unsuitable certificate purpose. §4.2.1.12: anyExtendedKeyUsage does not restrict.
  'any-purpose-of-issuer': { accepts: 'ours', errors: [26] },
  // 20: no issuer found. §4.2.1.1: identifiers facilitate path construction; §6.1 does not read them.
  'key-identifiers-differ': { accepts: 'ours', errors: [20] },
  // 7: signature failure. OpenSSL tries one issuer of several, and may have none to tell them apart by.
  'issuers-of-one-name': { accepts: 'ours', errors: [7] },
  // OpenSSL folds ASCII letters alone. §7.1 with RFC 4518 §2.2: all letters.
  'letters-beyond-ascii': { accepts: 'ours', errors: [20] },
  // 10: expired. §4.1.2.5: the period includes the second of notAfter.
  'ends-now': { accepts: 'ours', errors: [10] },
  // OpenSSL takes keyUsage keyCertSign for it. §6.1.4 (k): basicConstraints must be present.
  'authority-without-basicConstraints': { accepts: 'openssl', reason: 'certificate_not_ca' },
  // §4.2.1.10 has no such dNSName constraint: what it does not permit for sure is refused.
  'leading-period-in-dns-constraint': {
    accepts: 'openssl',
    reason: 'certificate_name_constraints',
  },
  // §6.1.4 (b): an unlisted policy is mapped by way of a node for anyPolicy, of which there is none
  // while it is inhibited. OpenSSL maps it whenever the certificate lists anyPolicy.
  'mapping-of-unlisted-policy': { accepts: 'openssl', reason: 'certificate_policies' },
}

type Difference =
  | { readonly accepts: 'ours'; readonly errors: readonly number[] }
  | { readonly accepts: 'openssl'; readonly reason: string }

/** `undefined` for a valid path, else the reason. */
async function refusalOf(
  chain: GeneratedChain,
  input: Partial<PathInput> = {},
): Promise<string | undefined> {
  const certificates: Certificate[] = []
  for (const der of [chain.leaf, chain.root, ...chain.intermediates]) {
    const parsed = parseCertificate(der)
    if (!parsed.ok) return parsed.failure.reason
    certificates.push(parsed.value)
  }
  const [leaf, root, ...intermediates] = certificates
  if (leaf === undefined || root === undefined) throw new TypeError('a chain has two certificates')
  const result = await verifyPath({
    leaf,
    anchors: [root],
    intermediates,
    now: NOW,
    usage: { keyUsage: KEY_USAGES, allowedCriticalExtensions: ['2.5.29.17'] },
    ...input,
  })
  return result.ok ? undefined : result.failure.reason
}

/** The trait that explains why the two differ about a chain; `undefined` if none does. */
function explain(
  { traits }: GeneratedChain,
  ours: string | undefined,
  openssl: string | undefined,
): Trait | undefined {
  const errors = openssl?.match(/\d+(?=@)/g)?.map(Number) ?? []
  const known = [...traits].map((trait) => [trait, DIFFERENCES[trait]] as const)
  if (openssl === undefined) {
    return known.find(([, one]) => one.accepts === 'openssl' && one.reason === ours)?.[0]
  }
  const mine = known.filter(([, one]) => one.accepts === 'ours')
  const covers = (one: Difference, error: number) =>
    one.accepts === 'ours' && one.errors.includes(error)
  const isCovered = errors.every((error) => mine.some(([, one]) => covers(one, error)))
  const [first] = errors
  if (first === undefined || !isCovered) return undefined
  return mine.find(([, one]) => covers(one, first))?.[0]
}

describeOpenssl('paths of generated chains', () => {
  const chains = generateChains(SEED, COUNT)
  const seen = new Map<string, number>()
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)

  describe('are valid for OpenSSL and for us alike, or differ for a reason that is known', () => {
    test.each(SETTINGS.map((setting, at) => ({ ...setting, at })))(
      'under the settings: $name',
      async ({ at, options, input }) => {
        const mine = chains.filter((_, index) => index % SETTINGS.length === at)
        const now = (input?.now ?? NOW).getTime() / 1000
        const verdicts = verifyWithOpenssl(mine, [...options, '-attime', `${now}`])
        const unexplained: string[] = []
        for (const chain of mine) {
          const ours = await refusalOf(chain, input)
          const openssl = verdicts.get(chain.id)
          count(ours ?? 'valid')
          if ((ours === undefined) === (openssl === undefined)) continue
          const trait = explain(chain, ours, openssl)
          if (trait !== undefined) count(trait)
          else unexplained.push(`${chain.id}: ours ${ours}, OpenSSL ${openssl}`)
        }
        expect(unexplained).toEqual([])
      },
      TIMEOUT_MS,
    )
  })

  test('cover every rule, and a third of them are valid', () => {
    const reasons = [
      'certificate_malformed',
      'certificate_expired',
      'certificate_not_yet_valid',
      'certificate_not_ca',
      'certificate_path_length',
      'certificate_key_usage',
      'certificate_extended_key_usage',
      'certificate_critical_extension',
      'certificate_name_constraints',
      'certificate_policies',
      'certificate_signature_invalid',
      'certificate_issuer_unknown',
    ]
    for (const reason of reasons) expect(seen.get(reason), reason).toBeGreaterThan(0)
    expect((seen.get('valid') ?? 0) / COUNT).toBeGreaterThan(0.25)
    const differing = Object.keys(DIFFERENCES).map((trait) => seen.get(trait) ?? 0)
    const total = differing.reduce((sum, one) => sum + one, 0)
    expect(total / COUNT, 'differences are the exception').toBeLessThan(0.05)
  })
})
