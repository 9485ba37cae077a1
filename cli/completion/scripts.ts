export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** What a shell must read once. Each asks `bootfleet complete` at every key, so that it never grows old. */
export const completionScripts: Readonly<Record<Shell, string>> = {
  bash: `# source <(bootfleet completion bash)
_bootfleet() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _bootfleet bootfleet
`,
  zsh: `#compdef bootfleet
# source <(bootfleet completion zsh), after compinit
_bootfleet() {
  local -a found
  local line value
  for line in "\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    value="\${line%%$'\\t'*}"
    [[ -n $value ]] && found+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( $#found )); then _describe bootfleet found; else _files; fi
}
if [[ "\${funcstack[1]}" == _bootfleet ]]; then _bootfleet "$@"; else compdef _bootfleet bootfleet; fi
`,
  fish: `# bootfleet completion fish | source
function __bootfleet_complete
    set -l words (commandline -opc)
    set -g __bootfleet_found ($words[1] complete -- $words[2..] "$(commandline -ct)" 2>/dev/null)
    test -n "$__bootfleet_found"
end
complete -c bootfleet -n __bootfleet_complete -f -a '(printf "%s\\n" $__bootfleet_found)'
complete -c bootfleet -n 'not __bootfleet_complete' -F
`,
}
