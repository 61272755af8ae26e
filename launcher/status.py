"""Status: `python -m launcher.status RESULTS`: where a campaign stands, from any shell, any day.

Jobs that Slurm ended without a word of theirs get their end recorded by the way.

Exit status: 0 all well so far, 1 a point failed, 2 the command is wrong.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from launcher.campaign.point_status import GOING, PointStatus, campaigns, point_statuses
from launcher.slurm.reconcile import reconcile
from telemetry.record.seal import SEALED
from workers.planning.engine_facts import DEFAULT_ENGINE

# squeue is asked each time: more often would be felt by a controller with many users.
_WATCH_S: Final = 5.0
# More lines than a screen has say less than their count.
_MOST_LINES: Final = 30
_BAD_INPUT: Final = 2
_STYLES: Final = {SEALED: "green", "running": "cyan", "merging": "cyan", "queued": "dim"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m launcher.status", description="Where the points of a campaign stand."
    )
    parser.add_argument("results", type=Path, help="the results folder")
    parser.add_argument(
        "--campaign", help="one call of the launcher: a folder of RESULTS/campaigns"
    )
    parser.add_argument("--watch", action="store_true", help="stay until the last point has ended")
    parser.add_argument("--all", action="store_true", help="list every point, the sealed ones too")
    given = parser.parse_args(arguments)
    results: Path = given.results.absolute()
    if fault := fault_of(results, given.campaign):
        sys.stderr.write(f"status: {fault}\n")
        return _BAD_INPUT
    console = Console(soft_wrap=True, highlight=False)
    if given.watch:
        return watch(results, given.campaign, console)
    found, notes = look(results, given.campaign)
    console.print(page(found, notes, most=len(found) if given.all else _MOST_LINES))
    return 1 if any(status.failed for status in found) else 0


def fault_of(results: Path, campaign: str | None) -> str | None:
    """What is wrong with the folder or campaign that somebody named; None when nothing is."""
    if not results.is_dir():
        return f"`RESULTS` must be a results folder, but {results} is none"
    if campaign is not None and campaign not in (names := campaigns(results)):
        last = ", ".join(names[-3:]) or "none"
        return f"`--campaign` must be a campaign of {results} (the last: {last}), but is {campaign}"
    return None


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
    return 1 if any(status.failed for status in found) else 0


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
        line.append(f" {status.run_id} attempt {status.attempt}", style="default")
        if tell_engines:
            line.append(f"  {status.engine}", style="default")
        if status.detail:
            line.append(f"  {status.detail}", style="default")
        parts.append(line)
        if status.failed and status.log is not None:
            parts.append(Text(f"          log: {status.log}"))
    if len(shown) < len(order):
        parts.append(Text(f"and {len(order) - len(shown)} more; --all lists them"))
    parts += [Text(f"note: {note}") for note in notes]
    return Group(*parts)


def _urgency(status: PointStatus) -> tuple[int, str]:
    if status.failed:
        return 0, status.run_id
    rank = {"running": 1, "merging": 2, "queued": 3}.get(status.state, 4)
    return rank, status.run_id


if __name__ == "__main__":
    sys.exit(main())
