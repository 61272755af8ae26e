"""Row: one line of what Slurm's accounting says: an allocation or a step of one.

    sacct --parsable2 --duplicates --jobs=... --format=JobID,JobIDRaw,...

Times are taken in UTC. A written time in the hour that a zone has twice is told apart by the job's
own length, and else stays unknown.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from telemetry.clock import US_PER_S
from telemetry.zones import zone_of

FIELDS: Final = (
    *("JobID", "JobIDRaw", "JobName", "Cluster", "User", "Account", "Partition", "State"),
    *("ExitCode", "Submit", "Start", "End", "ElapsedRaw", "NNodes", "NodeList", "AllocTRES"),
    *("ConsumedEnergyRaw", "ConsumedEnergy"),
)
"""What accounting is asked for; `NEEDED` of it must be in an answer."""
NEEDED: Final = ("JobID", "Cluster", "State", "Submit", "Start", "End")
"""Without these no job can be told from another."""
_EPOCH: Final = re.compile(r"\d{9,11}")
_WRITTEN: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_ENERGY: Final = re.compile(r"(\d+(?:\.\d*)?)([KMGTP]?)")
# Slurm prints energy with decimal multiples (sacct, ConsumedEnergy).
_MULTIPLES: Final = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
# NO_VAL and NO_VAL64 of slurm.h, with INFINITE below each: what was never set.
_NEVER_SET: Final = frozenset({2**32 - 1, 2**32 - 2, 2**64 - 1, 2**64 - 2})
_STEP: Final = re.compile(r"(?P<job>[^.]+)\.(?P<step>\w+)")
# A year of a center's jobs with their steps.
_MOST_ROWS: Final = 2_000_000
_SHOWN: Final = 60


@dataclass(frozen=True, kw_only=True)
class AccountedEnergy:
    """Energy as accounting prints it, or why that is none."""

    energy_j: float | None
    """Joules; None when there is no reading."""
    rounded_j: float = 0.0
    """Half of its last printed digit: it may be off by as much."""
    reason: str | None = None
    """Why there is none; None when there is."""


@dataclass(frozen=True, kw_only=True)
class AccountedRow:
    """An allocation or one of its steps."""

    job_id: str
    """As accounting names it: 12, 12_3 of an array, 12+1 of a heterogeneous job."""
    raw_id: str | None
    """The number that Slurm gave it, 15 for 12_3; None where it was not asked for."""
    step: str | None
    """batch, extern or a number; None for the allocation."""
    name: str
    """Its job's name; empty where it was not asked for."""
    cluster: str
    """Slurm's own name of the cluster."""
    user: str
    """Whose it is; empty of a step, or where it was not asked for."""
    state: str
    """Slurm's word without who did it: COMPLETED, CANCELLED."""
    submit_us: int | None
    """When it was submitted; None where accounting has no time."""
    start_us: int | None
    """When it started; None before."""
    end_us: int | None
    """When it ended; None before."""
    nodes: tuple[str, ...]
    """Names of its nodes."""
    tres: Mapping[str, str]
    """What it was given, by Slurm's names: cpu, gres/gpu, node."""
    energy: AccountedEnergy
    """Energy of its nodes by Slurm's plugin."""

    @property
    def base_id(self) -> str:
        """Its job's id without the part of a heterogeneous one."""
        return self.job_id.partition("+")[0]

    @property
    def seconds(self) -> float | None:
        """How long it ran; None while it does, or before."""
        if self.start_us is None or self.end_us is None:
            return None
        return (self.end_us - self.start_us) / US_PER_S


def read_rows(text: str, zone: str | None) -> Iterator[AccountedRow]:
    """The rows of an answer of sacct.

    Args:
        text: what it printed with --parsable2 or --parsable, header and all.
        zone: of its written times; None where they are seconds since 1970.

    Raises:
        ValueError: it is no such answer; the message has the line.
    """
    lines = csv.reader(text.splitlines(), delimiter="|", quoting=csv.QUOTE_NONE)
    header = next(lines, [])
    names = [name.strip() for name in header]
    if missing := [name for name in NEEDED if name not in names]:
        raise ValueError(
            f"an answer of sacct must begin with a header that has {', '.join(NEEDED)} apart by "
            f"|, but lacks {missing[0]}; {asking()}"
        )
    place = None if zone is None else zone_of(zone)
    for number, cells in enumerate(lines, 2):
        if not cells:
            continue
        if number > _MOST_ROWS:
            raise ValueError(f"an answer of sacct must have at most {_MOST_ROWS} lines")
        if len(cells) != len(names):
            raise ValueError(
                f"line {number}: a row must have {len(names)} cells, but has {len(cells)} instead"
            )
        row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
        try:
            yield _row(row, place)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error


def asking(jobs: Sequence[str] = ("JOB",)) -> str:
    """The line by which a center makes such an answer."""
    asked = f"sacct -D -P -j {','.join(jobs)} -o {','.join(FIELDS)}"
    return f"TZ=UTC0 SLURM_TIME_FORMAT=%s {asked}"


def read_energy(raw: str | None, rounded: str | None, seconds: float | None) -> AccountedEnergy:
    """What ConsumedEnergyRaw says, else ConsumedEnergy; nothing and 0 are no readings."""
    text = raw if raw else rounded
    if not text:
        return AccountedEnergy(energy_j=None, reason="accounting has no energy: no plugin reads it")
    match = _ENERGY.fullmatch(text)
    if match is None:
        return AccountedEnergy(
            energy_j=None, reason=f"accounting's energy is no number: {text[:_SHOWN]}"
        )
    digits, multiple = match[1], _MULTIPLES[match[2]]
    if not match[2] and digits.isdecimal() and int(digits) in _NEVER_SET:
        return AccountedEnergy(energy_j=None, reason="accounting's energy was never set")
    energy_j = float(digits) * multiple
    if energy_j == 0:
        over = "" if seconds is None else f" over {seconds:.0f} s"
        return AccountedEnergy(
            energy_j=None, reason=f"accounting has 0 J{over}, which is no reading of a node"
        )
    places = len(digits.partition(".")[2])
    return AccountedEnergy(
        energy_j=energy_j, rounded_j=0.5 * multiple * 10.0**-places if match[2] else 0.0
    )


def node_names(text: str) -> tuple[str, ...]:
    """Slurm's short list of nodes, `n[01-03,7],m1`, name by name.

    Raises:
        ValueError: it is none.
    """
    if text in ("", "None assigned", "None", "(null)"):
        return ()
    found: list[str] = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text):
        found += _expanded(part)
    return tuple(found)


def _expanded(part: str) -> list[str]:
    head, bracket, rest = part.partition("[")
    if not bracket:
        return [head]
    inside, _, tail = rest.partition("]")
    names: list[str] = []
    for piece in inside.split(","):
        first, dash, last = piece.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"`NodeList` must be names of nodes, but has {part[:_SHOWN]!r}")
        span = range(int(first), int(last or first) + 1)
        if len(span) + len(names) > _MOST_ROWS:
            raise ValueError(f"`NodeList` must be names of nodes, but has {part[:_SHOWN]!r}")
        names += [f"{head}{number:0{len(first)}}" for number in span]
    return [name + after for name in names for after in (_expanded(tail) if tail else [""])]


def _row(row: Mapping[str, str], zone: timezone | ZoneInfo | None) -> AccountedRow:
    match = _STEP.fullmatch(row["JobID"])
    elapsed = row.get("ElapsedRaw") or ""
    start_us, end_us = _life(
        row["Start"], row["End"], int(elapsed) if elapsed.isdecimal() else None, zone
    )
    seconds = None if start_us is None or end_us is None else (end_us - start_us) / US_PER_S
    submit = _times(row["Submit"], zone)
    raw_id = (row.get("JobIDRaw") or "").partition(".")[0]
    return AccountedRow(
        job_id=match["job"] if match else row["JobID"],
        raw_id=raw_id or None,
        step=match["step"] if match else None,
        name=row.get("JobName") or "",
        cluster=row["Cluster"],
        user=row.get("User") or "",
        state=(row["State"].split() or [""])[0].rstrip("+"),
        submit_us=submit[0] if len(submit) == 1 else _before(submit, start_us),
        start_us=start_us,
        end_us=end_us,
        nodes=node_names(row.get("NodeList") or ""),
        tres={
            pair.partition("=")[0]: pair.partition("=")[2]
            for pair in (row.get("AllocTRES") or "").split(",")
            if pair
        },
        energy=read_energy(row.get("ConsumedEnergyRaw"), row.get("ConsumedEnergy"), seconds),
    )


def _before(times: Sequence[int], start_us: int | None) -> int | None:
    """Of a time that may be two the one before a start, where the other cannot be; else None."""
    if start_us is None:
        return None
    possible = [time for time in times if time <= start_us]
    return possible[0] if len(possible) == 1 else None


def _life(
    start: str, end: str, elapsed_s: int | None, zone: timezone | ZoneInfo | None
) -> tuple[int | None, int | None]:
    """Start and end, of times that a zone has twice those that are as far apart as the job ran."""
    starts, ends = _times(start, zone), _times(end, zone)
    if len(starts) <= 1 and len(ends) <= 1:
        return (starts[0] if starts else None), (ends[0] if ends else None)
    # A job that was suspended runs less than it lasts, which no hour of a clock explains.
    fitting = [
        (one, other)
        for one in starts
        for other in ends
        if elapsed_s is not None and other - one == elapsed_s * US_PER_S
    ]
    if len(fitting) == 1:
        return fitting[0]
    return (starts[0] if len(starts) == 1 else None), (ends[0] if len(ends) == 1 else None)


def _times(text: str, zone: timezone | ZoneInfo | None) -> list[int]:
    """The moments that a printed time may be: none for Unknown, two in a zone's doubled hour."""
    if _EPOCH.fullmatch(text):
        return [int(text) * US_PER_S]
    if not _WRITTEN.fullmatch(text):
        return []
    if zone is None:
        raise ValueError(
            f"a time must be seconds since 1970, or --zone must say of which zone it is, but is "
            f"{text!r}"
        )
    local = datetime.fromisoformat(text)
    moments = {_micros(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1)}
    return sorted(moments)


def _micros(when: datetime) -> int:
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
