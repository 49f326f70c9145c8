import { DIGEST_BYTES } from '../../../src/base/digest.ts'
import { hashAlgorithmOf } from '../../../src/evidence/tpm/algorithms.ts'
import { parseTpmsAttest } from '../../../src/evidence/tpm/attest.ts'
import type { PcrBank } from '../../../src/evidence/tpm/pcr.ts'
import { parseTpmPublic } from '../../../src/evidence/tpm/public-area.ts'
import { importSpki } from '../../../src/evidence/tpm/spki.ts'
import {
  protobufBytes,
  protobufBytesOnce,
  protobufNumber,
  readProtobuf,
} from '../../support/protobuf.ts'
import { expectOk } from '../../support/refusal.ts'
import { vector, vectorJson, vectorText } from '../../support/vectors.ts'

/** A quote of a real TPM with everything that `verifyQuote` needs. */
export type RealQuote = {
  attest: Uint8Array
  signature: Uint8Array
  key: JsonWebKey
  qualifyingData: Uint8Array
  /** May hold more PCRs than the quote covers. */
  pcrs: readonly PcrBank[]
}

/** Azure confidential VM, RSASSA-SHA256; the key comes from the HCL report beside the quote. */
export function trusteeQuote(): RealQuote {
  const quote = vectorJson('tpm-quote/trustee-az-snp-vtpm/tpm-quote-v1.json')
  const values: string[] = quote.pcrs
  return {
    attest: Buffer.from(quote.message, 'hex'),
    signature: rsassaSha256(Buffer.from(quote.signature, 'hex')),
    key: hclAkPub('tpm-quote/trustee-az-snp-vtpm/hcl-report.bin'),
    qualifyingData: Buffer.from('challenge'),
    pcrs: [
      {
        algorithm: 'sha256',
        values: new Map(values.map((hex, index) => [index, Buffer.from(hex, 'hex')])),
      },
    ],
  }
}

/** Azure trusted-launch VM, RSASSA-SHA256. */
export async function azureCvmQuote(): Promise<RealQuote> {
  const file = Buffer.from(vector('tpm-quote/azure-cvm-tooling/quote.bin'))
  const signatureEnd = 8 + Number(file.readBigUInt64LE(0))
  const attestEnd = signatureEnd + 8 + Number(file.readBigUInt64LE(signatureEnd))
  const values = file.subarray(attestEnd + 8)
  return {
    attest: file.subarray(signatureEnd + 8, attestEnd),
    signature: rsassaSha256(file.subarray(8, signatureEnd)),
    key: expectOk(await importSpki(vectorText('tpm-quote/azure-cvm-tooling/akpub.pem'))),
    qualifyingData: Buffer.from('challenge'),
    pcrs: [{ algorithm: 'sha256', values: splitPcrs(values, DIGEST_BYTES.sha256) }],
  }
}

/** Google Compute Engine: one quote per bank. */
export function googleQuotes(): { publicArea: Uint8Array; quotes: RealQuote[] } {
  const message = readProtobuf(vector('tpm-quote/go-tpm-tools/gce-cos-85-nonce9009.pb'))
  const publicArea = protobufBytesOnce(message, 1)
  const key = expectOk(parseTpmPublic(publicArea)).jwk
  const quotes = protobufBytes(message, 2).map((bytes) => {
    const quote = readProtobuf(bytes)
    const pcrs = readProtobuf(protobufBytesOnce(quote, 3))
    const values = protobufBytes(pcrs, 2).map((entry) => {
      const fields = readProtobuf(entry)
      return [protobufNumber(fields, 1), protobufBytesOnce(fields, 2)] as const
    })
    const algorithm = hashAlgorithmOf(protobufNumber(pcrs, 1))
    if (algorithm === undefined) throw new TypeError('unknown bank')
    return {
      attest: protobufBytesOnce(quote, 1),
      signature: protobufBytesOnce(quote, 2),
      key,
      qualifyingData: Uint8Array.of(0x90, 0x09),
      pcrs: [{ algorithm, values: new Map(values) }],
    }
  })
  return { publicArea, quotes }
}

/** A Windows shielded VM whose AK signs with RSASSA over SHA-1. */
export function shieldedVmQuote(): RealQuote & { publicArea: Uint8Array } {
  const vm = shieldedVm()
  const entries: { Index: number; Digest: string }[] = vm.Log.PCRs
  const publicArea = fromBase64(vm.AK.Public)
  return {
    publicArea,
    attest: fromBase64(vm.Quote.Quote),
    signature: fromBase64(vm.Quote.Signature),
    key: expectOk(parseTpmPublic(publicArea)).jwk,
    qualifyingData: fromBase64(vm.Quote.Nonce),
    pcrs: [
      {
        algorithm: 'sha1',
        values: new Map(entries.map(({ Index, Digest }) => [Index, fromBase64(Digest)])),
      },
    ],
  }
}

/** The TPM2_CertifyCreation of the same AK. */
export function shieldedVmCreation(): { attest: Uint8Array; signature: Uint8Array } {
  const { AK } = shieldedVm()
  return { attest: fromBase64(AK.CreateAttestation), signature: fromBase64(AK.CreateSignature) }
}

/**
 * A quote of a physical Windows or Linux machine, ECDSA-SHA256. The agent that made it gave the TPM
 * a hash over the cookie and a firmware inventory which is not part of the vector, so the nonce can
 * only be taken from the quote itself: these show signatures and PCR digests, not freshness.
 */
export async function physicalQuote(
  name: string,
  keyId: string,
): Promise<RealQuote & { cookie: Uint8Array }> {
  const evidence = vectorJson(`windows/evidence/${name}.json`)
  const attest = fromBase64(evidence.quote)
  const banks: [string, Record<string, string>][] = Object.entries(evidence.allpcrs)
  return {
    attest,
    signature: fromBase64(evidence.signature),
    key: expectOk(await importSpki(vectorText(`windows/evidence/ak-recovered-${keyId}.pem`))),
    qualifyingData: expectOk(parseTpmsAttest(attest)).extraData,
    cookie: fromBase64(evidence.cookie),
    pcrs: banks.map(([id, values]) => {
      const algorithm = hashAlgorithmOf(Number(id))
      if (algorithm === undefined) throw new TypeError('unknown bank')
      const pairs = Object.entries(values)
      return {
        algorithm,
        values: new Map(pairs.map(([index, value]) => [Number(index), fromBase64(value)])),
      }
    }),
  }
}

/** The vTPM's attestation key in the runtime data of an Azure HCL report. */
export function hclAkPub(path: string): JsonWebKey {
  const runtime = Buffer.from(vector(path)).subarray(1216)
  const bytes = runtime.readUInt32LE(16)
  const { keys } = JSON.parse(runtime.toString('utf8', 20, 20 + bytes))
  return keys.find((key: { kid: string }) => key.kid === 'HCLAkPub')
}

function shieldedVm() {
  return vectorJson('eventlog/go-attestation/windows_gcp_shielded_vm.json')
}

/** Azure's files hold the bare RSA signature. */
function rsassaSha256(signature: Uint8Array): Uint8Array {
  const size = Uint8Array.of(signature.length >> 8, signature.length & 0xff)
  return Buffer.concat([Uint8Array.of(0x00, 0x14, 0x00, 0x0b), size, signature])
}

function splitPcrs(values: Uint8Array, width: number): Map<number, Uint8Array> {
  return new Map(
    Array.from({ length: values.length / width }, (_, index) => [
      index,
      values.subarray(index * width, (index + 1) * width),
    ]),
  )
}

function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, 'base64')
}
