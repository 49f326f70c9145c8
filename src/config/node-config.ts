import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { equalBytes } from '../base/digest.ts'
import { fromUtf8File } from '../base/encoding.ts'
import { readCertificateFile } from '../evidence/x509/certificate-file.ts'
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

/** Settings that may be given as the path of a file instead. */
const FILES = {
  AK_TRUST_ANCHORS_FILE: 'AK_TRUST_ANCHORS',
  EK_TRUST_ANCHORS_FILE: 'EK_TRUST_ANCHORS',
  AZURE_CLIENT_CERTIFICATE_PATH: 'AZURE_CLIENT_CERTIFICATE',
  OAUTH_ISSUERS_FILE: 'OAUTH_ISSUERS',
  SIGN_IN_CLIENTS_FILE: 'SIGN_IN_CLIENTS',
  GOOGLE_SERVICE_ACCOUNT_FILE: 'GOOGLE_SERVICE_ACCOUNT',
} as const

/**
 * The settings of the environment, with files read and a port chosen where it is 0. Throws
 * `ConfigError`.
 */
export async function readNodeConfig(environment: Environment): Promise<Config> {
  const files = Object.entries(FILES).map(([name, setting]) => {
    return readSettingFile({ name, setting, path: environment[name] ?? '' })
  })
  const parsed = parseConfig(environment)
  const mistakes = [
    ...(parsed.ok ? [] : parsed.failure.mistakes),
    ...files.flatMap((file) => file.mistakes),
  ]
  if (!parsed.ok || mistakes.length > 0) throw new ConfigError(mistakes)
  const complete = parseConfig({
    ...environment,
    ...Object.assign({}, ...files.map((file) => file.settings)),
    // Not before all else is right, as our own URL is made of it.
    PORT: String(parsed.value.port === 0 ? await findFreePort() : parsed.value.port),
  })
  if (!complete.ok) throw new ConfigError(complete.failure.mistakes)
  return complete.value
}

type SettingFile = { readonly settings: Environment; readonly mistakes: readonly string[] }

function readSettingFile(file: {
  readonly name: string
  readonly setting: string
  readonly path: string
}): SettingFile {
  const { name, setting, path } = file
  if (path === '') return { settings: {}, mistakes: [] }
  try {
    const bytes = readFileSync(path)
    const text = fromUtf8File(bytes)
    if (text === undefined) {
      return { settings: {}, mistakes: [`${name}: ${path} ${describeBinary(bytes)}`] }
    }
    const parsed = parseConfig({ [setting]: text })
    const mistakes = parsed.ok ? [] : parsed.failure.mistakes
    return {
      settings: { [setting]: text, [name]: undefined },
      mistakes: mistakes.map((mistake) => mistake.replace(`${setting}:`, `${name}: ${path}`)),
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    return { settings: {}, mistakes: [`${name}: ${path} cannot be read (${code})`] }
  }
}

/** What to do with a file that should be text. Authorities publish their certificates in DER. */
function describeBinary(bytes: Uint8Array): string {
  const read = readCertificateFile(bytes)
  if (!read.ok) return 'is not UTF-8 text'
  const [first] = read.value
  const isOne = first !== undefined && equalBytes(first.der, bytes)
  const convert = isOne
    ? 'openssl x509 -inform der -in FILE'
    : 'openssl pkcs7 -inform der -print_certs -in FILE'
  return `is in DER, and has to be in PEM: ${convert} writes it`
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
