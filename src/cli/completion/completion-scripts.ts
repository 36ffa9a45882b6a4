/** The shells that can be completed in. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** A line that is no candidate: the shell is to add names of files or directories. */
export const FILES_LINE = ":files";
export const DIRECTORIES_LINE = ":directories";

/**
 * What a shell reads at its start. Each asks this program at the moment of completion, so that new sandboxes, verbs and flags are
 * known at once; nothing is generated twice.
 */
export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `_cattlegrid() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
    :files) compopt -o default 2>/dev/null ;;
    :directories) compopt -o dirnames 2>/dev/null ;;
    *) COMPREPLY+=("$line") ;;
    esac
  done < <("\${COMP_WORDS[0]/#\\~/$HOME}" completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _cattlegrid cattlegrid cg
`,
  zsh: `#compdef cattlegrid cg
_cattlegrid() {
  local -a described
  local line paths
  for line in "\${(@f)$("\${(Q)words[1]/#\\~/$HOME}" completion zsh -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
    "") ;;
    :files) paths=files ;;
    :directories) paths=directories ;;
    *$'\t'*) described+=("\${\${line%%$'\t'*}//:/\\:}:\${line#*$'\t'}") ;;
    *) described+=("\${line//:/\\:}") ;;
    esac
  done
  (( \${#described} )) && _describe -t cattlegrid cattlegrid described
  case $paths in
  files) _files ;;
  directories) _files -/ ;;
  esac
}
compdef _cattlegrid cattlegrid cg
`,
  fish: `function __cattlegrid_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (eval $words[1] completion fish -- (string escape -- $words[2..-1] "$current") 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :directories
                __fish_complete_directories "$current" ""
            case '*'
                echo $line
        end
    end
end
complete -c cattlegrid -f -a '(__cattlegrid_complete)'
complete -c cg -f -a '(__cattlegrid_complete)'
`,
};
