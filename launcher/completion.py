"""Completion: `joulegrid completion bash`: what a shell offers behind the word joulegrid.

The script asks `joulegrid complete -- LINE` at each key; that answers from the names and lines of
`conf/` and from the source of the verb, and imports none of them.
"""

import ast
import contextlib
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from launcher.config.listing import group_options, groups, sections, settable
from telemetry.boards.table import BOARDS
from telemetry.command import CommandParser, ExitCode, command
from telemetry.next_line import PROGRAM, VERBS
from workers.prompts.corpus import CORPORA

SHELLS: Final = ("bash", "zsh")
"""The shells that there is a script for."""
RUN_FLAGS: Final = (
    *("-m", "--multirun", "-h", "--help", "--version", "-c", "--cfg", "--resolve"),
    *("-p", "--package", "-i", "--info", "--hydra-help"),
)
"""The flags of `joulegrid run`, which takes Hydra's beside its own."""
FOLDERS: Final = "@folders"
"""Offered where a folder is wanted: the shell lists them itself."""
FILES: Final = "@files"
"""Offered where a file or a folder is wanted."""

# What every command has beside its own (telemetry.command.CommandParser).
_ALWAYS: Final = {"--help": False, "--version": False}
# What `CommandParser.add_json` adds.
_JSON: Final = "--json"
# A single word that may stand as a value, among words that say what else may.
_VALUE: Final = re.compile(r"[A-Za-z][\w-]*")
_BETWEEN: Final = re.compile(r", (?:or )?| or ")
# Bash takes what stands behind = for a word of its own; zsh does not, and knows no compopt.
_SCRIPT: Final = """\
_joulegrid() {
    local line="${COMP_LINE:0:COMP_POINT}" word value fixed="" each name
    word="${line##* }"
    value="${word##*=}"
    case "${COMP_WORDBREAKS-}" in
        *=*) fixed="${word%"$value"}" ;;
    esac
    COMPREPLY=()
    while IFS= read -r each; do
        case "$each" in
            @folders | @files)
                compopt -o filenames 2>/dev/null
                while IFS= read -r name; do
                    COMPREPLY+=("${word%"$value"}$name")
                done < <(if [ "$each" = @files ]; then compgen -f -- "$value"
                    else compgen -d -- "$value"; fi)
                ;;
            *)
                COMPREPLY+=("$each")
                ;;
        esac
    done < <("${1:-joulegrid}" complete -- "$line" 2>/dev/null)
    COMPREPLY=("${COMPREPLY[@]#"$fixed"}")
    case "${COMPREPLY[*]}" in
        *[=.]) compopt -o nospace 2>/dev/null ;;
    esac
}
"""
_LAST_LINE: Final = {
    "bash": "complete -F _joulegrid joulegrid\n",
    "zsh": "complete -o nospace -F _joulegrid joulegrid\n",
}
_FIRST_LINE: Final = {
    "bash": "",
    "zsh": "autoload -Uz compinit bashcompinit && compinit && bashcompinit\n",
}


@command("completion")
def main(arguments: Sequence[str] | None = None) -> int:
    """Print a shell's script; the exit code."""
    parser = CommandParser(
        module="launcher.completion",
        description="The script that completes verbs, keys, options and folders in a shell.",
        epilog="to install it, once:\n"
        "  echo 'source <(joulegrid completion bash)' >> ~/.bashrc\n"
        "  echo 'source <(joulegrid completion zsh)' >> ~/.zshrc",
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell to complete in")
    sys.stdout.write(script(parser.parse_args(arguments).shell))
    return ExitCode.DONE


def script(shell: str) -> str:
    """What a shell of that name sources."""
    return f"{_FIRST_LINE[shell]}{_SCRIPT}{_LAST_LINE[shell]}"


def complete(arguments: Sequence[str]) -> int:
    """Print what may stand in place of the last word of a line, `-- LINE`; the exit code."""
    line = arguments[-1] if arguments else ""
    sys.stdout.write("".join(f"{each}\n" for each in offers(split(line))))
    return ExitCode.DONE


def split(line: str) -> list[str]:
    """The words of a line behind the program's name, the last as far as it is typed."""
    for closing in ("", "'", '"'):
        with contextlib.suppress(ValueError):
            words = shlex.split(line + closing)
            begins = not closing and line[-1:].isspace()
            names = [Path(word).name for word in words]
            place = names.index(PROGRAM) + 1 if PROGRAM in names else len(words)
            return [*words[place:], *([""] if begins else [])]
    return []


def offers(words: Sequence[str]) -> list[str]:
    """What the last of the words may become, in order, given those before it."""
    if not words:
        return []
    *before, typed = words
    found = _of_verb(before, typed) if before else [*VERBS.values(), *_ALWAYS]
    return [each for each in found if each.startswith(typed) or each in (FOLDERS, FILES)]


def _of_verb(before: Sequence[str], typed: str) -> list[str]:
    verb, *given = before
    modules = {name: module for module, name in VERBS.items()}
    if verb not in modules:
        return []
    if verb == "run":
        return list(_of_run(given, typed))
    flags = flags_of(modules[verb])
    if given and flags.get(given[-1]):
        return _values_of_flag(given)
    if typed.startswith("-"):
        return sorted(flags)
    if verb == "stage":
        return [name for name, corpus in CORPORA.items() if corpus.stageable and name not in given]
    return list(SHELLS) if verb == "completion" else [FOLDERS]


def flags_of(module: str) -> dict[str, bool]:
    """A command's long flags, and whether a value follows: read from its source, not imported."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return {}
    origin = Path(spec.origin)
    sources = sorted(origin.parent.glob("*.py")) if origin.name == "__init__.py" else [origin]
    found = dict(_ALWAYS)
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == "add_json":
                found[_JSON] = False
            if node.func.attr == "add_argument":
                alone = any(
                    word.arg == "action"
                    and isinstance(word.value, ast.Constant)
                    and str(word.value.value).startswith("store_")
                    for word in node.keywords
                )
                names = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                found |= {str(name): not alone for name in names if str(name)[:2] == "--"}
    return found


def _values_of_flag(given: Sequence[str]) -> list[str]:
    if given[-1] != "--campaign":
        return [FILES]
    for word in given:
        with contextlib.suppress(OSError):
            return sorted(child.name for child in (Path(word) / "campaigns").iterdir())
    return []


def _of_run(given: Sequence[str], typed: str) -> Iterator[str]:
    topics = [*groups(), *(name.lower() for name in sections()), *settable()]
    if given and given[-1] in ("-h", "--help"):
        yield from dict.fromkeys(topics)
    elif typed.startswith("--help="):
        yield from (f"--help={topic}" for topic in dict.fromkeys(topics))
    elif typed.startswith("-"):
        yield from RUN_FLAGS
    elif "=" in typed:
        key, _, value = typed.partition("=")
        first = value[: value.rfind(",") + 1]
        chosen = set(first.split(","))
        for each in values_of(key):
            if each in (FOLDERS, FILES):
                yield each
            elif each not in chosen:
                yield f"{key}={first}{each}"
    else:
        taken = {word.partition("=")[0] for word in given}
        yield from (f"{name}=" for name in _keys(typed) if name not in taken)
        # Where keys of a group are to be set, one goes on behind the dot.
        if typed and "." not in typed:
            yield from (f"{name}." for name in groups() if len(_below(name)) > 1)


def values_of(key: str) -> list[str]:
    """The values of a key that can be listed; FOLDERS or FILES where it takes a path."""
    if key in groups():
        return group_options(key)
    allowed = settable().get(key, "")
    found = [
        word for word in _BETWEEN.split(allowed.replace("one of ", "")) if _VALUE.fullmatch(word)
    ]
    if key in ("gpu", "cluster.gpu"):
        found += [*BOARDS, *(f"simulated-{name}" for name in BOARDS)]
    if "folder" in allowed:
        found.append(FOLDERS)
    elif "file" in allowed or "path" in allowed:
        found.append(FILES)
    return found


def _keys(typed: str) -> list[str]:
    every = settable()
    if "." in typed:
        return [name for name in every if "." in name]
    return sorted({*groups(), *(name for name in every if "." not in name)})


def _below(group: str) -> list[str]:
    return [name for name in settable() if name.startswith(f"{group}.")]


if __name__ == "__main__":
    sys.exit(main())
