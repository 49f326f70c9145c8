import { z } from 'zod'
import { evaluationBody } from '../../vendors/cloudflare/evaluation.ts'
import { type describePosture, postureBody } from '../../vendors/cloudflare/posture.ts'
import { type describeClaims, tokenIssuanceBody } from '../../vendors/entra/token-issuance.ts'
import { type describeHookError, tokenHookBody } from '../../vendors/okta/token-hook.ts'
import { formOf } from './form-of.ts'

const hookError = formOf<ReturnType<typeof describeHookError>>()(
  z.object({ error: z.object({ errorSummary: z.string() }) }),
)

/** What identity providers send, read by the schemas of `src/vendors`, and what they are answered. */
export const VENDOR_SCHEMAS = {
  TokenIssuanceStart: tokenIssuanceBody,
  TokenIssuanceClaims: formOf<ReturnType<typeof describeClaims>>()(
    z.object({
      data: z.object({
        '@odata.type': z.string(),
        actions: z.array(
          z.object({
            '@odata.type': z.string(),
            claims: z.object({
              device_reasons: z.array(z.string()).exactOptional(),
              device_id: z.string().exactOptional(),
              device_compliance: z.enum(['compliant', 'not-compliant']),
            }),
          }),
        ),
      }),
    }),
  ),
  TokenHook: tokenHookBody,
  /** Okta issues no token where there is an error, and else as the commands say. */
  TokenHookAnswer: z.union([
    z.object({
      commands: z.array(
        z.object({
          type: z.string(),
          value: z.array(z.object({ op: z.string(), path: z.string(), value: z.unknown() })),
        }),
      ),
    }),
    hookError,
  ]),
  ExternalEvaluation: evaluationBody,
  ExternalEvaluationAnswer: z.object({
    token: z.string().meta({ contentMediaType: 'application/jwt' }),
  }),
  PostureRequest: postureBody,
  PostureAnswer: formOf<ReturnType<typeof describePosture>>()(
    z.object({
      result: z.record(
        z.string(),
        z.object({ s2s_id: z.string(), score: z.union([z.literal(0), z.literal(100)]) }),
      ),
    }),
  ),
} as const satisfies Readonly<Record<string, z.ZodType>>
