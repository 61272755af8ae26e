"""Status: `python -m launcher.status RESULTS`: where a campaign stands, from any shell, any day.

Jobs that Slurm ended without a word of theirs get their end recorded by the way.

Exit status: 0 all well so far, 1 a point failed or is unreadable, 2 the command is wrong, 3 no
point is there, or none can be read.
"""

import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandError, CommandParser, ExitCode, command, complain, needs_extra
from telemetry.nearest import did_you_mean, told_count
from telemetry.terminal import printable

with needs_extra("status", "launch"):
    from rich.console import Console, Group, RenderableType
    from rich.live import Live
    from rich.text import Text

    from launcher.campaign.point_status import (
        GOING,
        UNREADABLE,
        PointStatus,
        campaigns,
        point_statuses,
    )
    from launcher.slurm.reconcile import reconcile
    from telemetry.record.place import named_place, shown
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
        exits={
            ExitCode.DONE: "all well so far",
            ExitCode.FAILED: "a point failed or is unreadable",
            ExitCode.BAD_INPUT: "the command or the folder will not do",
            ExitCode.NOTHING_DONE: "no point is there or can be read",
        },
    )
    parser.add_argument(
        "results", help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_argument(
        "--campaign", help="one call of the launcher: a folder of RESULTS/campaigns"
    )
    parser.add_argument("--watch", action="store_true", help="stay until the last point has ended")
    parser.add_argument("--all", action="store_true", help="list every point, the sealed ones too")
    given = parser.parse_args(arguments)
    place = named_place(given.results, "launcher.status")
    results, only = place.results, None if place.run is None else place.run.run_id
    require_campaign(results, given.campaign)
    console = Console(soft_wrap=True, highlight=False)
    if given.watch:
        code = watch(results, given.campaign, console, only)
        found = look(results, given.campaign, only)[0]
    else:
        found, notes = look(results, given.campaign, only)
        console.print(page(found, notes, most=len(found) if given.all else _MOST_LINES))
        code = _code(found)
    folder = shlex.quote(str(results))
    going = any(status.state in GOING for status in found)
    line = f"launcher.status {folder} --watch" if going else f"analysis {folder}"
    if any(status.state == SEALED for status in found) or going:
        console.print(f"next: python -m {printable(line)}", markup=False)
    if code == ExitCode.NOTHING_DONE:
        complain("status", f"no point of {shown(results)} can be read")
    return code


def require_campaign(results: Path, campaign: str | None) -> None:
    """Check that a campaign that somebody named is one of the results folder.

    Raises:
        CommandError: it is none.
    """
    names = campaigns(results)
    if campaign is None or campaign in names:
        return
    last = f"; the last is {names[-1]}" if names else ""
    raise CommandError(
        f"`--campaign` must be a campaign of {shown(results)}, which has {len(names)}, "
        f"but is {campaign!r} instead{did_you_mean(campaign, names) or last}"
    )


def nothing_read(found: Sequence[PointStatus]) -> bool:
    """True where there is no point, or none whose record can be read."""
    return all(status.state == UNREADABLE for status in found)


def _code(found: Sequence[PointStatus]) -> int:
    if nothing_read(found):
        return ExitCode.NOTHING_DONE
    return ExitCode.FAILED if any(status.failed for status in found) else ExitCode.DONE


def look(
    results: Path, campaign: str | None, only: str | None = None
) -> tuple[list[PointStatus], list[str]]:
    """Where the points stand now, or the one run that is named, and what could not be learned."""
    known = reconcile(results, campaign)
    found = point_statuses(results, known, campaign)
    return [one for one in found if only is None or one.run_id == only], known.doubts


def watch(results: Path, campaign: str | None, console: Console, only: str | None = None) -> int:
    """Show a campaign until its last point has ended; the exit status. Ctrl-C only looks away."""
    before = ""
    found: list[PointStatus] = []
    with Live(console=console, auto_refresh=False, transient=True) as live:
        try:
            while True:
                found, notes = look(results, campaign, only)
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
    return f"{told_count(len(found), 'point')}: {words}" if found else "no point was started here"


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
