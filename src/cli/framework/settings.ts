import type { Config } from '../../config/config.ts'
import { ConfigError, readNodeConfig } from '../../config/node-config.ts'

/**
 * The configuration of the environment, overridden by what the command line says. Throws
 * `ConfigError` with every mistake.
 */
export async function readSettings(values: {
  readonly data?: string | undefined
  readonly port?: string | undefined
}): Promise<Config> {
  const { data, port } = values
  try {
    return await readNodeConfig({
      ...process.env,
      ...(data !== undefined && { DATA_DIR: data }),
      ...(port !== undefined && { PORT: port }),
    })
  } catch (error) {
    if (!(error instanceof ConfigError) || port === undefined) throw error
    throw new ConfigError(error.mistakes.map((line) => line.replace(/^PORT:/, '--port:')))
  }
}
