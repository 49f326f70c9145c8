import type { Place } from './tree.ts'

/** A script for bash 4 and newer, to be sourced. */
export function bashScript(places: readonly Place[]): string {
  return `# Completion of countersign for bash. It is made from the declarations of the commands.
_countersign() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path= words= word index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case "$path/$word" in
      ${pathsOf(places)}) path+="/$word" ;;
      *) break ;;
    esac
  done
  case "$path $before" in
${places.flatMap(valuesOf).join('')}  esac
  case "$path" in
${places.map(wordsOf).join('')}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _countersign countersign
`
}

function pathsOf(places: readonly Place[]): string {
  return places
    .filter(({ path }) => path !== '')
    .map(({ path }) => path)
    .join('|')
}

/** What follows an option that takes a value; anything where nothing can be offered. */
function valuesOf({ path, options }: Place): readonly string[] {
  return options.flatMap(({ word, value }) => {
    const pattern = `    '${path} ${word}') `
    if (value === 'none') return []
    if (value === 'any') return [`${pattern}return ;;\n`]
    if (value === 'file') return [`${pattern}COMPREPLY=($(compgen -f -- "$current")); return ;;\n`]
    const words = quote(value.join(' '))
    return [`${pattern}COMPREPLY=($(compgen -W ${words} -- "$current")); return ;;\n`]
  })
}

function wordsOf({ path, verbs, options, takesFile }: Place): string {
  const verbWords = verbs.map(({ word }) => word)
  const optionWords = options.map(({ word }) => word)
  const words = quote([...verbWords, ...optionWords].join(' '))
  const files = takesFile
    ? ` if [[ $current != -* ]]; then COMPREPLY=($(compgen -f -- "$current")); return; fi;`
    : ''
  return `    '${path}')${files} words=${words} ;;\n`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
