import { z } from 'zod'
import { DIGEST_BYTES } from '../../base/digest.ts'
import { hashAlgorithmId } from '../../evidence/tpm/algorithms.ts'
import { MAX_RSA_BITS, MAX_RSA_EXPONENT_BYTES, MIN_RSA_BITS } from '../../evidence/tpm/limits.ts'
import { MEMBERS_OF_V1 } from '../kinds/tpm/read-v2.ts'
import {
  MAX_CERTIFICATE_BYTES,
  MAX_CHAIN_CERTIFICATES,
  MAX_CHALLENGE_BYTES,
  MAX_CUSTOM_CLAIMS,
  MAX_ENCLAVE_REPORT_BYTES,
  MAX_LOG_BYTES,
  MAX_LOGS,
  MAX_MESSAGE_BYTES,
  MAX_OTHER_KEYS,
  MAX_PCR_BANKS,
  MAX_PCRS,
  MAX_PLATFORM_STATEMENT_BYTES,
  MAX_RP_DATA_BYTES,
  MAX_RP_ID_CHARS,
  MAX_SERVICE_CONTEXT_CHARS,
  MAX_TPM_STRUCTURE_BYTES,
} from '../limits.ts'
import { COMMON_MEMBERS } from './attest-request.ts'
import { MAX_MEMBER_CHARS, SECRET_MEMBERS } from './public-jwk.ts'
import { QUOTE_HASHES } from './request-keys.ts'

/*
 * The form of every message of the TPM protocol, for documents and for whoever writes an agent. Messages
 * are read by `MessageReader`, which keeps their text as it stands on the wire and refuses more: what
 * JSON Schema cannot say. `test/verifier/protocol/message-schemas.test.ts` holds the two together.
 */

/** RFC 7515 §2: base64url without padding. No text of 1 modulo 4 characters encodes anything. */
export const BASE64URL = /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?$/
const LEAST_CHARS = 2

const charsOf = (bytes: number) => Math.ceil((bytes * 4) / 3)

function base64Url(maxBytes: number, description: string) {
  const text = z.string().max(charsOf(maxBytes)).regex(BASE64URL)
  return text.meta({ contentEncoding: 'base64url', description })
}

/** At least one byte. */
function bytes(maxBytes: number, description: string) {
  const text = z.string().min(LEAST_CHARS).max(charsOf(maxBytes)).regex(BASE64URL)
  return text.meta({ contentEncoding: 'base64url', description })
}

/** An empty string is nothing. */
const optionalBytes = (maxBytes: number, description: string) =>
  base64Url(maxBytes, description).optional()

/*
 * Members that must not be there stand in `not`, and never among the properties: programs that make types
 * from the document would give each of them a field.
 */

/** What may not be true of an object, as JSON Schema says it. */
type Fault = object

/** An object of which none of this is true. */
function withNone(...faults: readonly Fault[]) {
  return { not: { anyOf: faults } }
}

const isThere = (name: string): Fault => ({ required: [name] })

/** A member that is there and not of this form. */
function isOther(name: string, form: object): Fault {
  return { type: 'object', properties: { [name]: { not: form } }, required: [name] }
}

/** As serializers write what is not there: it is nothing where a member has no place. */
const NOTHING = { enum: ['', null, [], {}] }
const isSent = (name: string) => isOther(name, NOTHING)

/** A member without which the other means nothing. */
const isAlone = (name: string, other: string): Fault => ({
  allOf: [isSent(name), { not: isSent(other) }],
})

/** What JSON Schema says of an object that has none of these members. */
export function without(...names: readonly string[]) {
  return withNone(...names.map(isThere))
}

/** Members that have their place elsewhere: whoever sends one is refused, unless it is empty or null. */
function withoutMisplaced(...names: readonly string[]) {
  return withNone(...names.map(isSent))
}

/** RFC 7518 §2: a number without leading zeros, of so many bytes. */
function uint(leastBytes: number, mostBytes: number) {
  const first = '(?:A[Q-Za-z0-9_-]|[B-Za-z0-9_-][A-Za-z0-9_-])'
  const others = '(?:[A-Za-z0-9_-]{4})*[A-Za-z0-9_-]{0,2}'
  const text = z.string().min(charsOf(leastBytes)).max(charsOf(mostBytes))
  return text.regex(new RegExp(`^${first}${others}$`))
}

/** Public members of keys of another type do not count, and are text all the same. */
const isNoText = (name: string) => isOther(name, { type: 'string', maxLength: MAX_MEMBER_CHARS })
const publicOnly = (...others: readonly string[]) =>
  withNone(...SECRET_MEMBERS.map(isThere), ...others.map(isNoText))

export const rsaJwk = z
  .object({
    kty: z.literal('RSA'),
    n: uint(MIN_RSA_BITS / 8, MAX_RSA_BITS / 8),
    e: uint(3, MAX_RSA_EXPONENT_BYTES),
  })
  .meta({
    ...publicOnly('crv', 'x', 'y'),
    description: 'RFC 7518 §6.3.1: RSA of 2048 to 4096 bits, public members alone.',
  })

const pointJwk = (crv: 'P-256' | 'P-384', bytes: number) => {
  const coordinate = z.string().length(charsOf(bytes)).regex(BASE64URL)
  return z
    .object({ kty: z.literal('EC'), crv: z.literal(crv), x: coordinate, y: coordinate })
    .meta(publicOnly('n', 'e'))
}

export const attestationJwk = z
  .union([rsaJwk, pointJwk('P-256', 32), pointJwk('P-384', 48)])
  .meta({ description: 'The attestation key: RSA, or a point on P-256 or P-384.' })

const tpmCertify = z.object({
  public: bytes(MAX_TPM_STRUCTURE_BYTES, 'TPMT_PUBLIC of the key, without a size before it.'),
  certification: bytes(
    MAX_TPM_STRUCTURE_BYTES,
    'TPMS_ATTEST of TPM2_Certify by the attestation key; its extraData is the challenge.',
  ),
  signature: bytes(MAX_TPM_STRUCTURE_BYTES, 'TPMT_SIGNATURE over it.'),
})

const requestKey = z
  .object({
    jwk: rsaJwk,
    info: z.union([
      z
        .object({ tpm_quote: z.object({ hash_alg: z.enum([...QUOTE_HASHES.keys()]) }) })
        .meta(without('tpm_certify')),
      z.object({ tpm_certify: tpmCertify }).meta(without('tpm_quote')),
    ]),
  })
  .meta({ description: 'The key that signs the request, and how the TPM vouches for it.' })

const otherKey = z.object({ jwk: rsaJwk, info: z.object({ tpm_certify: tpmCertify }).optional() })

const attestationKeyMembers = {
  aik_cert: optionalBytes(MAX_CERTIFICATE_BYTES, 'DER of the certificate of the attestation key.'),
  aik_cert_chain: z
    .array(bytes(MAX_CERTIFICATE_BYTES, 'DER.'))
    .max(MAX_CHAIN_CERTIFICATES)
    .optional()
    .meta({ description: 'Certificates above it, in any order. Not of Azure.' }),
  aik_pub: attestationJwk.optional(),
}

/** One of the two names the key. */
const namesNoKey: Fault = { allOf: ['aik_cert', 'aik_pub'].map((name) => ({ not: isSent(name) })) }

const customClaim = z.object({ name: z.string().max(MAX_RP_ID_CHARS) })

const commonMembers = {
  rp_id: z
    .string()
    .max(MAX_RP_ID_CHARS)
    .optional()
    .meta({ description: 'URL of the relying party.' }),
  rp_data: optionalBytes(
    MAX_RP_DATA_BYTES,
    'The nonce of POST /v1/challenge, as it is. Without it POST /v1/attestations refuses the token.',
  ),
  challenge: bytes(MAX_CHALLENGE_BYTES, 'As it came: 16 bytes.'),
  custom_claims: z
    .array(customClaim)
    .max(MAX_CUSTOM_CLAIMS)
    .optional()
    .meta({ description: 'Looked at for their form, and dropped.' }),
  service_context: z.string().max(MAX_SERVICE_CONTEXT_CHARS).meta({ description: 'As it came.' }),
}

const log = (description: string) => optionalBytes(MAX_LOG_BYTES, description)
const STATEMENT = 'NCRYPT_TPM_PLATFORM_ATTESTATION_STATEMENT'

/** What a request of version 1 is about. */
export const requestDataV1 = z
  .object({
    ...commonMembers,
    tpm_att_data: z
      .object({
        srtm_boot_log: bytes(MAX_LOG_BYTES, 'Tbsi_Get_TCG_Log_Ex(TBS_TCGLOG_SRTM_BOOT).'),
        srtm_resume_log: log('The log of a resume from hibernation, where there was one.'),
        drtm_boot_log: log('The log of a dynamic launch.'),
        drtm_resume_log: log('The same of the resume; only with srtm_resume_log.'),
        ...attestationKeyMembers,
        current_claim: bytes(MAX_PLATFORM_STATEMENT_BYTES, `${STATEMENT} over the challenge.`),
        boot_claim: optionalBytes(
          MAX_PLATFORM_STATEMENT_BYTES,
          `${STATEMENT} of the boot; needed after a resume.`,
        ),
      })
      .meta(
        withNone(
          ...['current_attestation', 'boot_attestation'].map(isSent),
          namesNoKey,
          isAlone('drtm_resume_log', 'srtm_resume_log'),
          isAlone('srtm_resume_log', 'boot_claim'),
        ),
      ),
    attest_key: rsaJwk,
  })
  .meta(withoutMisplaced('request_key', 'other_keys', 'report_signed', 'vsm_report'))

const loggedBoot = z.object({
  type: z.enum(['TCG', 'IMA']),
  log: bytes(MAX_LOG_BYTES, 'The log, whole.'),
})
const logs = z
  .array(loggedBoot)
  .max(MAX_LOGS)
  .meta({
    description: 'In the order of measurement: the log of the boot, then that of a dynamic launch.',
    contains: { type: 'object', properties: { type: { const: 'TCG' } }, required: ['type'] },
    minContains: 1,
    maxContains: 2,
  })

const pcrBanks = (['sha1', 'sha256', 'sha384', 'sha512'] as const).map((algorithm) => {
  const chars = charsOf(DIGEST_BYTES[algorithm])
  const digest = z.string().length(chars).regex(BASE64URL).meta({ contentEncoding: 'base64url' })
  const value = z.object({
    index: z
      .int()
      .min(0)
      .max(MAX_PCRS - 1),
    digest,
  })
  const id = z
    .literal(hashAlgorithmId(algorithm))
    .meta({ description: `TPM_ALG_ID: ${algorithm}.` })
  return z.object({ algorithm: id, values: z.array(value).max(MAX_PCRS) })
})

const bootEvidence = z
  .object({
    logs,
    ...attestationKeyMembers,
    pcrs: z
      .array(z.union(pcrBanks))
      .max(MAX_PCR_BANKS)
      .meta({ description: 'The quoted values and no others, in the order of the quote.' }),
    quote: bytes(MAX_TPM_STRUCTURE_BYTES, 'TPMS_ATTEST of TPM2_Quote, without a size before it.'),
    signature: bytes(MAX_TPM_STRUCTURE_BYTES, 'TPMT_SIGNATURE over it.'),
  })
  .meta(withNone(namesNoKey))

/** What a request of version 2 is about. */
export const requestDataV2 = z
  .object({
    ...commonMembers,
    tpm_att_data: z
      .object({
        current_attestation: bootEvidence,
        boot_attestation: bootEvidence.optional(),
      })
      .meta(withoutMisplaced(...MEMBERS_OF_V1)),
    request_key: requestKey,
    other_keys: z.array(otherKey).max(MAX_OTHER_KEYS).optional(),
  })
  .meta(withoutMisplaced('attest_key', 'report_signed', 'vsm_report'))

const report = bytes(MAX_ENCLAVE_REPORT_BYTES, 'What EnclaveGetAttestationReport returns.')
const outside = withoutMisplaced(...COMMON_MEMBERS, 'tpm_att_data')

/** The payload of a JWS of type `attReq`. */
export const requestPayloadV1 = z.union([
  z.object({ att_type: z.literal('basic'), att_data: requestDataV1 }),
  z.object({
    att_type: z.literal('vbs'),
    att_data: z.object({ report_signed: requestDataV1, vsm_report: report }).meta(outside),
  }),
])

/** The payload of a JWS of type `attReqV2`. */
export const requestPayloadV2 = z.union([
  z.object({ att_type: z.literal('basic'), att_data: requestDataV2 }),
  z.object({
    att_type: z.literal('vbs'),
    att_data: z
      .object({
        report_signed: requestDataV2,
        vsm_report: z.object({ enclave: z.object({ report }) }),
      })
      .meta(outside),
  }),
])

/** The header of a request. */
export const requestHeader = z
  .object({
    alg: z.literal('PS256'),
    typ: z.enum(['attReq', 'attReqV2']).meta({ description: 'Version 1 or 2.' }),
  })
  .meta(without('crit'))

/** What an agent says, inside the envelope. */
export const agentMessage = z.object({
  payload: z.union([
    z.object({ type: z.literal('aikcert') }).meta(without('request')),
    z
      .object({
        request: z.string().max(MAX_MESSAGE_BYTES).meta({
          contentMediaType: 'application/jose',
          description: 'Compact JWS: RequestHeader, and RequestPayloadV1 or RequestPayloadV2.',
        }),
      })
      .meta(without('type')),
  ]),
  metadata: z.looseObject({}).optional().meta({ description: 'Not looked at.' }),
})

/** What is answered to `aikcert`. */
export const challengeMessage = z.object({
  payload: z.object({
    challenge: bytes(MAX_CHALLENGE_BYTES, '16 bytes.'),
    service_context: z.string().max(MAX_SERVICE_CONTEXT_CHARS),
  }),
})

/** What is answered to a request. */
export const reportMessage = z.object({
  payload: z.object({
    report: z.string().meta({
      contentMediaType: 'application/jwt',
      description: 'The attestation token: AttestationTokenHeader and AttestationTokenClaims.',
    }),
  }),
})
