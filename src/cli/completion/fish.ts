import type { OfferedOption, Place, Word } from './tree.ts'

/** A script for fish, to be sourced, or to stand in its folder of completions as `countersign.fish`. */
export function fishScript(places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== '').map(({ path }) => path)
  return `# Completion of countersign for fish. It is made from the declarations of the commands.
set -g __countersign_paths ${paths.join(' ')}
function __countersign_at
  set -l place ''
  for word in (commandline -opc)[2..-1]
    contains -- "$place/$word" $__countersign_paths; or break
    set place "$place/$word"
  end
  test "$place" = "$argv[1]"
end
complete -c countersign -f
${places.flatMap(linesOf).join('\n')}
`
}

function linesOf({ path, verbs, options, takesFile }: Place): readonly string[] {
  const at = `complete -c countersign -n ${quote(`__countersign_at '${path}'`)}`
  return [
    ...verbs.map(({ word, about }: Word) => `${at} -a ${quote(word)} -d ${quote(about)}`),
    ...options.map((option) => `${at} ${describe(option)}`),
    ...(takesFile ? [`${at} -F`] : []),
  ]
}

function describe({ word, about, value }: OfferedOption): string {
  const name = `-l ${word.slice(2)} -d ${quote(about)}`
  if (value === 'none') return name
  if (value === 'any') return `-x ${name}`
  if (value === 'file') return `-r -F ${name}`
  return `-x -a ${quote(value.join(' '))} ${name}`
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
