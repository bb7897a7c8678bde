"""completion."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from freehold.cli.verbs.application import Verbs

app = Verbs()


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


# The words come from the program itself (_FREEHOLD_COMPLETE), so a script never goes stale.
_SCRIPTS = {
    Shell.BASH: """\
_freehold_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
        _FREEHOLD_COMPLETE=complete_bash "$1" ) )
}
complete -o default -F _freehold_completion freehold
""",
    Shell.ZSH: """\
#compdef freehold
_freehold_completion() {
    eval "$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" \\
        _FREEHOLD_COMPLETE=complete_zsh freehold)"
}
compdef _freehold_completion freehold
""",
    Shell.FISH: """\
complete --command freehold --no-files --arguments "(env _FREEHOLD_COMPLETE=complete_fish \
_TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=(commandline -cp) freehold)" \
--condition "env _FREEHOLD_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=is-args \
_TYPER_COMPLETE_ARGS=(commandline -cp) freehold"
""",
}


@app.command(
    epilog="""\b
Examples:
  source <(freehold completion bash)
  freehold completion zsh > "${fpath[1]}/_freehold"
  freehold completion fish > ~/.config/fish/completions/freehold.fish
""",
)
def completion(
    shell: Annotated[
        Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)
    ],
) -> None:
    """Print the completion script of a shell."""
    print(_SCRIPTS[shell], end="")
