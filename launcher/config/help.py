"""Help: what `python -m launcher --help` says: every key, from the comments in `conf/`."""

import textwrap
from typing import Final

from launcher.config.listing import group_options
from launcher.config.reference import read_groups

_WIDTH: Final = 100
_INTRODUCTION: Final = """\
python -m launcher [-m] [KEY=VALUE | KEY=A,B | GROUP=OPTION ...]

Checks the grid as a whole, runs what is missing of it, and seals it.

  python -m launcher -m model=nano,micro gpus=1,2 plan=true   what would run, and why the rest not
  python -m launcher -m model=nano,micro gpus=1,2             run it
  python -m launcher experiment=demo                          a grid that is ready

Other flags: --version, --cfg job (the configuration as composed), --info, --hydra-help.
Each key once, groups with their options; docs/configuration.md has units and defaults."""
EXIT_CODES: Final = """\
Exit status:
  0    all well: planned, sealed, queued, or going on elsewhere
  1    a point failed, or the machine did (a full disk)
  2    the command, a value or a folder will not do: nothing was begun
  3    no point of the grid can run here
  130  stopped by Ctrl-C; the same command goes on"""


def help_text() -> str:
    """The whole text."""
    lines = [_INTRODUCTION]
    for group in read_groups():
        lines.append("")
        if group.name:
            lines += _filled(f"{group.name}=", ", ".join(group_options(group.name)), group.meaning)
        for key in group.keys:
            if not group.name:
                lines += _filled(f"{key.name}=", key.allowed, key.meaning)
            else:
                lines.append(f"    {key.name}= [{key.allowed}]")
    return "\n".join([*lines, "", EXIT_CODES, ""])


def _filled(key: str, allowed: str, meaning: str) -> list[str]:
    return textwrap.wrap(
        f"{key} [{allowed}] {meaning}",
        width=_WIDTH,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
