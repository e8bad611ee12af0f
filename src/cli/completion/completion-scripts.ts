import type { Shell } from "./shells.ts";

/**
 * Each asks `track completion candidates` for lines of `value<TAB>description`. No line leaves the word to the shell, which then
 * offers files; the line `:command` asks it for commands.
 */
export const completionScripts: Readonly<Record<Shell, string>> = {
  // bash takes `--experiment=di` for three words; an empty one is completed after the `=`.
  bash: String.raw`_track() {
  local value word="${"$"}{COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  [[ $word == "=" ]] && word=""
  while IFS=$'\t' read -r value _; do
    if [[ $value == ":command" ]]; then
      mapfile -t COMPREPLY < <(compgen -c -- "$word")
    elif [[ $word == [\"\']* ]]; then
      COMPREPLY+=("$value")
    else
      COMPREPLY+=("$(printf '%q' "$value")")
    fi
  done < <(track completion candidates -- "${"$"}{COMP_WORDS[@]:1:COMP_CWORD-1}" "$word" 2>/dev/null)
}
complete -o default -o bashdefault -F _track track
`,
  zsh: String.raw`#compdef track
_track() {
  local value description
  local -a values shown
  while IFS=$'\t' read -r value description; do
    if [[ $value == ":command" ]]; then
      _command_names -e
      return
    fi
    values+=("$value")
    shown+=("$value${"$"}{description:+  -- $description}")
  done < <(track completion candidates -- "${"$"}{(@)words[2,CURRENT-1]}" "${"$"}{words[CURRENT]}" 2>/dev/null)
  if (( $#values )); then
    compadd -l -d shown -a values
  else
    _files
  fi
}
if [[ $funcstack[1] == _track ]]; then
  _track "$@"
else
  compdef _track track
fi
`,
  fish: String.raw`function __track_candidates
    set -l words (commandline -opc)
    set -l found (track completion candidates -- $words[2..-1] (commandline -ct) 2>/dev/null)
    if test "$found[1]" = ":command"
        complete -C (commandline -ct)
    else
        string join -- \n $found
    end
end
complete -c track -f -n 'test -n "$(__track_candidates)"' -a '(__track_candidates)'
`,
};
