"""What each shell reads once: a function that asks this program what may come next.

The program answers `__complete SHELL …` with a candidate and a tab and its meaning on each line; a last line
`:files` says that paths are welcome too.
"""

from __future__ import annotations

BASH = r"""# bash completion for @NAME@: source <(@NAME@ completion bash)
_@NAME@() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done < <("${COMP_WORDS[0]}" __complete bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == --*= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -F _@NAME@ @NAME@
"""

ZSH = r"""#compdef @NAME@
# zsh completion for @NAME@: a file _@NAME@ in a folder of $fpath, or source <(@NAME@ completion zsh) behind compinit
_@NAME@() {
    local line files=0
    local -a found
    for line in "${(@f)$("${words[1]}" __complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == :files ]]; then
            files=1
        elif [[ -n $line ]]; then
            found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( $#found )) && _describe -t values '@NAME@' found
    (( files )) && _files
    return 0
}
if [[ $funcstack[1] == _@NAME@ ]]; then _@NAME@; else compdef _@NAME@ @NAME@; fi
"""

FISH = r"""# fish completion for @NAME@: @NAME@ completion fish | source
function __@NAME@_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete fish $words[2..-1] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c @NAME@ -f -a '(__@NAME@_complete)'
"""

POWERSHELL = r"""# PowerShell completion for @NAME@: @NAME@ completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName '@NAME@' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    & '@NAME@' __complete powershell @words "x$wordToComplete" 2>$null | ForEach-Object {
        if ($_ -eq ':files') {
            Get-ChildItem -Path "$wordToComplete*" -ErrorAction SilentlyContinue | ForEach-Object {
                [System.Management.Automation.CompletionResult]::new($_.Name, $_.Name, 'ProviderItem', $_.FullName)
            }
        } else {
            $word, $about = $_ -split "`t", 2
            if (-not $about) { $about = $word }
            [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
        }
    }
}
"""

SCRIPTS = {"bash": BASH, "fish": FISH, "powershell": POWERSHELL, "zsh": ZSH}


def script(shell: str, name: str) -> str:
    """The script of a shell, for the program of this name."""
    return SCRIPTS[shell].replace("@NAME@", name)
