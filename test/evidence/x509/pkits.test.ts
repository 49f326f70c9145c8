import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parseCertificate } from '../../../src/evidence/x509/certificate.ts'
import { type PolicySettings, verifyPath } from '../../../src/evidence/x509/path.ts'
import { describeWith } from '../../support/left-out.ts'
import { PKITS_CASES, type PkitsSettings } from './pkits-cases.ts'

/** The suite's folder `certs`, as the Python package cryptography-vectors carries it. */
const FOLDER = process.env.PKITS_DIR ?? 'no folder'
const NOW = new Date('2026-06-01T00:00:00Z')

/** DSA is refused whatever it signs, so that these valid paths are too. PKITS §4.1.4, §4.1.5 */
const REFUSED_ALGORITHM = ['4.1.4', '4.1.5']

const ROWS = PKITS_CASES.map(
  ([section, isValid, names, settings]) => [section, isValid, names, settings] as const,
)

const read = (name: string) => parseCertificate(readFileSync(resolve(FOLDER, `${name}.crt`)))
const policyOf = (number: number) => `2.16.840.1.101.3.2.1.48.${number}`

function toSettings(settings: PkitsSettings = {}): PolicySettings {
  const { policies, isExplicit, isMappingInhibited, isAnyPolicyInhibited } = settings
  return {
    ...(policies && { initialPolicies: new Set(policies.map(policyOf)) }),
    isExplicitPolicyRequired: isExplicit === true,
    isPolicyMappingInhibited: isMappingInhibited === true,
    isAnyPolicyInhibited: isAnyPolicyInhibited === true,
  }
}

/** The reason for which the path is refused; `undefined` for one that is valid. */
async function refusalOf(names: string, settings: PkitsSettings | undefined) {
  const parsed = ['TrustAnchorRootCertificate', ...names.split(' ')].map(read)
  const damaged = parsed.find((one) => !one.ok)
  if (damaged?.ok === false) return damaged.failure.reason
  const [anchor, ...path] = parsed.flatMap((one) => (one.ok ? [one.value] : []))
  const leaf = path.at(-1)
  if (anchor === undefined || leaf === undefined) throw new TypeError('a path has two certificates')
  const result = await verifyPath({
    leaf,
    intermediates: path,
    anchors: [anchor],
    now: NOW,
    usage: {
      keyUsage: ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'keyCertSign', 'cRLSign'],
      allowedCriticalExtensions: ['2.5.29.17'],
    },
    policies: toSettings(settings),
  })
  return result.ok ? undefined : result.failure.reason
}

describeWith('pkits', existsSync(FOLDER), 'paths of the NIST PKITS', () => {
  test.each(ROWS)('§%s: valid %s: %s', async (section, isValid, names, settings) => {
    const refusal = await refusalOf(names, settings)
    if (REFUSED_ALGORITHM.includes(section)) expect(refusal).toBe('certificate_algorithm_refused')
    else if (isValid) expect(refusal).toBeUndefined()
    else expect(refusal).toMatch(/^certificate_/)
  })

  test('are refused for what they are made to show', async () => {
    const shown = new Map<string, Set<string>>()
    for (const [section, isValid, names, settings] of PKITS_CASES) {
      if (isValid) continue
      const group = section.split('.').slice(0, 2).join('.')
      const reasons = shown.get(group) ?? new Set()
      shown.set(group, reasons.add((await refusalOf(names, settings)) ?? 'valid'))
    }
    const sorted = [...shown].map(([group, found]) => [group, [...found].sort()])
    expect(Object.fromEntries(sorted)).toEqual({
      // A damaged signature may be no whole number of octets.
      '4.1': ['certificate_malformed', 'certificate_signature_invalid'],
      '4.2': ['certificate_expired', 'certificate_not_yet_valid'],
      '4.3': ['certificate_issuer_unknown'],
      '4.5': ['certificate_not_ca'],
      '4.6': ['certificate_not_ca', 'certificate_path_length'],
      '4.7': ['certificate_key_usage'],
      '4.8': ['certificate_policies'],
      '4.9': ['certificate_policies'],
      // A mapping from or to anyPolicy is none.
      '4.10': ['certificate_malformed', 'certificate_policies'],
      '4.11': ['certificate_policies'],
      '4.12': ['certificate_policies'],
      '4.13': ['certificate_name_constraints'],
      '4.16': ['certificate_critical_extension'],
    })
  })
})
