import type { KeyObject } from 'node:crypto'
import { digest } from '../../src/base/digest.ts'
import { toBase64Url, toUtf8 } from '../../src/base/encoding.ts'
import { encodePlatformStatement } from '../../src/simulator/tpm-encoding.ts'
import type { Challenge, Payload } from './harness.ts'
import {
  type Facts,
  hasPart,
  type Kind,
  type Part,
  quotedText,
  reportedText,
} from './substitution-model.ts'

/** What a machine does when an agent on it attests, whoever made its TPM. */
export type Machine = {
  readonly name: string
  /** Whose PCRs and secure kernel these are. */
  readonly boot: string
  readonly ak: JsonWebKey
  readonly cert: Uint8Array | undefined
  readonly log: Uint8Array
  /** `tpm` holds it for a request key that is to be certified. */
  readonly requestKey: { readonly name: string; readonly jwk: JsonWebKey; readonly key: KeyObject }
  readonly quote: (nonce: Uint8Array) => Promise<Quoted>
  readonly certify: (nonce: Uint8Array) => Promise<Payload>
  /** Absent where no enclave runs. */
  readonly report: ((data: Uint8Array) => Promise<Uint8Array | null>) | undefined
}

export type Quoted = {
  readonly attest: Uint8Array
  readonly signature: Uint8Array
  /** Of the SHA-256 bank: those that are quoted, and all 24. */
  readonly values: ReadonlyMap<number, Uint8Array>
  readonly all: readonly Uint8Array[]
}

/** Each part as it stands on the wire, and what it is in the model. */
export type Run = { readonly [P in Part]: { readonly wire: Payload; readonly fact: Facts[P] } }

/** Lets a machine make every part of one request. */
export async function makeRun(
  kind: Kind,
  machine: Machine,
  answered: Challenge & { readonly name: string; readonly rpData: string },
): Promise<Run> {
  const { requestKey, name: ak, boot } = machine
  const { challenge, name, rpData } = answered
  const jwkText = JSON.stringify(requestKey.jwk)
  const bound = digest('sha256', toUtf8(jwkText), Uint8Array.of(0), challenge)
  const nonce = kind.binding === 'quote' ? bound : challenge
  const certified = { by: ak, key: requestKey.name, challenge: name }
  const parts = {
    key: { wire: requestKey.jwk, fact: requestKey.name },
    signer: { wire: requestKey.key, fact: requestKey.name },
    certification: {
      wire: hasPart(kind, 'certification') ? await machine.certify(challenge) : undefined,
      fact: certified,
    },
    quote: {
      wire: await machine.quote(nonce),
      fact: { by: ak, boot, over: quotedText(kind, requestKey.name, name) },
    },
    log: { wire: toBase64Url(machine.log), fact: { boot } },
    ak: { wire: machine.ak, fact: ak },
    cert: { wire: machine.cert && toBase64Url(machine.cert), fact: ak },
    challenge: { wire: toBase64Url(challenge), fact: name },
    context: { wire: answered.serviceContext, fact: name },
    rp_data: { wire: rpData, fact: rpData },
  }
  const unreported: Run = { ...parts, report: { wire: undefined, fact: { by: '', over: '' } } }
  const text = JSON.stringify(dataOf(kind, unreported))
  const report = hasPart(kind, 'report')
    ? await machine.report?.(digest('sha512', toUtf8(text)))
    : undefined
  return {
    ...parts,
    report: {
      wire: report && toBase64Url(report),
      fact: { by: boot, over: reportedText(factsOf(unreported)) },
    },
  }
}

/** The exchange of one part for that of another run. */
export type Exchange = { readonly part: Part; readonly from: string; readonly run: Run }

/** Whoever puts a key into a request signs it: the exchange of `key` alone is one of both. */
export function exchange(run: Run, exchanges: readonly Exchange[]): Run {
  const taken = exchanges.flatMap(({ part, run: from }) =>
    part === 'key' ? [{ key: from.key, signer: from.signer }] : [{ [part]: from[part] }],
  )
  return Object.assign({}, run, ...taken)
}

export function factsOf(run: Run): Facts {
  return {
    key: run.key.fact,
    signer: run.signer.fact,
    certification: run.certification.fact,
    quote: run.quote.fact,
    log: run.log.fact,
    ak: run.ak.fact,
    cert: run.cert.fact,
    challenge: run.challenge.fact,
    context: run.context.fact,
    rp_data: run.rp_data.fact,
    report: run.report.fact,
  }
}

/** The payload of the request, its signed data written once. */
export function payloadOf(kind: Kind, run: Run): string {
  const data = JSON.stringify(dataOf(kind, run))
  if (kind.type === 'basic') return `{"att_type":"basic","att_data":${data}}`
  const report = run.report.wire
  const vsm = JSON.stringify(kind.version === 1 ? report : { enclave: { report } })
  return `{"att_type":"vbs","att_data":{"report_signed":${data},"vsm_report":${vsm}}}`
}

function dataOf({ version, binding }: Kind, run: Run): Payload {
  const identity = { aik_cert: run.cert.wire, aik_pub: run.ak.wire }
  const freshness = {
    rp_data: run.rp_data.wire,
    challenge: run.challenge.wire,
    service_context: run.context.wire,
  }
  if (version === 1) {
    const tpm = { srtm_boot_log: run.log.wire, ...identity, ...listClaim(run.quote.wire) }
    return { ...freshness, tpm_att_data: tpm, attest_key: run.key.wire }
  }
  const logs = [{ type: 'TCG', log: run.log.wire }]
  const info =
    binding === 'certify'
      ? { tpm_certify: run.certification.wire }
      : { tpm_quote: { hash_alg: 'sha-256' } }
  return {
    ...freshness,
    tpm_att_data: { current_attestation: { logs, ...identity, ...listQuote(run.quote.wire) } },
    request_key: { jwk: run.key.wire, info },
  }
}

/** A quote as version 1 has it: in the platform claim of Windows, beside all PCRs. */
function listClaim({ attest, signature, all }: Quoted): Payload {
  const pcrs = Buffer.concat(all)
  const statement = encodePlatformStatement({ bank: 'sha256', attest, signature, pcrs })
  return { current_claim: toBase64Url(statement) }
}

/** The same quote as version 2 has it. */
function listQuote({ attest, signature, values }: Quoted): Payload {
  const listed = [...values].map(([index, value]) => ({ index, digest: toBase64Url(value) }))
  return {
    pcrs: [{ algorithm: 11, values: listed }],
    quote: toBase64Url(attest),
    signature: toBase64Url(signature),
  }
}

export function listCertification(made: {
  readonly public: Uint8Array
  readonly certification: Uint8Array
  readonly signature: Uint8Array
}): Payload {
  return {
    public: toBase64Url(made.public),
    certification: toBase64Url(made.certification),
    signature: toBase64Url(made.signature),
  }
}
