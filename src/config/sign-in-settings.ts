import { z } from 'zod'
import { wholeNumber } from '../base/fields.ts'
import { readSignInClients, type SignInClient } from '../vendors/oidc/sign-in-clients.ts'

/** How people prove their device when they sign in somewhere else. */
export type SignInConfig = {
  /** Identity providers that may send them here; none where there is no such surface. */
  readonly clients: readonly SignInClient[]
  /** Where agents listen on the machine of the person, on its loopback address. */
  readonly agentPort: number
}

/** Who may ask is no secret, and has to be known before anybody asks: so it is a setting. */
export const signInSettings = {
  SIGN_IN_CLIENTS: z
    .string()
    .transform((text, context) => {
      const read = readSignInClients(text)
      if (read.ok) return read.value
      context.issues.push({ code: 'custom', message: read.failure.detail, input: '' })
      return z.NEVER
    })
    .optional(),
  SIGN_IN_CLIENTS_FILE: z.string().min(1).optional(),
  SIGN_IN_AGENT_PORT: wholeNumber(1024, 65_535, 28_415),
}

type Settings = z.infer<z.ZodObject<typeof signInSettings>>

export function readSignInConfig(settings: Settings): SignInConfig {
  return { clients: settings.SIGN_IN_CLIENTS ?? [], agentPort: settings.SIGN_IN_AGENT_PORT }
}
