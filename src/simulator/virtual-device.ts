import { createPublicKey, type KeyObject } from 'node:crypto'
import { digest } from '../base/digest.ts'
import { toBase32, toBase64 } from '../base/encoding.ts'
import { type BootLog, bootWindows } from './boot-log.ts'
import { type BootState, HEALTHY_BOOT } from './boot-state.ts'
import { CHANCE, type Chance } from './chance.ts'
import { type EnclaveIdentity, makeEnclaveReport } from './enclave.ts'
import type { KeySource } from './key-source.ts'
import { SoftTpm } from './soft-tpm.ts'
import { CURRENT_ENCLAVE, listEnclaveModules } from './virtual-enclave.ts'
import type { SecureKernelKeys } from './windows-events.ts'

/** Issues a certificate for an attestation key; DER. It names the machine, if it is told which. */
export type AttestationKeyIssuer = (key: KeyObject, machine?: string) => Promise<Uint8Array>

/** Issues a certificate for an endorsement key; DER. */
export type EndorsementKeyIssuer = (key: KeyObject) => Promise<Uint8Array>

export type VirtualDeviceOptions = {
  readonly name: string
  readonly keys: KeySource
  /** RSA-2048 or NIST P-256; a key from `keys` when left out. */
  readonly attestationKey?: KeyObject
  /** What differs from a healthy boot. */
  readonly boot?: Partial<BootState>
  /** What differs from the current enclave; `null` for a device without one. */
  readonly enclave?: Partial<EnclaveIdentity> | null
  /** What its hardware is: whoever starts the same machine again has the same. The name unless told. */
  readonly machine?: string
  /** Maker of the TPM; without it there is no endorsement key. */
  readonly endorser?: EndorsementKeyIssuer
  /** RSA-2048; a key from `keys` when left out. */
  readonly endorsementKey?: KeyObject
  /** Without it the attestation key has no certificate, and says only what the device says. */
  readonly issuer?: AttestationKeyIssuer
  /** A boot that another device wrote down: this one starts in the same way and logs the same. */
  readonly recordedBoot?: RecordedBoot
  readonly chance?: Chance
}

/** A boot that many devices can repeat, to spare the making of its keys and its log. */
export type RecordedBoot = {
  readonly state: BootState
  readonly secureKernel: SecureKernelKeys
  readonly bootLog: BootLog
}

/**
 * A virtual Windows device that has started: TPM, boot log and enclave. A plain value, so that a
 * scenario can replace one part of it, such as the log, and see whether anybody notices.
 */
export type VirtualDevice = {
  readonly name: string
  readonly tpm: SoftTpm
  readonly bootLog: BootLog
  /** DER, or `null` where the TPM's maker left it out. */
  readonly endorsementCertificate: Uint8Array | null
  /** DER, or `null` when nobody vouches for the attestation key. */
  readonly attestationCertificate: Uint8Array | null
  /** DER of certificates above that one, for an agent that sends them. */
  readonly attestationChain?: readonly Uint8Array[]
  /** RSA; signs requests and proofs, and becomes the token's `cnf`. */
  readonly requestKey: KeyObject
  readonly secureKernel: SecureKernelKeys
  readonly enclave: EnclaveIdentity | null
  /**
   * What a service calls it by its key: `dev_` and the base32 of the device key. Where evidence names
   * the TPM, this is a further name of the device.
   */
  readonly deviceId: string
  /** Base64 of the SHA-256 of the attestation key's SubjectPublicKeyInfo. */
  readonly deviceKey: string
  readonly chance: Chance
}

export async function startVirtualDevice(options: VirtualDeviceOptions): Promise<VirtualDevice> {
  const { name, keys, chance = CHANCE } = options
  const attestationKey = options.attestationKey ?? (await keys())
  const requestKey = await keys()
  const boot = options.recordedBoot ?? (await recordBoot(keys, options.boot))
  const { endorser, issuer, machine = name } = options
  const endorsementKey = endorser && (options.endorsementKey ?? (await keys()))
  const tpm = new SoftTpm({
    attestationKey,
    endorsementKey,
    resetCount: boot.state.bootCounter,
    restartCount: 0,
    startupLocality: boot.bootLog.startupLocality,
    chance,
  })
  for (const event of boot.bootLog.events) tpm.extend(event.pcr, event.digests)
  const key = digestKey(attestationKey)
  const withEnclave = options.enclave !== null && boot.state.vbs
  return {
    name,
    tpm,
    bootLog: boot.bootLog,
    endorsementCertificate:
      endorser && endorsementKey ? await endorser(createPublicKey(endorsementKey)) : null,
    attestationCertificate: issuer ? await issuer(tpm.attestationKey, machine) : null,
    requestKey,
    secureKernel: boot.secureKernel,
    enclave: withEnclave ? { ...CURRENT_ENCLAVE, ...options.enclave } : null,
    deviceId: `dev_${toBase32(key)}`,
    deviceKey: toBase64(key),
    chance,
  }
}

/** Starts Windows with new secure kernel keys, as each boot makes them. */
export async function recordBoot(
  keys: KeySource,
  changes?: Partial<BootState>,
): Promise<RecordedBoot> {
  const state = { ...HEALTHY_BOOT, ...changes }
  const secureKernel = { signing: await keys(), decryption: await keys() }
  return { state, secureKernel, bootLog: bootWindows({ state, secureKernel }) }
}

/** EnclaveGetAttestationReport: `null` where no enclave runs. */
export async function reportEnclave(
  device: VirtualDevice,
  enclaveData: Uint8Array,
): Promise<Uint8Array | null> {
  if (device.enclave === null) return null
  return await makeEnclaveReport({
    signingKey: device.secureKernel.signing,
    identity: device.enclave,
    modules: listEnclaveModules(device.enclave),
    enclaveData,
    chance: device.chance,
  })
}

function digestKey(attestationKey: KeyObject): Uint8Array {
  const spki = createPublicKey(attestationKey).export({ type: 'spki', format: 'der' })
  return digest('sha256', spki)
}
