import { z } from 'zod'
import { type BreakGlassKey, readBreakGlassKeys } from '../access/break-glass/keys.ts'
import {
  MAX_BREAK_GLASS_KEYS,
  MAX_BREAK_GLASS_SECONDS,
  PRESET_BREAK_GLASS_SECONDS,
} from '../access/break-glass/limits.ts'
import { seconds, wholeNumber } from '../base/fields.ts'

/** Who may break the glass, and how: absent where nobody may. */
export type BreakGlassConfig = {
  readonly keys: readonly BreakGlassKey[]
  /** How many different keys must sign. */
  readonly threshold: number
  readonly maxSeconds: number
}

const PRESET_THRESHOLD = 2

/**
 * The keys are a JWK set, `{"keys":[…]}`, rather than PEM: a JWK says of itself that it is Ed25519
 * and what it is called, so that whose key stands where can be read off the setting and the log.
 * They are public, and needed when nothing else answers: so they are settings, not documents.
 */
export const breakGlassSettings = {
  BREAK_GLASS_KEYS: z
    .string()
    .transform((text, context) => {
      const keys = readBreakGlassKeys(text)
      if (keys.ok) return keys.value
      context.issues.push({ code: 'custom', message: keys.failure.detail, input: '' })
      return z.NEVER
    })
    .optional(),
  BREAK_GLASS_THRESHOLD: wholeNumber(1, MAX_BREAK_GLASS_KEYS, PRESET_THRESHOLD),
  BREAK_GLASS_MAX_SECONDS: seconds(60, MAX_BREAK_GLASS_SECONDS, PRESET_BREAK_GLASS_SECONDS),
}

type Settings = z.infer<z.ZodObject<typeof breakGlassSettings>>

export function readBreakGlassConfig(settings: Settings): BreakGlassConfig | undefined {
  const { BREAK_GLASS_KEYS: keys, BREAK_GLASS_THRESHOLD: threshold } = settings
  if (keys === undefined) return undefined
  return { keys, threshold, maxSeconds: settings.BREAK_GLASS_MAX_SECONDS }
}

/** What is wrong between settings that are right by themselves. */
export function breakGlassContradictions(
  given: Readonly<Record<string, string | undefined>>,
): string[] {
  const { BREAK_GLASS_KEYS: text, BREAK_GLASS_THRESHOLD: asked, LOG_LEVEL: level } = given
  if (text === undefined) {
    // Whoever set these believes that there is a way in, and would learn otherwise at the worst time.
    return ['BREAK_GLASS_THRESHOLD', 'BREAK_GLASS_MAX_SECONDS']
      .filter((name) => given[name] !== undefined)
      .map((name) => `${name}: has no effect without BREAK_GLASS_KEYS`)
  }
  const found: string[] = []
  const keys = readBreakGlassKeys(text)
  const threshold = Number(asked ?? PRESET_THRESHOLD)
  if (keys.ok && threshold > keys.value.length) {
    const many = `${threshold} signatures cannot come from ${keys.value.length} of BREAK_GLASS_KEYS`
    found.push(`BREAK_GLASS_THRESHOLD: ${many}`)
  }
  if (level === 'silent') found.push('LOG_LEVEL: silent would hide every use of BREAK_GLASS_KEYS')
  return found
}
