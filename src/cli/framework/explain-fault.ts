import type { Config } from '../../config/config.ts'
import { describeServer } from '../../config/describe-server.ts'

const UNREACHABLE = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'ETIMEDOUT',
]
/** SQLSTATE of a server that answers and does not let us in: 28 authorization, 3D catalog, 53 full. */
const REFUSED_BY_SERVER = /^(?:28|3D|53|57P)[0-9A-Z]*$/
const FILE_SYSTEM = [
  'EACCES',
  'EEXIST',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOSPC',
  'ENOTDIR',
  'EPERM',
  'EROFS',
]

/**
 * What an operator can do about a start that failed: the fault in the words of the settings that it
 * comes from. Anything else is given back as it is.
 */
export function explainFault(error: unknown, config: Config): unknown {
  if (!(error instanceof Error)) return error
  const text = explain(error, config)
  return text === undefined ? error : new Error(text, { cause: error })
}

function explain(error: Error, config: Config): string | undefined {
  const code = 'code' in error ? String(error.code) : ''
  const isListening = 'syscall' in error && error.syscall === 'listen'
  if (isListening) return explainListening(code, config)
  if (error.name === 'MasterSecretMismatchError') {
    return `${error.message} (SECRET_KEY, or secret.key in ${config.dataDir})`
  }
  // A host with several addresses fails with several errors and no message of its own.
  const told = error.message === '' ? code : error.message
  const isFile = 'path' in error && FILE_SYSTEM.includes(code)
  if (isFile) return `cannot use the data directory ${config.dataDir} (--data, DATA_DIR): ${told}`
  if (config.database.kind === 'embedded') return undefined
  const server = `PostgreSQL at ${describeServer(config.database.url)} (DATABASE_URL)`
  if (UNREACHABLE.includes(code) || /timeout/i.test(told)) return `cannot reach ${server}: ${told}`
  return REFUSED_BY_SERVER.test(code) ? `${server} refuses: ${told}` : undefined
}

function explainListening(code: string, { host, port }: Config): string | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is in use: choose another (--port, PORT; 0 picks a free one)`
    case 'EACCES':
      return `port ${port} is for privileged users: choose one above 1023 (--port, PORT)`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `this machine has no address ${host} (HOST)`
  }
  return undefined
}
