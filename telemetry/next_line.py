"""Next line: a command as one types it next, in the form in which this process was called."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROGRAM: Final = "joulegrid"
"""The console command's name."""
VERBS: Final[Mapping[str, str]] = {
    "launcher": "run",
    "launcher.status": "status",
    "launcher.cancel": "cancel",
    "launcher.stage": "stage",
    "launcher.reproduce": "reproduce",
    "launcher.doctor": "doctor",
    "telemetry.merge": "merge",
    "telemetry.sign": "sign",
    "analysis": "report",
    "analysis.audit": "audit",
    "analysis.compare": "compare",
    "analysis.meter": "meter",
    "analysis.crate": "crate",
    "launcher.accounting": "accounting",
    "analysis.appendix": "appendix",
    "analysis.footprint": "footprint",
    "telemetry.export": "export",
    "launcher.completion": "completion",
}
"""The console command's word for each module that `python -m` runs."""


def typed(module: str, *words: object) -> str:
    """The command that runs `module` with those words, quoted for a shell.

    `joulegrid status R` where this process is the console command, else
    `python -m launcher.status R`.
    """
    by_name = _is_by_name() and module in VERBS
    program = [PROGRAM, VERBS[module]] if by_name else ["python", "-m", module]
    return shlex.join([*program, *map(str, words)])


def spoken(who: str) -> str:
    """Whom a line of error names: `joulegrid audit` where `audit` was called so, else as given."""
    verbs = {module.rpartition(".")[2]: verb for module, verb in VERBS.items()}
    return f"{PROGRAM} {verbs[who]}" if who in verbs and _is_by_name() else who


def _is_by_name() -> bool:
    return Path(sys.argv[0]).name == PROGRAM
