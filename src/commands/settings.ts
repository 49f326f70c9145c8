import type { Config } from '../config.ts'
import { readNodeConfig } from '../node.ts'

/** Options that several commands share; each stands for the setting of the same meaning. */
export const SETTING_OPTIONS = {
  data: { type: 'string' },
  port: { type: 'string' },
} as const

/** The configuration of the environment, overridden by what the command line says. */
export function readSettings(values: {
  readonly data?: string | undefined
  readonly port?: string | undefined
}): Promise<Config> {
  const { data, port } = values
  return readNodeConfig({
    ...process.env,
    ...(data !== undefined && { DATA_DIR: data }),
    ...(port !== undefined && { PORT: port }),
  })
}
