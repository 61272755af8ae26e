"""Console: the one word `joulegrid`, which finds the module of each verb and runs it.

Nothing of a verb is imported before it is asked for: `joulegrid audit` needs what an audit needs.
"""

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Final

from telemetry.command import ExitCode, command, complain, exit_codes, own_version
from telemetry.next_line import PROGRAM, VERBS

ABOUT: Final[Mapping[str, str]] = {
    "run": "check a grid, run what is missing of it, and seal it",
    "status": "where a campaign stands, from any shell, any day",
    "cancel": "stop what is queued or running",
    "stage": "fetch data sets, once, where there is internet",
    "merge": "a dead attempt's shards become its tables",
    "report": "tables, figures and one page that opens offline",
    "audit": "every claim of a sealed run again, from its files alone",
    "sign": "who answers for what is sealed, and one hash of all of it",
    "compare": "two folders of results, point by point, with the reasons",
    "crate": "sealed runs as an RO-Crate for an archive, and one verified",
    "appendix": "what a paper appends of its measurements, from the record",
    "footprint": "carbon and cost by factors that you state, and two forms",
    "reproduce": "run again what a sealed record holds, and compare",
    "export": "a results folder without names, sealed anew",
    "accounting": "what the center's books say of the jobs, beside the runs",
    "meter": "an outside meter's log beside the runs, as a witness",
    "doctor": "what this machine lacks for a measurement, and what that costs it",
    "completion": "the script by which bash or zsh completes all these words",
}
"""What each verb does, in the order in which one meets them."""
_FIRST: Final = """\
first:
  joulegrid doctor                     what can be measured on this machine
  joulegrid run model=7b plan=true     what would run here, and why the rest not
  joulegrid run -m model=nano,micro gpus=1,2 cluster=local      a grid of tiny
                                       models on this machine
  joulegrid report results             the page
  joulegrid audit results              whether it holds
  joulegrid VERB --help                the words, keys and exit codes of a verb"""


@command(PROGRAM)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb that the command line begins with; its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["help"] and words[1:]:
        # As git and others take it: help VERB [KEY].
        words = [words[1], "--help", *words[2:]]
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(help_text())
        return ExitCode.DONE
    if words[0] == "--version":
        sys.stdout.write(f"{own_version()}\n")
        return ExitCode.DONE
    if words[0] == "complete":
        # What the script of a shell asks; nobody types it.
        return int(importlib.import_module("launcher.completion").complete(words[1:]))
    modules = {verb: module for module, verb in VERBS.items()}
    if words[0] not in modules:
        complain(PROGRAM, _no_verb(words[0]))
        return ExitCode.BAD_INPUT
    run = importlib.import_module(program_of(modules[words[0]])).main
    return int(run(words[1:]))


def help_text() -> str:
    """What `joulegrid --help` says."""
    width = max(map(len, ABOUT))
    verbs = "\n".join(f"  {verb:<{width}}  {about}" for verb, about in ABOUT.items())
    return f"""\
joulegrid measures what LLM inference costs in energy: a grid of experiments
goes in, a sealed record that anybody can audit comes out.

usage: joulegrid VERB [WORD ...]

{verbs}

{_FIRST}

{exit_codes()}
"""


def _no_verb(given: str) -> str:
    # It loads a library of distances, which a verb that is right needs not wait for.
    from telemetry.nearest import one_of  # noqa: PLC0415

    ask = f"{PROGRAM} --help"
    # As `python -m` has it: analysis, launcher.
    by_module = {module.rpartition(".")[2]: verb for module, verb in VERBS.items()}
    if given in by_module:
        return (
            f"`VERB` must be one of {len(ABOUT)} verbs, but is {given!r} instead; "
            f"did you mean {by_module[given]}? ({ask} lists them)"
        )
    known = [*ABOUT, "--help", "--version"] if given.startswith("-") else ABOUT
    return one_of("VERB", known, given, things="verbs", ask=ask)


def program_of(module: str) -> str:
    """The module that `python -m` runs for a name: a package's is its __main__."""
    spec = find_spec(module)
    is_package = spec is not None and spec.submodule_search_locations is not None
    return f"{module}.__main__" if is_package else module


if __name__ == "__main__":
    # What it says to type next is what one types where it is installed.
    sys.argv[0] = PROGRAM
    sys.exit(main())
