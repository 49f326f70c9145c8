import type { Config } from '../../config/config.ts'
import type { Store } from '../../store/store.ts'
import type { Option, ValuesOf } from './options.ts'

/*
 * The manner of commands. A command is a tree: groups (`holds`, `azure policy`) and verbs. A verb is
 * declared once, and its usage line, its `--help`, what it refuses, its `--json` and the exit codes
 * that it documents all come from that declaration.
 *
 * To add a noun:
 *
 *   1. Make `cli/NOUN/NOUN.ts`, which exports `command`, made by `group` (or by `verb`, for a noun
 *      without verbs). `cli/holds/holds.ts` is a short example.
 *   2. Add a line for it to the table in `cli/commands.ts`.
 *
 * `options.ts` has the kinds of options and those that verbs share. `test/cli/commands.test.ts` walks
 * the tree, so that a new noun is tested for its manners without being named there.
 */

/** What an exit code means. It is the same for every verb, which documents the ones it can end with. */
export const EXIT = {
  /** Done, verified, nothing to change. */
  done: 0,
  /** Could not be done: a fault, or what was named does not exist. The message says which. */
  failed: 1,
  /** The command line is wrong. Nothing was looked at or changed. */
  usage: 2,
  /** The answer is no: not verified, errors in a document, devices would lose access, a person said no. */
  refused: 3,
  /** There is a difference or a change to make. */
  differs: 4,
  /** Ctrl-C or SIGTERM came before the end. The number is that of shells. */
  interrupted: 130,
} as const

export type ExitName = keyof typeof EXIT

/** What a verb does on the database, once that is open; gives the exit code. */
export type OnDatabase = (store: Store, config: Config) => Promise<number>

type Declared = Readonly<Record<string, Option<unknown>>>

type Values<A extends Declared, O extends Declared> = ValuesOf<A> &
  ValuesOf<O> & {
    /** Whether to print one JSON document. */
    readonly json: boolean
    /** The data directory of `--data`, for verbs that take it. */
    readonly data: string | undefined
  }

type Declaration<A extends Declared, O extends Declared> = {
  /** One line for the list of verbs. A noun without verbs has it in the table of commands. */
  readonly summary?: string
  /** More, in paragraphs that fit a terminal. */
  readonly about?: string
  /** What is named without an option, in its order; one that is repeated comes last. */
  readonly arguments?: A
  readonly options?: O
  /** What the one document of `--json` holds, or `none`, with what is printed instead. */
  readonly json: string | { readonly none: string }
  /** Whether it works on the database (and takes `--data`), and may be the first to do so. */
  readonly database?: 'existing' | 'made'
  /** Exit codes besides done, failed and usage, and when they come. */
  readonly exits?: Partial<Record<'refused' | 'differs' | 'interrupted', string>>
  /** Ends of work that a signal has stopped; `Nothing was changed.` unless said. */
  readonly stopped?: string
  /**
   * Looks at arguments and files. Gives the exit code, or what to do on the database: wrong usage is
   * told before that is opened.
   */
  readonly run: (values: Values<A, O>) => number | OnDatabase | Promise<number | OnDatabase>
}

/** A verb whose kinds of values are known to its own declaration alone. */
export type Verb = Omit<Declaration<Declared, Declared>, 'run'> & {
  readonly run: (values: never) => number | OnDatabase | Promise<number | OnDatabase>
}

export type Group = {
  readonly about: string
  readonly verbs: Readonly<Record<string, Command>>
}

export type Command = Verb | Group

/** Nothing is declared. */
type None = Readonly<Record<never, Option<unknown>>>

export function verb<A extends Declared = None, O extends Declared = None>(
  declaration: Declaration<A, O>,
): Declaration<A, O> {
  return declaration
}

export function group(declaration: Group): Group {
  return declaration
}

export function isGroup(command: Command): command is Group {
  return 'verbs' in command
}
