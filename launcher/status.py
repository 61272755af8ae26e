"""Status: `python -m launcher.status RESULTS`: where a campaign stands, from any shell, any day.

Jobs that Slurm ended without a word of theirs get their end recorded by the way.

Exit status: 0 all well so far, 1 a point failed or is unreadable, 2 the command is wrong, 3 no
point is there, or none can be read.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from telemetry.clock import US_PER_S, wall_us
from telemetry.command import CommandError, CommandParser, ExitCode, command, complain, needs_extra
from telemetry.document import due
from telemetry.nearest import did_you_mean, told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.paragraph import Paragraph
from telemetry.waiting import line_pause_s, waiting

with needs_extra("status", "launch"):
    from rich.console import Console, ConsoleOptions, Group, RenderableType
    from rich.live import Live

    from analysis.runs.labels import in_order, legend_of, marks_of
    from launcher.campaign.point_status import (
        GOING,
        UNREADABLE,
        PointStatus,
        campaigns,
        point_statuses,
    )
    from launcher.campaign.time_left import Durations, whole_time
    from launcher.repeats.record import is_open, kept, last_rounds, living_launcher, said
    from launcher.slurm.reconcile import reconcile
    from telemetry.record.attempt_state import RUNNING
    from telemetry.record.files import read_json
    from telemetry.record.paths import campaigns_folder
    from telemetry.record.place import named_place, shown
    from telemetry.record.seal import SEALED
    from telemetry.record.way_on import WayOn
    from workers.planning.engine_facts import DEFAULT_ENGINE

# squeue is asked each time: more often would be felt by a controller with many users.
_WATCH_S: Final = 5.0
# A watch in a log says its lines in time, and Ctrl-C is heard.
_TICK_S: Final = 0.2
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
    parser.add_json("every point and how far the campaign is")
    given = parser.parse_args(arguments)
    place = named_place(given.results, "launcher.status")
    results, only = place.results, None if place.run is None else place.run.run_id
    require_campaign(results, given.campaign)
    out = Output()
    if given.watch:
        code = watch(results, given.campaign, out, only)
        found, notes = look(results, given.campaign, only)
    else:
        found, notes = look(results, given.campaign, only)
        began = began_us(results, given.campaign, found)
        out.print(page(found, most=len(found) if given.all else _MOST_LINES, began=began))
        code = _code(found)
    decided = kept(results, given.campaign) if only is None else None
    for line in () if decided is None else said(decided):
        out.say(line.lstrip(), indent=len(line) - len(line.lstrip()))
    for note in notes:
        out.note(note)
    if (document := due()) is not None:
        content = _document(results, given.campaign, found)
        document.fill("status", {**content, "repeats_auto": decided})
    _way_on(out, results, found, watched=given.watch, decided=decided)
    if code == ExitCode.NOTHING_DONE:
        complain("status", f"no point of {shown(results)} can be read")
    return code


def _way_on(
    out: Output,
    results: Path,
    found: Sequence[PointStatus],
    *,
    watched: bool,
    decided: Mapping[str, Any] | None,
) -> None:
    """End with what comes next; who looked away from a watch knows how to look again."""
    if any(status.state in GOING for status in found):
        out.next(None if watched else typed("launcher.status", results, "--watch"))
        return
    last = last_rounds(results)
    if last is not None and (decided is None or is_open(decided)):
        ended = "repeats=auto: a round has ended;"
        living, unseen = living_launcher(last[1])
        if living is not None:
            out.say(f"{ended} {living} still runs, looks at it and goes on")
            out.next(None if watched else typed("launcher.status", results, "--watch"))
            return
        unless = "" if unseen is None else f", unless {unseen} still runs"
        out.say(f"{ended} the same command looks at it and goes on{unless}")
        # The launcher's own words, behind those that start it; the folder as it is named here.
        words = [word for word in map(str, last[1]["command"][3:]) if "results=" not in word]
        out.next(typed("launcher", *words, f"results={shown(results)}"))
        return
    way = WayOn.of(results)
    out.next(way.next)
    if way.next is None and way.reported:
        out.exact(f"report: {way.page}")


def _document(results: Path, campaign: str | None, found: Sequence[PointStatus]) -> dict[str, Any]:
    counts = Counter(status.state for status in found)
    progress = CampaignStanding(found, wall_us(), began_us(results, campaign, found))
    return {
        "results": str(results),
        "campaign": campaign,
        "counts": dict(sorted(counts.items())),
        "done": progress.done,
        "total": progress.total,
        "elapsed_s": progress.elapsed_s,
        "left_s": progress.left.known_s if progress.left.known else None,
        "left_points": progress.left.known,
        "left_unknown_points": progress.left.unknown,
        "points": [
            {
                "run_id": status.run_id,
                "engine": status.engine,
                "attempt": status.attempt,
                "state": status.state,
                "failed": status.failed,
                "going": status.state in GOING,
                "detail": status.detail,
                "differs": status.differs,
                "log": None if status.log is None else str(status.log),
                "began_us": status.began_us,
                "took_s": status.took_s,
                "left_s": status.left_s,
                "foreseen_s": status.foreseen_s,
                "labels": [label.word for label in status.labels],
            }
            for status in found
        ],
    }


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
    with waiting("looking at the points"):
        return _look(results, campaign, only)


def _look(
    results: Path, campaign: str | None, only: str | None
) -> tuple[list[PointStatus], list[str]]:
    known = reconcile(results, campaign)
    found = point_statuses(results, known, campaign)
    return [one for one in found if only is None or one.run_id == only], known.doubts


def watch(results: Path, campaign: str | None, out: Output, only: str | None = None) -> int:
    """Show a campaign until its last point has ended; the exit status. Ctrl-C only looks away."""
    shown = _Watched(out)
    with Live(shown, console=out, refresh_per_second=1, transient=True):
        try:
            # The page stands on a terminal between two looks: nothing else may draw there.
            shown.found = (_look if out.is_terminal else look)(results, campaign, only)[0]
            shown.began_us = began_us(results, campaign, shown.found)
            while any(status.state in GOING for status in shown.found):
                shown.wait(_WATCH_S)
                shown.found = _look(results, campaign, only)[0]
        except KeyboardInterrupt:
            out.say(f"the jobs go on; {typed('launcher.cancel', results)} stops them")
    out.print(page(shown.found, most=_MOST_LINES))
    return _code(shown.found)


class _Watched:
    """What a watch shows: a page that tells its age on a terminal, a line now and then in a log."""

    def __init__(self, out: Output) -> None:
        self.found: Sequence[PointStatus] = ()
        self.began_us: int | None = None
        self._out = out
        self._begun_s = self._looked_s = time.monotonic()
        self._said = ""
        self._next_line_s = 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        del console, options
        if not self._out.is_terminal:
            # A Live prints once more at its end what only a terminal is to have.
            return
        yield page(self.found, most=_MOST_LINES, began=self.began_us)
        age_s = time.monotonic() - self._looked_s
        yield Paragraph(text=f"looked {age_s:.0f} s ago; Ctrl-C looks away")

    def wait(self, seconds: float) -> None:
        """Let that time go by."""
        self._looked_s = time.monotonic()
        while (now_s := time.monotonic()) < self._looked_s + seconds:
            if not self._out.is_terminal:
                self._log(now_s)
            time.sleep(_TICK_S)

    def _log(self, now_s: float) -> None:
        line = summary(self.found)
        if line != self._said or now_s >= self._next_line_s:
            self._out.say(line + CampaignStanding(self.found, wall_us(), self.began_us).words)
            self._said = line
            self._next_line_s = now_s + line_pause_s(now_s - self._begun_s)


class CampaignStanding:
    """How far the points are as a whole."""

    def __init__(
        self, found: Sequence[PointStatus], now_us: int, began_us: int | None = None
    ) -> None:
        durations = Durations()
        for one in found:
            if one.state == SEALED:
                durations.add(one.work, one.took_s)
        going = [one for one in found if one.state in GOING]
        self.total = len(found)
        """Points that were begun."""
        self.done = len(found) - len(going)
        """Those of them that have ended, however."""
        self.elapsed_s = None
        """Since their campaign began; None where nothing says, and once all have ended."""
        if began_us is not None and going:
            self.elapsed_s = max(now_us - began_us, 0) / US_PER_S
        self.left = durations.left(
            [
                (
                    one.work,
                    one.foreseen_s,
                    max(now_us - one.began_us, 0) / US_PER_S
                    if one.state == RUNNING and one.began_us is not None
                    else 0.0,
                )
                for one in going
            ]
        )
        """How long the others will take, one after another."""

    @property
    def words(self) -> str:
        """One line, without the time that a batch system lets points wait; empty at the end."""
        if self.done == self.total:
            return ""
        begun = "" if self.elapsed_s is None else f"; {whole_time(self.elapsed_s)} so far"
        return f"{begun}; {self.left.words}, queues not counted"


def summary(found: Sequence[PointStatus]) -> str:
    """How many points stand where, in one line."""
    counts = Counter(status.state for status in found)
    words = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return f"{told_count(len(found), 'point')}: {words}" if found else "no point was started here"


def began_us(results: Path, campaign: str | None, found: Sequence[PointStatus]) -> int | None:
    """When the last campaign of which points are open began; None where none is or nothing says."""
    going = {status.run_id for status in found if status.state in GOING}
    for name in reversed(campaigns(results) if campaign is None else [campaign]):
        if not going:
            break
        try:
            content = read_json(campaigns_folder(results) / name / "campaign.json")
            if any(point["run_id"] in going for point in content["points"]):
                t_us = content["t_us"]
                return t_us if isinstance(t_us, int) else None
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def page(found: Sequence[PointStatus], *, most: int, began: int | None = None) -> RenderableType:
    """The summary and the points, those that failed first; sealed ones only where there is room.

    `began` is when their campaign did, in microseconds of the wall clock.
    """
    order = sorted(found, key=_urgency)
    listed = order if len(order) <= most else [s for s in order if s.state != SEALED][:most]
    head = summary(found) + CampaignStanding(found, wall_us(), began).words
    parts: list[RenderableType] = [Paragraph(text=head)]
    # A folder of the default engine alone needs no word of it.
    tell_engines = {status.engine for status in found} != {DEFAULT_ENGINE}
    for status in listed:
        text = f"{status.state:<9} {status.run_id} attempt {status.attempt}"
        marks = marks_of(status.labels)
        told = (
            status.engine if tell_engines else "",
            *(status.differs, status.detail, f"[{marks}]" if marks else ""),
        )
        text += "".join(f"  {each}" for each in told if each)
        style = _STYLES.get(status.state, "bold red")
        parts.append(Paragraph(text=text, hang=10, style=style, styled=len(status.state)))
        if status.failed and status.log is not None:
            parts.append(Paragraph(text=f"log: {status.log}", indent=10))
    if len(listed) < len(order):
        parts.append(Paragraph(text=f"and {len(order) - len(listed)} more; --all lists them"))
    if legend := legend_of(in_order(label for status in listed for label in status.labels)):
        parts.append(Paragraph(text=f"marks: {legend}"))
    return Group(*parts)


def _urgency(status: PointStatus) -> tuple[int, str]:
    if status.failed:
        return 0, status.run_id
    rank = {"running": 1, "merging": 2, "queued": 3}.get(status.state, 4)
    return rank, status.run_id


if __name__ == "__main__":
    sys.exit(main())
