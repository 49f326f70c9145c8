import type { AttestationClaims } from './claims.ts'
import type { TrustVector } from './trust-vector.ts'

/** `undefined` where the token or the reference values say nothing: that decides nothing. */
export type EnclaveFacts = {
  readonly listed: boolean | undefined
  /** The name of the listed enclave. */
  readonly name: string | undefined
  /** The security versions of enclave and platform reach a listed minimum. */
  readonly svnCurrent: boolean | undefined
  readonly debuggable: boolean | undefined
}

/** What a row of the mapping looks at: claims of a verified token, and what reference values make of them. */
export type MappedFacts = { readonly claims: AttestationClaims; readonly enclave: EnclaveFacts }

export type MappingRow = {
  /** AR4SI §2.3.4 */
  readonly value: number
  /** In words, for people: what `holds` asks. */
  readonly when: string
  readonly holds: (facts: MappedFacts) => boolean
}

/**
 * How evidence becomes an AR4SI trustworthiness vector: of each claim the first row that holds, and no
 * claim where none does. The appraisal goes by this table, and `docs/relying-parties.md` is held to it.
 */
export const TRUST_MAPPING: Readonly<Record<keyof TrustVector, readonly MappingRow[]>> = {
  instanceIdentity: [
    {
      value: 2,
      when: 'the enclave is one of the reference values',
      holds: ({ enclave }) => enclave.listed === true,
    },
    {
      value: 97,
      when: 'the enclave is none of the reference values',
      holds: ({ enclave }) => enclave.listed === false,
    },
  ],
  configuration: [
    {
      value: 96,
      when: 'Secure Boot was off, or boot loader, kernel or hypervisor were open to a debugger',
      holds: ({ claims }) =>
        claims.secureBootEnabled === false ||
        claims.bootDebuggingDisabled === false ||
        claims.osKernelDebuggingDisabled === false ||
        claims.hypervisorDebuggingDisabled === false,
    },
    {
      value: 32,
      when: 'VBS or memory integrity was off, or it started in safe mode or WinPE',
      holds: ({ claims }) =>
        claims.vbsEnabled === false ||
        claims.hvciEnabled === false ||
        claims.notSafeMode === false ||
        claims.notWinPE === false,
    },
    {
      value: 2,
      when: 'Secure Boot, VBS and memory integrity were on',
      holds: ({ claims }) =>
        claims.secureBootEnabled === true &&
        claims.vbsEnabled === true &&
        claims.hvciEnabled === true,
    },
    {
      value: 36,
      when: 'of these three some were on, and nothing is said of the others',
      holds: ({ claims }) =>
        claims.secureBootEnabled === true ||
        claims.vbsEnabled === true ||
        claims.hvciEnabled === true,
    },
  ],
  executables: [
    {
      value: 96,
      when: 'test-signed code was accepted, or the enclave can be debugged',
      holds: ({ claims, enclave }) =>
        claims.testSigningDisabled === false || enclave.debuggable === true,
    },
    {
      value: 33,
      when: 'unsigned kernel code was loaded, or the enclave is none of the reference values',
      holds: ({ claims, enclave }) =>
        claims.codeIntegrityEnabled === false || enclave.listed === false,
    },
    {
      value: 32,
      when: 'the enclave or its platform is older than the reference values ask for',
      holds: ({ enclave }) => enclave.svnCurrent === false,
    },
    {
      value: 2,
      when: 'only signed kernel code was loaded, and a current enclave that nobody can debug',
      holds: ({ claims, enclave }) =>
        claims.codeIntegrityEnabled === true &&
        enclave.svnCurrent === true &&
        enclave.debuggable === false,
    },
  ],
  hardware: [
    {
      value: 2,
      when: 'the attestation key is certified up to a trust anchor',
      holds: ({ claims }) => claims.aikValidated === true,
    },
    {
      value: 97,
      when: 'nobody vouches for the attestation key',
      holds: ({ claims }) => claims.aikValidated === false,
    },
  ],
}

export function vectorOf(facts: MappedFacts): TrustVector {
  return {
    instanceIdentity: firstValue(TRUST_MAPPING.instanceIdentity, facts),
    configuration: firstValue(TRUST_MAPPING.configuration, facts),
    executables: firstValue(TRUST_MAPPING.executables, facts),
    hardware: firstValue(TRUST_MAPPING.hardware, facts),
  }
}

function firstValue(rows: readonly MappingRow[], facts: MappedFacts): number | undefined {
  for (const row of rows) if (row.holds(facts)) return row.value
  return undefined
}
