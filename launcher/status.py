"""Status: `python -m launcher.status RESULTS`: where a campaign stands, from any shell, any day.

Jobs that Slurm ended without a word of theirs get their end recorded by the way.

Exit status: 0 all well so far, 1 a point failed or is unreadable, 2 the command is wrong.
"""

import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandParser, ExitCode, command, complain, needs_extra
from telemetry.named_paths import named_path
from telemetry.terminal import printable

with needs_extra("status", "launch"):
    from rich.console import Console, Group, RenderableType
    from rich.live import Live
    from rich.text import Text

    from launcher.campaign.point_status import GOING, PointStatus, campaigns, point_statuses
    from launcher.slurm.reconcile import reconcile
    from telemetry.record.paths import holds_results
    from telemetry.record.seal import SEALED
    from workers.planning.engine_facts import DEFAULT_ENGINE

# squeue is asked each time: more often would be felt by a controller with many users.
_WATCH_S: Final = 5.0
# More lines than a screen has say less than their count.
_MOST_LINES: Final = 30
_STYLES: Final = {SEALED: "green", "running": "cyan", "merging": "cyan", "queued": "dim"}


@command("status")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = CommandParser(
        module="launcher.status",
        description="Where the points of a campaign stand.",
        epilog="exit status: 0 all well so far, 1 a point failed or is unreadable, 2 the "
        "command is wrong, 130 stopped",
    )
    parser.add_argument("results", help="the results folder")
    parser.add_argument(
        "--campaign", help="one call of the launcher: a folder of RESULTS/campaigns"
    )
    parser.add_argument("--watch", action="store_true", help="stay until the last point has ended")
    parser.add_argument("--all", action="store_true", help="list every point, the sealed ones too")
    given = parser.parse_args(arguments)
    try:
        results = named_path("RESULTS", given.results, "a results folder")
    except ValueError as error:
        complain("status", str(error))
        return ExitCode.BAD_INPUT
    if fault := fault_of(results, given.campaign):
        complain("status", fault)
        return ExitCode.BAD_INPUT
    console = Console(soft_wrap=True, highlight=False)
    if given.watch:
        code = watch(results, given.campaign, console)
        found = look(results, given.campaign)[0]
    else:
        found, notes = look(results, given.campaign)
        console.print(page(found, notes, most=len(found) if given.all else _MOST_LINES))
        code = _code(found)
    folder = shlex.quote(str(results))
    going = any(status.state in GOING for status in found)
    line = f"launcher.status {folder} --watch" if going else f"analysis {folder}"
    if any(status.state == SEALED for status in found) or going:
        console.print(f"next: python -m {printable(line)}", markup=False)
    return code


def fault_of(results: Path, campaign: str | None, *, any_folder: bool = False) -> str | None:
    """What is wrong with the folder or campaign that somebody named; None when nothing is.

    `any_folder` takes one that holds nothing of the launcher's, too.
    """
    try:
        if not results.is_dir():
            return f"`RESULTS` must be a results folder, but {results} is none"
        if not any_folder and not holds_results(results):
            return (
                f"`RESULTS` must be a results folder, but {results} holds neither a run nor a "
                "campaign"
            )
        names = campaigns(results)
    except OSError as error:
        return (
            f"`RESULTS` must be a folder that can be read, but {results} is not: {error.strerror}"
        )
    if campaign is not None and campaign not in names:
        last = ", ".join(names[-3:]) or "none"
        return f"`--campaign` must be a campaign of {results} (the last: {last}), but is {campaign}"
    return None


def _code(found: Sequence[PointStatus]) -> int:
    return ExitCode.FAILED if any(status.failed for status in found) else ExitCode.DONE


def look(results: Path, campaign: str | None) -> tuple[list[PointStatus], list[str]]:
    """Where the points stand now, and what could not be learned."""
    known = reconcile(results, campaign)
    return point_statuses(results, known, campaign), known.doubts


def watch(results: Path, campaign: str | None, console: Console) -> int:
    """Show a campaign until its last point has ended; the exit status. Ctrl-C only looks away."""
    before = ""
    found: list[PointStatus] = []
    with Live(console=console, auto_refresh=False, transient=True) as live:
        try:
            while True:
                found, notes = look(results, campaign)
                if console.is_terminal:
                    live.update(page(found, notes, most=_MOST_LINES), refresh=True)
                elif (line := summary(found)) != before:
                    console.print(line, markup=False)
                    before = line
                if not any(status.state in GOING for status in found):
                    break
                time.sleep(_WATCH_S)
        except KeyboardInterrupt:
            console.print("the jobs go on; launcher.cancel stops them")
    console.print(page(found, [], most=_MOST_LINES))
    return _code(found)


def summary(found: Sequence[PointStatus]) -> str:
    """How many points stand where, in one line."""
    counts = Counter(status.state for status in found)
    words = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return f"{len(found)} points: {words}" if found else "no point was started here"


def page(found: Sequence[PointStatus], notes: Sequence[str], *, most: int) -> RenderableType:
    """The summary and the points, those that failed first; sealed ones only where there is room."""
    order = sorted(found, key=_urgency)
    shown = order if len(order) <= most else [s for s in order if s.state != SEALED][:most]
    parts: list[RenderableType] = [Text(summary(found))]
    # A folder of the default engine alone needs no word of it.
    tell_engines = {status.engine for status in found} != {DEFAULT_ENGINE}
    for status in shown:
        line = Text(f"{status.state:<9}", style=_STYLES.get(status.state, "bold red"))
        line.append(f" {printable(status.run_id)} attempt {status.attempt}", style="default")
        if tell_engines:
            line.append(f"  {status.engine}", style="default")
        if status.differs:
            line.append(f"  {printable(status.differs)}", style="default")
        if status.detail:
            line.append(f"  {printable(status.detail)}", style="default")
        parts.append(line)
        if status.failed and status.log is not None:
            parts.append(Text(f"          log: {printable(str(status.log))}"))
    if len(shown) < len(order):
        parts.append(Text(f"and {len(order) - len(shown)} more; --all lists them"))
    parts += [Text(f"note: {printable(note)}") for note in notes]
    return Group(*parts)


def _urgency(status: PointStatus) -> tuple[int, str]:
    if status.failed:
        return 0, status.run_id
    rank = {"running": 1, "merging": 2, "queued": 3}.get(status.state, 4)
    return rank, status.run_id


if __name__ == "__main__":
    sys.exit(main())
