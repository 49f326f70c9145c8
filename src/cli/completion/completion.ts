import { EXIT, type Verb, verb } from '../framework/command.ts'
import { oneOf, required } from '../framework/options.ts'
import { writeOut } from '../framework/output.ts'
import { bashScript } from './bash.ts'
import { fishScript } from './fish.ts'
import { type Nouns, type Place, readPlaces } from './tree.ts'
import { zshScript } from './zsh.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], (places: readonly Place[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

/** The command that completes these commands, itself among them. */
export function completing(commands: Nouns): Verb {
  return verb({
    about: `Prints a script that completes the command 'countersign': commands, options, files, and values
that are one of a few. Name the command so first, as docs/command-line.md says.`,
    arguments: { shell: required(oneOf('SHELL', SHELLS.join(', '), SHELLS)) },
    json: { none: 'it prints a script for a shell' },
    async run({ shell }) {
      await writeOut(SCRIPTS[shell](await readPlaces(commands)))
      return EXIT.done
    },
  })
}
