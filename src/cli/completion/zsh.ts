import type { OfferedOption, Place, Word } from './tree.ts'

/** A script for zsh, to be sourced after `compinit`, or to stand in a folder of `fpath` as `_countersign`. */
export function zshScript(places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== '').map(({ path }) => path)
  return `#compdef countersign
# Completion of countersign for zsh. It is made from the declarations of the commands.
_countersign() {
  local place= word before=$words[CURRENT-1]
  local -a verbs options
  integer index
  for ((index = 2; index < CURRENT; index++)); do
    word=$words[index]
    case "$place/$word" in
      (${paths.join('|')}) place+="/$word" ;;
      (*) break ;;
    esac
  done
  case "$place $before" in
${places.flatMap(valuesOf).join('')}  esac
  case "$place" in
${places.map(wordsOf).join('')}  esac
  (( $#verbs )) && _describe -t commands command verbs
  _describe -o -t options option options
}
if [[ $funcstack[1] == _countersign ]]; then _countersign "$@"; else compdef _countersign countersign; fi
`
}

function valuesOf({ path, options }: Place): readonly string[] {
  return options.flatMap(({ word, value }: OfferedOption) => {
    const pattern = `    ('${path} ${word}') `
    if (value === 'none') return []
    if (value === 'any') return [`${pattern}return ;;\n`]
    if (value === 'file') return [`${pattern}_files; return ;;\n`]
    return [`${pattern}compadd -- ${value.map(quote).join(' ')}; return ;;\n`]
  })
}

function wordsOf({ path, verbs, options, takesFile }: Place): string {
  const files = takesFile ? ' [[ $words[CURRENT] != -* ]] && { _files; return };' : ''
  const list = (words: readonly Word[]) => words.map(describe).join(' ')
  return `    ('${path}')${files} verbs=(${list(verbs)}); options=(${list(options)}) ;;\n`
}

/** `_describe` reads a word and what it means with a colon between. */
function describe({ word, about }: Word): string {
  return quote(`${word.replaceAll(':', '\\:')}:${about}`)
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
