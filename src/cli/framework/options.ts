import { UsageError } from './usage-error.ts'

/**
 * An option or argument: how it is called for, what it is for, and how its text becomes a value of
 * type `T`. Members of a declaration are in camel case: `atOnce` is `--at-once`.
 */
export type Option<T> = {
  /** What stands for the value in the help, such as `FILE`; an option without one is a switch. */
  readonly placeholder: string | undefined
  readonly help: string
  readonly isRequired?: true
  readonly isRepeated?: true
  /** What the value is one of, where there are few: shells complete these. */
  readonly choices?: readonly string[]
  /** Otherwise a blank text is wrong usage: mostly it is a variable that a script forgot to set. */
  readonly mayBeBlank?: true
  /** `given`: all texts that were given. `label`: its name, for messages. */
  readonly read: (given: readonly string[], label: string) => T
}

export type ValuesOf<O> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never
}

/** A value that `parse` makes of the text, or throws `UsageError`. */
export function option<T>(
  placeholder: string,
  help: string,
  parse: (text: string, label: string) => T,
): Option<T | undefined> {
  return {
    placeholder,
    help,
    read: ([text], label) => (text === undefined ? undefined : parse(text, label)),
  }
}

export function text(placeholder: string, help: string): Option<string | undefined> {
  return option(placeholder, help, (given) => given)
}

export function flag(help: string): Option<boolean> {
  return { placeholder: undefined, help, read: (given) => given.length > 0 }
}

/** A whole number. */
export function count(
  placeholder: string,
  help: string,
  { least = 0, most = Number.MAX_SAFE_INTEGER } = {},
): Option<number | undefined> {
  return option(placeholder, help, (given, label) => {
    const value = Number(given)
    if (!/^\d+$/.test(given) || !(value >= least && value <= most)) {
      const bounds = most < Number.MAX_SAFE_INTEGER ? `${least} to ${most}` : `${least} up`
      throw new UsageError(`${label} must be a whole number from ${bounds}, not '${given}'`)
    }
    return value
  })
}

/** Milliseconds. */
export function duration(placeholder: string, help: string): Option<number | undefined> {
  return option(placeholder, help, readDuration)
}

const MS_OF_UNIT: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Milliseconds of `90s`, `30m`, `1h` or `2d`. */
export function readDuration(text: string, label: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const ms = MS_OF_UNIT[unit]
  if (ms === undefined) throw new UsageError(`${label} must be like 90s, 30m, 1h or 2d`)
  return Number(digits) * ms
}

/** A time: as ISO 8601 has it, a day (UTC), or so long ago. */
export function moment(placeholder: string, help: string): Option<Date | undefined> {
  return option(placeholder, help, (text, label) => {
    const ago = /^\d{1,6}[smhd]$/.test(text) ? Date.now() - readDuration(text, label) : undefined
    const time = new Date(ago ?? (MOMENT.test(text) ? text : Number.NaN))
    if (!Number.isNaN(time.getTime())) return time
    throw new UsageError(
      `${label} must be a day such as 2026-12-01, a time such as 2026-12-01T08:00Z, or so long ago as 12h or 7d`,
    )
  })
}

/** With an offset: what a time without one means depends on where the command runs. */
const MOMENT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/

export function oneOf<const T extends string>(
  placeholder: string,
  help: string,
  choices: readonly T[],
): Option<T | undefined> {
  const one = option(placeholder, help, (given, label) => {
    const choice = choices.find((one) => one === given)
    if (choice === undefined) {
      throw new UsageError(`${label} must be one of ${choices.join(', ')}, not '${given}'`)
    }
    return choice
  })
  return { ...one, choices }
}

/** `hint`: how to find out what to say. */
export function required<T>(
  optional: Option<T>,
  hint: string = optional.help,
): Option<Exclude<T, undefined>> {
  return {
    ...optional,
    isRequired: true,
    read(given, label) {
      const value = optional.read(given, label)
      if (value === undefined) throw new UsageError(`${label} is missing: ${hint}`)
      return value as Exclude<T, undefined>
    },
  }
}

/** `text` is what counts where nothing is given; the help names it. */
export function preset<T>(optional: Option<T>, text: string): Option<Exclude<T, undefined>> {
  const { help } = optional
  return {
    ...optional,
    help: `${help} (${text})`,
    read: (given, label) =>
      optional.read(given.length > 0 ? given : [text], label) as Exclude<T, undefined>,
  }
}

/** Any number of them; at least one if `one` is required. */
export function repeated<T>(one: Option<T>): Option<readonly Exclude<T, undefined>[]> {
  return {
    ...one,
    isRepeated: true,
    read: (given, label) =>
      (given.length === 0 && one.isRequired ? [one.read([], label)] : []).concat(
        given.map((each) => one.read([each], label)),
      ) as Exclude<T, undefined>[],
  }
}

/** Options that several verbs share. */
export const REASON = required(text('TEXT', 'why; kept in the audit log'))
export const YES = flag('do not ask')
export const ACCEPT_DENIALS = preset(
  count('N', 'DANGER: let up to N devices lose the access that they have now'),
  '0',
)

export const ACCEPT_ALL_DENIALS = flag(
  'DANGER: go back at once, whoever loses access by it, and count nobody first',
)

/** How many are listed unless `--limit` says otherwise. */
export function limit(listed: number, most?: number): Option<number> {
  return preset(
    count('N', 'list at most so many', { least: 1, ...(most !== undefined && { most }) }),
    String(listed),
  )
}
