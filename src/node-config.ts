import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { type Config, type Environment, parseConfig } from './config.ts'

/** The settings are wrong: says all mistakes, for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** One line each, beginning with the setting. */
  readonly mistakes: readonly string[]

  constructor(mistakes: readonly string[]) {
    super(`the configuration has mistakes:\n  ${mistakes.join('\n  ')}`)
    this.mistakes = mistakes
  }
}

/**
 * The settings of the environment, with files read and a port chosen where it is 0. Throws
 * `ConfigError`.
 */
export async function readNodeConfig(environment: Environment): Promise<Config> {
  const file = readAnchorsFile(environment)
  const parsed = parseConfig(environment)
  const mistakes = [...(parsed.ok ? [] : parsed.failure.mistakes), ...file.mistakes]
  if (!parsed.ok || mistakes.length > 0) throw new ConfigError(mistakes)
  const complete = parseConfig({
    ...environment,
    ...(file.anchors !== undefined && {
      AK_TRUST_ANCHORS: file.anchors,
      AK_TRUST_ANCHORS_FILE: undefined,
    }),
    // Not before all else is right, as our own URL is made of it.
    PORT: String(parsed.value.port === 0 ? await findFreePort() : parsed.value.port),
  })
  if (!complete.ok) throw new ConfigError(complete.failure.mistakes)
  return complete.value
}

type AnchorsFile = { readonly anchors?: string; readonly mistakes: readonly string[] }

function readAnchorsFile({ AK_TRUST_ANCHORS_FILE: path = '' }: Environment): AnchorsFile {
  if (path === '') return { mistakes: [] }
  try {
    const anchors = readFileSync(path, 'utf8')
    const parsed = parseConfig({ AK_TRUST_ANCHORS: anchors })
    const mistakes = parsed.ok ? [] : parsed.failure.mistakes
    return {
      anchors,
      mistakes: mistakes.map((mistake) =>
        mistake.replace('AK_TRUST_ANCHORS:', `AK_TRUST_ANCHORS_FILE: ${path}`),
      ),
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    return { mistakes: [`AK_TRUST_ANCHORS_FILE: ${path} cannot be read (${code})`] }
  }
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
