"""Plans: what the launcher's calls were to run, and what attempts say of their plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from analysis.runs.unreadable import UNREADABLE, shortened
from telemetry.record.files import read_json
from telemetry.record.paths import campaigns_folder, closed_runs, find_runs
from telemetry.record.planned import BEFORE, PLAN, TAKEN_BACK, Planned, plan_sha256

_RUN: Final = "run"

Attempt = tuple[str, int]
"""A run's id and the attempt's number."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One campaign's plan."""

    campaign: str
    """Name of the campaign's folder."""
    sha256: str
    """Of the plan's file, as it lies there."""
    attempts: tuple[tuple[str, int | None], ...]
    """Run and number of each attempt that it makes; no number in a plan from before."""
    before: Mapping[str, str]
    """Digests of the plans that lay there before it, by campaign."""
    taken_back: Mapping[Attempt, str]
    """Why attempts of it never began."""
    arrays: Mapping[str, tuple[Attempt, ...]]
    """Attempts of its job arrays, by the arrays' files."""


@dataclass(frozen=True, kw_only=True)
class Laid:
    """All that lies in a results folder, and all that says what should."""

    plans: Mapping[str, Plan]
    """The plans by campaign."""
    attempts: Mapping[str, tuple[int, ...]]
    """Numbers of the attempts that each run's folder has, rising."""
    specs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The runs' specs, of those that can be read."""
    placed: Mapping[Attempt, Planned] = field(default_factory=dict)
    """The place in a plan that each attempt tells; those from before tell none."""
    faults: Sequence[str] = ()
    """What could not be read, one line each."""
    closed: frozenset[str] = frozenset()
    """Runs whose folders cannot be read: what they hold nobody knows."""

    @classmethod
    def read(cls, results: Path) -> "Laid":
        """What lies in a folder; damage stands in `faults`."""
        faults: list[str] = []
        plans: dict[str, Plan] = {}
        for path in sorted(campaigns_folder(results).glob(f"*/{PLAN}")):
            try:
                plans[path.parent.name] = _plan(path)
            except UNREADABLE as error:
                faults.append(f"the plan of campaign {path.parent.name}: {shortened(error)}")
        attempts: dict[str, tuple[int, ...]] = {}
        specs: dict[str, Mapping[str, Any]] = {}
        placed: dict[Attempt, Planned] = {}
        for run in find_runs(results):
            tried = run.attempts()
            attempts[run.run_id] = tuple(attempt.number for attempt in tried)
            try:
                specs[run.run_id] = read_json(run.spec)
            except UNREADABLE as error:
                faults.append(f"{run.run_id}: {shortened(error)}")
            for attempt in tried:
                try:
                    place = Planned.of(read_json(attempt.provenance))
                except FileNotFoundError:
                    continue
                except UNREADABLE as error:
                    faults.append(f"{run.run_id} attempt {attempt.number}: {shortened(error)}")
                    continue
                if place is not None:
                    placed[run.run_id, attempt.number] = place
        return cls(
            plans=plans,
            attempts=attempts,
            specs=specs,
            placed=placed,
            faults=faults,
            closed=frozenset(run.run_id for run in closed_runs(results)),
        )

    def has(self, run_id: str, number: int | None) -> bool:
        """True where that attempt lies there, any of the run for None, or may lie there."""
        if run_id in self.closed:
            return True
        there = self.attempts.get(run_id, ())
        return number in there if number is not None else bool(there)


def _plan(path: Path) -> Plan:
    content = read_json(path)
    taken_back: dict[Attempt, str] = {}
    if (beside := path.with_name(TAKEN_BACK)).is_file():
        for entry in read_json(beside)["attempts"]:
            taken_back[str(entry["run_id"]), int(entry["attempt"])] = str(entry["reason"])
    before = content.get(BEFORE, {})
    return Plan(
        campaign=path.parent.name,
        sha256=plan_sha256(path),
        attempts=tuple(
            (str(point["run_id"]), None if (made := point.get("attempt")) is None else int(made))
            for point in content.get("points", [])
            if point.get("verdict") == _RUN
        ),
        before={str(name): str(sha256) for name, sha256 in before.items()},
        taken_back=taken_back,
        arrays={
            array.name: tuple(
                (str(run_id), int(number)) for run_id, number in read_json(array)["members"]
            )
            # The name's dots keep array-001.submitted.json out.
            for array in sorted(path.parent.glob("array-[0-9][0-9][0-9].json"))
        },
    )
