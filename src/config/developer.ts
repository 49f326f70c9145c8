import { BUILT_IN } from '../azure/settings.ts'
import type { Config } from './config.ts'
import { isLoopback } from './loopback.ts'
import { requiresHardware } from './trust-anchors.ts'

/**
 * Why a service of these settings must not tell agents what was compared: it is one in production, or
 * about to be. Production is what others reach, what keeps its data in PostgreSQL, what asks for keys
 * that somebody vouches for, and what lets a provider of Azure verify. One line each, as for mistakes in settings.
 */
export function developerContradictions(config: Config): readonly string[] {
  const found: string[] = []
  const { host, publicUrl, database, verifiers } = config
  const places = { HOST: host, PUBLIC_URL: new URL(publicUrl).hostname }
  for (const [name, place] of Object.entries(places)) {
    if (!isLoopback(place)) found.push(`--developer: ${name} (${place}) is no loopback address`)
  }
  if (database.kind === 'postgres') {
    found.push('--developer: DATABASE_URL is set; only the embedded database is for development')
  }
  if (requiresHardware(config)) {
    found.push('--developer: AK_TRUST_ANCHORS or EK_TRUST_ANCHORS is set, so devices are real')
  }
  const provider = verifiers.find((name) => name !== BUILT_IN)
  if (provider !== undefined) {
    found.push(`--developer: VERIFIERS has ${provider}, which vouches for real devices`)
  }
  return found
}
