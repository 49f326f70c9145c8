import { type Command, isGroup } from '../framework/command.ts'
import { summaryOf } from '../framework/help.ts'
import type { Option } from '../framework/options.ts'
import { optionsOf } from '../framework/parse.ts'

/** What may follow at one place of the command line. */
export type Place = {
  /** The words that lead there, such as `/devices/list`; empty for the beginning. */
  readonly path: string
  /** Verbs, with what each does. */
  readonly verbs: readonly Word[]
  readonly options: readonly OfferedOption[]
  /** Whether what stands there without an option may be a file. */
  readonly takesFile: boolean
}

export type Word = { readonly word: string; readonly about: string }

export type OfferedOption = Word & {
  /** `none`: it is a switch. */
  readonly value: 'none' | 'file' | 'any' | readonly string[]
}

/** The nouns of the command line, each of which is loaded when it is looked at. */
export type Nouns = Readonly<
  Record<
    string,
    { readonly summary: string; readonly load: () => Promise<{ readonly command: Command }> }
  >
>

/** Every place of every command, as the commands themselves are declared. */
export async function readPlaces(commands: Nouns): Promise<readonly Place[]> {
  const nouns = Object.entries(commands).map(([word, { summary }]) => ({ word, about: summary }))
  const options = [HELP, { word: '--version', about: 'print the version', value: 'none' } as const]
  const root: Place = { path: '', verbs: nouns, options, takesFile: false }
  const places = await Promise.all(
    Object.entries(commands).map(async ([name, { load }]) => {
      return placesOf(`/${name}`, (await load()).command)
    }),
  )
  return [root, ...places.flat()]
}

const HELP = {
  word: '--help',
  about: 'print what it does, and its options',
  value: 'none',
} as const

function placesOf(path: string, command: Command): readonly Place[] {
  if (isGroup(command)) {
    const verbs = Object.entries(command.verbs)
    const words = verbs.map(([word, verb]) => ({ word, about: summaryOf(verb) }))
    const below = verbs.flatMap(([word, verb]) => placesOf(`${path}/${word}`, verb))
    return [{ path, verbs: words, options: [HELP], takesFile: false }, ...below]
  }
  const options = [...optionsOf(command)].map(([name, one]): OfferedOption => {
    return { word: `--${name}`, about: one.help, value: offerOf(one) }
  })
  const takesFile = Object.values(command.arguments ?? {}).some((one) => offerOf(one) === 'file')
  return [{ path, verbs: [], options: [...options, HELP], takesFile }]
}

/** What the help calls a file or a folder. */
const FILES = /FILE|DIR|PATH/

function offerOf({ placeholder, choices }: Option<unknown>): OfferedOption['value'] {
  if (placeholder === undefined) return 'none'
  if (choices !== undefined) return choices
  return FILES.test(placeholder) ? 'file' : 'any'
}
