/**
 * Structured logs: one JSON object a line. Fields are scalars only, so that no header, body,
 * token or piece of evidence can be handed over by accident.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

export type Log = {
  readonly debug: (event: string, fields?: LogFields) => void
  readonly info: (event: string, fields?: LogFields) => void
  readonly warn: (event: string, fields?: LogFields) => void
  readonly error: (event: string, fields?: LogFields) => void
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

export function createLog(options: {
  readonly level: (typeof LEVELS)[number] | 'silent'
  readonly write: (line: string) => void
  readonly clock: () => Date
}): Log {
  const least = options.level === 'silent' ? LEVELS.length : LEVELS.indexOf(options.level)
  const at = (level: (typeof LEVELS)[number]) => {
    if (LEVELS.indexOf(level) < least) return () => {}
    return (event: string, fields: LogFields = {}) => {
      const time = options.clock().toISOString()
      options.write(`${JSON.stringify({ time, level, event, ...fields })}\n`)
    }
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/**
 * What a log may say of a thrown fault: its class, message and place. The message of a failed
 * query is its cause's, because the query's own repeats the parameters.
 */
export function describeFault(error: unknown): LogFields {
  if (!(error instanceof Error)) return { fault: typeof error }
  const told = error.cause instanceof Error ? error.cause : error
  const code = 'code' in told ? String(told.code) : undefined
  const place = told.stack?.split('\n').find((line) => line.trimStart().startsWith('at '))
  return { fault: told.name, fault_code: code, fault_message: told.message, at: place?.trim() }
}
