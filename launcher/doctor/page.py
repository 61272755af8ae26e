"""Page: the observations for people and for programs, the summary first."""

import dataclasses
import platform
import shutil
import textwrap
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from launcher.doctor.observation import Observation, Standing
from launcher.doctor.situation import Situation
from telemetry.command import own_version

# A prose line is read on a terminal of the usual width.
_MOST_COLUMNS: Final = 80
_WORDS: Final = {
    Standing.THERE: "there",
    Standing.MISSING: "missing",
    Standing.UNSEEN: "could not be looked at",
    Standing.ELSEWHERE: "do not apply here",
}


def summary(found: Sequence[Observation]) -> str:
    """What stops a measurement, and how many of the looks came out how."""
    stops = [one.name for one in found if one.stops]
    counts = Counter(one.standing for one in found)
    words = ", ".join(f"{counts[each]} {word}" for each, word in _WORDS.items() if counts[each])
    if not stops:
        return f"nothing seen stops a measurement: {words}"
    many = "stops" if len(stops) == 1 else "stop"
    return f"{len(stops)} of {len(found)} {many} a measurement ({', '.join(stops)}): {words}"


def place(situation: Situation) -> str:
    """Where this is, in one line."""
    kind = "login node of" if situation.login else "node of" if situation.slurm else "machine of"
    parts = [f"{platform.node()}, {kind} cluster {situation.cluster}"]
    if situation.job is not None:
        parts.append(f"in Slurm job {situation.job}")
    if situation.container is not None:
        parts.append(f"in a {situation.container} container")
    parts.append(f"GPU {situation.gpu}")
    return ", ".join(parts)


def text(found: Sequence[Observation], situation: Situation, last_line: str) -> str:
    """The page as people read it; `last_line` says what to type next."""
    width = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    name_width = max(len(one.name) for one in found)
    lines = [*_wrapped(summary(found), "", width), *_wrapped(place(situation), "", width), ""]
    for one in found:
        head = f"{one.standing.box} {one.name:<{name_width}}  "
        lines += _wrapped(head + one.found, " " * 6, width)
        stops = "STOPS: " if one.stops else "costs: "
        if one.costs is not None:
            lines += _wrapped(f"      {stops}{one.costs}", " " * 8, width)
        if one.remedy is not None:
            lines += _wrapped(f"      mend: {one.remedy}", " " * 8, width)
    return "\n".join([*lines, "", last_line]) + "\n"


def mapping(found: Sequence[Observation], situation: Situation) -> dict[str, Any]:
    """The page as programs read it."""
    return {
        "joulegrid": own_version(),
        "host": platform.node(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cluster": situation.cluster,
        "executor": situation.executor,
        "gpu": str(situation.gpu),
        "job": situation.job,
        "container": situation.container,
        "summary": summary(found),
        "stops": [one.name for one in found if one.stops],
        "checks": [dataclasses.asdict(one) for one in found],
    }


def _wrapped(line: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
