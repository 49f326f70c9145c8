import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import { DIGEST_BYTES, digest } from '../base/digest.ts'
import { activateCredential } from './activate-credential.ts'
import { CHANCE, type Chance } from './chance.ts'
import {
  type AttestContext,
  encodeCertify,
  encodePlatformStatement,
  encodeQuote,
  encodeTpmPublic,
  encodeTpmSignature,
  nameOf,
  qualifiedNameOf,
} from './tpm-encoding.ts'

/** The banks of the software TPM. */
export const SOFT_TPM_BANKS = ['sha1', 'sha256'] as const

export type SoftTpmBank = (typeof SOFT_TPM_BANKS)[number]

/** One digest for each bank, as an event of a boot log carries them. */
export type BankDigests = Readonly<Record<SoftTpmBank, Uint8Array>>

const PCR_COUNT = 24
const ALL_PCRS = Array.from({ length: PCR_COUNT }, (_, index) => index)
/** PCRs 17 to 22 start with all bits set until a dynamic launch resets them. PC Client PTP §3.3 */
const DYNAMIC_PCRS = { first: 17, last: 22 }

export type SoftTpmOptions = {
  /** Private key of the attestation key: RSA-2048 or NIST P-256. */
  readonly attestationKey: KeyObject
  /** Private key of the endorsement key, RSA-2048; absent in a TPM that has none. */
  readonly endorsementKey?: KeyObject | undefined
  /** Starts of the machine. */
  readonly resetCount: number
  /** Resumes since the last start. */
  readonly restartCount: number
  /** Locality at which the measurements began; 3 for a machine with a hardware root of trust. */
  readonly startupLocality: number
  readonly chance?: Chance
}

/**
 * A TPM 2.0 in software, as much of it as attestation needs: PCRs, an attestation key, quotes and
 * certificates over other keys. It protects nothing; it exists to speak like a TPM.
 */
export class SoftTpm {
  readonly #key: KeyObject
  readonly #kind: 'rsassa' | 'ecdsa'
  readonly #pcrs: Record<SoftTpmBank, Uint8Array[]>
  readonly #parent: Uint8Array
  readonly #options: SoftTpmOptions
  #clock: bigint
  /** TPMT_PUBLIC of the attestation key. */
  readonly attestationKeyPublic: Uint8Array

  constructor(options: SoftTpmOptions) {
    this.#options = options
    const { chance = CHANCE } = options
    this.#clock = BigInt(90_000_000 + Buffer.from(chance.bytes(4)).readUInt32BE())
    this.#key = options.attestationKey
    this.#kind = options.attestationKey.asymmetricKeyType === 'rsa' ? 'rsassa' : 'ecdsa'
    this.#pcrs = {
      sha1: ALL_PCRS.map((index) => this.#resetValue(index, 'sha1')),
      sha256: ALL_PCRS.map((index) => this.#resetValue(index, 'sha256')),
    }
    this.#parent = qualifiedNameOf(Uint8Array.of(0x40, 0, 0, 1), chance.bytes(34))
    this.attestationKeyPublic = encodeTpmPublic(this.#key, true)
  }

  get attestationKey(): KeyObject {
    return createPublicKey(this.#key)
  }

  get startupLocality(): number {
    return this.#options.startupLocality
  }

  /** TPM2_ActivateCredential with the endorsement key, for the attestation key. Throws as a TPM fails. */
  activateCredential(credential: {
    readonly credentialBlob: Uint8Array
    readonly encryptedSecret: Uint8Array
  }): Uint8Array {
    const { endorsementKey } = this.#options
    if (endorsementKey === undefined) throw new Error('TPM_RC_HANDLE')
    const name = nameOf(this.attestationKeyPublic)
    return activateCredential({ endorsementKey, name, ...credential })
  }

  /** TPM2_PCR_Extend in every bank. */
  extend(index: number, digests: BankDigests): void {
    for (const bank of SOFT_TPM_BANKS) {
      this.#pcrs[bank][index] = digest(bank, this.#pcr(bank, index), digests[bank])
    }
  }

  readPcrs(bank: SoftTpmBank, indexes: readonly number[] = ALL_PCRS): Map<number, Uint8Array> {
    return new Map(indexes.map((index) => [index, this.#pcr(bank, index)]))
  }

  /** TPM2_Quote. `attest` is a TPMS_ATTEST, `signature` a TPMT_SIGNATURE. */
  quote(input: {
    readonly nonce: Uint8Array
    readonly bank: SoftTpmBank
    readonly indexes?: readonly number[]
  }): { readonly attest: Uint8Array; readonly signature: Uint8Array } {
    const indexes = [...(input.indexes ?? ALL_PCRS)].sort((a, b) => a - b)
    const values = indexes.map((index) => this.#pcr(input.bank, index))
    const attest = encodeQuote(this.#context(input.nonce), {
      bank: input.bank,
      indexes,
      pcrDigest: digest('sha256', ...values),
    })
    return { attest, signature: this.#sign(attest) }
  }

  /** TPM2_Certify of a signing key that this TPM says it holds. */
  certify(input: { readonly key: KeyObject; readonly nonce: Uint8Array }): {
    readonly public: Uint8Array
    readonly certification: Uint8Array
    readonly signature: Uint8Array
  } {
    const publicArea = encodeTpmPublic(input.key, false)
    const name = nameOf(publicArea)
    const certification = encodeCertify(this.#context(input.nonce), {
      name,
      qualifiedName: qualifiedNameOf(this.#parent, name),
    })
    return { public: publicArea, certification, signature: this.#sign(certification) }
  }

  /** A platform claim over all PCRs, as Windows makes it from TPM2_Quote. */
  claimPlatform(nonce: Uint8Array, bank: SoftTpmBank = 'sha256'): Uint8Array {
    const quote = this.quote({ nonce, bank })
    return encodePlatformStatement({ bank, ...quote, pcrs: Buffer.concat(this.#pcrs[bank]) })
  }

  #pcr(bank: SoftTpmBank, index: number): Uint8Array {
    const value = this.#pcrs[bank][index]
    if (value === undefined) throw new TypeError(`no PCR ${index}`)
    return value
  }

  /** PCR 0 starts with the locality of the startup command in its last byte. */
  #resetValue(index: number, bank: SoftTpmBank): Uint8Array {
    const dynamic = index >= DYNAMIC_PCRS.first && index <= DYNAMIC_PCRS.last
    const value = new Uint8Array(DIGEST_BYTES[bank]).fill(dynamic ? 0xff : 0)
    if (index === 0) value[value.length - 1] = this.#options.startupLocality
    return value
  }

  #context(nonce: Uint8Array): AttestContext {
    this.#clock += 250n
    return {
      qualifiedSigner: qualifiedNameOf(this.#parent, nameOf(this.attestationKeyPublic)),
      extraData: nonce,
      clock: this.#clock,
      resetCount: this.#options.resetCount,
      restartCount: this.#options.restartCount,
      firmwareVersion: 0x0007_0055_0001_0000n,
    }
  }

  #sign(message: Uint8Array): Uint8Array {
    // Not `{ key: this.#key }`: the `sign` of workerd takes a KeyObject by itself only.
    const signature =
      this.#kind === 'rsassa'
        ? sign('sha256', message, this.#key)
        : sign('sha256', message, {
            key: this.#key.export({ format: 'jwk' }),
            format: 'jwk',
            dsaEncoding: 'ieee-p1363',
          })
    return encodeTpmSignature(this.#kind, signature)
  }
}
