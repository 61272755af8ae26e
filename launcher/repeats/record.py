"""Record: what was decided of repeats, beside the plan of the last round, and how it is said.

campaigns/<name>/repeats.json    after each round: every look at every point, and what stopped it
"""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from launcher.plan.auto_repeats import KEY
from launcher.repeats.look import RoundsLook
from launcher.repeats.series import GOING, RepeatStanding
from telemetry.nearest import told_count
from telemetry.record.attempt_state import is_alive, this_host
from telemetry.record.bulk_files import json_text, replace_text
from telemetry.record.files import read_json
from telemetry.record.paths import campaigns_folder
from telemetry.record.planned import PLAN

REPEATS: Final = "repeats.json"
"""The file of a campaign's folder that has what was decided of its repeats."""
# A screen of lines: the file has all.
_MOST_LINES: Final = 20


def last_rounds(
    results: Path, firsts: Collection[str] | None = None
) -> tuple[Path, dict[str, Any]] | None:
    """The folder and the plan of the last campaign whose repeats a rule decides; None for none.

    `firsts` are first repeats of which one must be in it; None takes any campaign.
    """
    for folder, plan in _ruled(results):
        if firsts is None or any(point.get("run_id") in firsts for point in plan["points"]):
            return folder, plan
    return None


def living_launcher(plan: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The launcher of a campaign in words: where it still runs, and where nobody can see that.

    Both are None where it has ended, and in a plan that names none.
    """
    launcher = plan.get("launcher")
    content = launcher if isinstance(launcher, Mapping) else {}
    host, pid, created_us = (content.get(name) for name in ("host", "pid", "pid_created_us"))
    if not isinstance(pid, int) or not isinstance(created_us, int):
        return None, None
    # Who looks in its own process has come back from what it launched.
    if pid == os.getpid() and host in this_host():
        return None, None
    who = f"its launcher, process {pid} of {host},"
    if host not in this_host():
        return None, who
    return (who if is_alive(pid, created_us) else None), None


def _ruled(results: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The campaigns whose repeats a rule decides, the last first."""
    for path in sorted(campaigns_folder(results).glob(f"*/{PLAN}"), reverse=True):
        try:
            content = read_json(path)
        except (OSError, ValueError):
            # Whoever reads the campaigns says so.
            continue
        if isinstance(content.get(KEY), dict) and isinstance(content.get("points"), list):
            yield path.parent, content


def keep(results: Path, look: RoundsLook) -> None:
    """Write what was decided beside the last round's plan; the same again changes no file.

    Raises:
        OSError: it cannot be written.
    """
    last = last_rounds(results, {each.first for each in look.series})
    if last is None:
        return
    path, text = last[0] / REPEATS, json_text(look.to_mapping())
    if not path.is_file() or path.read_text() != text:
        replace_text(path, text)


def kept(results: Path, campaign: str | None = None) -> dict[str, Any] | None:
    """What was decided at the last look; None where nobody looked yet, or no rule is in force.

    `campaign` is the one that is meant; None takes the last that has a look.
    """
    for folder, _ in _ruled(results):
        if campaign is not None and folder.name != campaign:
            continue
        try:
            content = read_json(folder / REPEATS)
        except (OSError, ValueError):
            continue
        if isinstance(content.get("points"), list):
            return content
    return None


def is_open(content: Mapping[str, Any]) -> bool:
    """Whether a point is not done."""
    return any(point.get("standing") in GOING for point in content["points"])


def said(content: Mapping[str, Any]) -> Iterator[str]:
    """What was decided, for people: a line of all, a line a point, and what drifted."""
    points, rule = content["points"], content["rule"]
    counts = Counter(str(point["standing"]) for point in points)
    words = ", ".join(f"{counts[each]} {each}" for each in RepeatStanding if counts[each])
    yield (
        f"repeats=auto after round {content['rounds']} of at most {rule['most']}: "
        f"{told_count(len(points), 'point')}, {words} (asked: ± {_percent(rule['width'])})"
    )
    order = sorted(points, key=lambda point: point["standing"] == RepeatStanding.TIGHT)
    for point in order[:_MOST_LINES]:
        yield f"  {_line(point)}"
    if len(points) > _MOST_LINES:
        yield f"  and {len(points) - _MOST_LINES} more, in {REPEATS} of the campaign"
    yield str(content["drift"]["told"])


def _line(point: Mapping[str, Any]) -> str:
    label = "SIMULATED: " if point["simulated"] else ""
    line = f"{label}{point['first']}: {point['standing']}, {told_count(point['n'], 'repeat')}"
    if point["mean_j_per_token"] is not None:
        width = point["half_width"]
        told = "no interval" if width is None else f"± {_percent(width)}"
        line += f", {point['mean_j_per_token']:.4g} J/token {told}"
    return f"{line}; {point['reason']}" if point["reason"] else line


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %"
