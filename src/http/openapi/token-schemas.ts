import { z } from 'zod'
import {
  CLAIM_NAMES,
  CLAIMS,
  type ClaimKind,
  SECURE_BOOT_VARIABLES,
} from '../../appraisal/claims.ts'
import {
  MAX_CLAIM_ITEM_CHARS,
  MAX_CLAIM_ITEMS,
  MAX_CLAIM_TEXT_CHARS,
} from '../../appraisal/limits.ts'
import { rsaJwk, without } from '../../verifier/protocol/message-schemas.ts'

const item = z.string().max(MAX_CLAIM_ITEM_CHARS)

const FORMS: Readonly<Record<ClaimKind, z.ZodType>> = {
  bool: z.boolean(),
  int: z.int(),
  text: z.string().max(MAX_CLAIM_TEXT_CHARS),
  texts: z.array(item).max(MAX_CLAIM_ITEMS),
  secureBootKeys: z.object(
    Object.fromEntries(SECURE_BOOT_VARIABLES.map((name) => [name, item.optional()])),
  ),
}

/** What was measured or certified: from the one list of claims that policies are written by. */
const claims = Object.fromEntries(
  CLAIM_NAMES.map((name) => {
    const { kind, meaning, example } = CLAIMS[name]
    return [name, FORMS[kind].optional().meta({ description: meaning, examples: [example] })]
  }),
)

/** The claims of an attestation, as they are recorded. */
export const claimForms = z.object(claims)

const seconds = z.int().min(0).meta({ description: 'Seconds since 1970, RFC 7519 §2.' })
const nonce = z.string().optional().meta({ description: 'The rp_data of the request, base64url.' })

const certifiedInfo = z.object({
  tpm_certify: z.object({
    name_alg: z.int().meta({ description: 'TPM_ALG_ID.' }),
    obj_attr: z.int().meta({ description: 'TPMA_OBJECT.' }),
    auth_policy: z.string().meta({ contentEncoding: 'base64url' }),
  }),
})
const quotedInfo = z.object({ tpm_quote: z.object({ hash_alg: z.string() }) })

const boundKey = z.object({ jwk: rsaJwk, info: z.union([quotedInfo, certifiedInfo]) })
const otherKey = z.object({ jwk: rsaJwk, info: certifiedInfo.optional() })

/** The header of an attestation token of the built-in verifier. */
export const attestationTokenHeader = z.object({
  typ: z.literal('JWT'),
  alg: z.literal('RS256'),
  kid: z.string(),
  x5c: z
    .array(z.string())
    .min(1)
    .meta({ description: 'DER in base64, that of the signing key first.' }),
})

/** What an attestation token of the built-in verifier says. Tokens of Azure have claims of its policy. */
export const attestationTokenClaims = z.object({
  iss: z.url().meta({ description: 'The public URL of the service.' }),
  iat: seconds,
  nbf: seconds,
  exp: seconds,
  jti: z.string().regex(/^[0-9a-f]{40}$/),
  ver: z.literal('1.0'),
  'x-ms-ver': z.literal('1.0'),
  nonce,
  rp_data: nonce,
  cnf: z
    .object({ jwk: rsaJwk })
    .optional()
    .meta({ description: 'The key that was proven, RFC 7800.' }),
  'x-ms-policy-hash': z.string(),
  'x-ms-tpm-request-key': boundKey.optional(),
  'x-ms-tpm-other-keys': z.array(otherKey).optional(),
  ...claims,
  evidence_digests: z
    .record(z.string(), z.string())
    .meta({ description: 'base64url SHA-256 of parts of the evidence, by their names.' }),
})

/** The header of a proof of possession, RFC 9449 §4.2. */
export const proofHeader = z
  .object({
    typ: z.literal('dpop+jwt'),
    alg: z.enum(['PS256', 'RS256', 'ES256']),
    jwk: z.looseObject({}).meta({ description: 'The key of cnf, public members alone.' }),
  })
  .meta(without('crit'))

/** What it says. */
export const proofClaims = z.object({
  jti: z.string().min(1).max(256).meta({ description: 'Random.' }),
  htm: z.literal('POST'),
  htu: z.string().meta({ description: 'The public URL of the service and /v1/attestations.' }),
  iat: z.number().meta({ description: 'By the Date of an answer, not by a clock of the device.' }),
  nonce: z.string().meta({ description: 'That of POST /v1/challenge.' }),
})

/** What a device token says. */
export const deviceTokenClaims = z.object({
  iss: z.url(),
  aud: z.url().meta({ description: 'As iss.' }),
  sub: z.string().meta({ description: 'The device.' }),
  jti: z.string().meta({ description: 'The attestation.' }),
  iat: seconds,
  exp: seconds,
  cnf: z.object({
    jkt: z.string().meta({ description: 'RFC 7638 thumbprint of the proven key.' }),
  }),
  generation: z.int(),
})
