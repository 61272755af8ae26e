"""How far a plan's time and energy lie from what sealed runs then took: each run left out in turn.

    python -m tests.benchmarks.forecast [RESULTS ...]

Every sealed run of each folder, or the recorded ones of tests/recorded, is foreseen from the others
of its folder: with all of them; without those of its model; without those of its engine and bits;
from the datasheet alone. For each there is the median and the worst error, as a share of what was
measured, and how many of the measured amounts lie in their 90 % interval. With `--from HISTORY` the
runs are foreseen from that folder's instead, itself left out. With `--hosts` all runs of all
folders are taken together, and each host's foreseen from those of all other hosts. A RESULTS that
ends in .json holds numbers of runs that lie elsewhere, as `--write FILE` puts them down.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from analysis.energy.run_energy import RunEnergy
from analysis.energy.spent import spent
from analysis.runs.sealed_runs import Run, load
from launcher.forecast.forecaster import Forecaster
from launcher.forecast.learning import Lesson
from launcher.forecast.lesson import lesson
from launcher.forecast.work import BatchWork, Host
from launcher.forecast.workload import Workload
from telemetry.record.foreseen import Expected
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from tests.support.recordings import recorded, unpack

AMOUNTS: Final = ("job s", "job J", "window s", "window J", "pass s", "pass J")
"""A pass is one time through all prompts: a window is passes until `min_window_s`, which makes its
length easier to tell."""


@dataclass(frozen=True, kw_only=True)
class Taught:
    """A sealed run, and how it was launched."""

    lesson: Lesson
    launch: LaunchConfig
    passes: int
    measured: Mapping[str, float | None]
    """By the names of `AMOUNTS`; None where nothing was read."""
    commit: str
    """Of the code that ran."""
    t_us: int
    """When it was started."""

    def to_mapping(self) -> dict[str, Any]:
        """What a forecast needs of it, in JSON."""
        job = self.lesson.job
        return {
            "run_id": self.lesson.run_id,
            "host": job.host,
            "commit": self.commit,
            "t_us": self.t_us,
            "passes": self.passes,
            "nearness": job.nearness,
            "measured": dict(self.measured),
            "amounts": dict(self.lesson.amounts),
            "work": asdict(job.work),
            "spec": job.spec.to_mapping(),
            "launch": asdict(self.launch),
        }

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> "Taught":
        """Reads `to_mapping`'s."""
        spec, launch = RunSpec.from_mapping(given["spec"]), LaunchConfig(**given["launch"])
        job = Workload.of(spec, launch, BatchWork(**given["work"]), host=given["host"])
        return cls(
            lesson=Lesson(
                run_id=given["run_id"], job=job.near(given["nearness"]), amounts=given["amounts"]
            ),
            launch=launch,
            passes=given["passes"],
            measured=given["measured"],
            commit=given["commit"],
            t_us=given["t_us"],
        )


@dataclass(frozen=True, kw_only=True)
class Error:
    """One amount of one run, foreseen and measured."""

    amount: str
    foreseen: Expected
    measured: float

    @property
    def share(self) -> float:
        return abs(self.foreseen.value / self.measured - 1)


def taught(results: Path) -> list[Taught]:
    """Every sealed run of a folder, or of a file that `--write` wrote."""
    if results.suffix == ".json":
        return [Taught.from_mapping(one) for one in json.loads(results.read_text())["runs"]]
    return [_taught(run) for run in load(results).runs]


def _taught(run: Run) -> Taught:
    took, passes = spent(RunEnergy(run)), run.model["window"]["passes"]
    window_j = took.window_energy.value
    return Taught(
        lesson=lesson(run, Host()),
        launch=LaunchConfig(**run.launch),
        passes=passes,
        measured={
            "job s": took.time_s,
            "job J": took.energy.value,
            "window s": took.window_s,
            "window J": window_j,
            "pass s": took.window_s / passes,
            "pass J": None if window_j is None else window_j / passes,
        },
        commit=run.provenance["git"]["commit"],
        t_us=run.provenance["t_us"],
    )


def _is_other_run(one: Lesson, left: Lesson) -> bool:
    return one.run_id != left.run_id


def _is_other_model(one: Lesson, left: Lesson) -> bool:
    return one.job.spec.model != left.job.spec.model


def _is_other_engine(one: Lesson, left: Lesson) -> bool:
    spec, other = one.job.spec, left.job.spec
    return (spec.engine, spec.quantization) != (other.engine, other.quantization)


def is_other_host(one: Lesson, left: Lesson) -> bool:
    """True where a run was on another host, as `launcher.forecast.place` names it."""
    return one.job.host != left.job.host


def _is_nothing(one: Lesson, left: Lesson) -> bool:
    return False


KEEPS: Final[dict[str, Callable[[Lesson, Lesson], bool]]] = {
    "same model": _is_other_run,
    "other models": _is_other_model,
    "other engines": _is_other_engine,
    "datasheet": _is_nothing,
}
"""By what is left of the history: whether a run stays when another is left out."""


def errors(
    runs: Sequence[Taught], keeps: Callable[[Lesson, Lesson], bool], history: Sequence[Taught]
) -> Iterator[Error]:
    """All amounts of all runs, each foreseen from those of the history that stay."""
    for one in runs:
        left = one.lesson
        # A real board teaches that board alone, as in a plan (`launcher.forecast.history`).
        board = [each.lesson for each in history if each.lesson.job.kind == left.job.kind]
        others = [each for each in board if keeps(each, left)]
        forecaster = Forecaster(left.job.kind, others, Host())
        seen = forecaster.foresee(left.job.spec, one.launch, node=left.job.host)
        once = forecaster.foresee(
            left.job.spec, replace(one.launch, min_window_s=0.0), node=left.job.host
        )
        found = (
            *(seen.time_s, seen.energy_j, seen.window_s, seen.window_energy_j),
            *(once.window_s, once.window_energy_j),
        )
        for amount, expected in zip(AMOUNTS, found, strict=True):
            measured = one.measured[amount]
            if expected is not None and measured is not None:
                yield Error(amount=amount, foreseen=expected, measured=measured)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", nargs="*", type=Path)
    parser.add_argument("--from", dest="history", type=Path)
    parser.add_argument("--hosts", action="store_true")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="jg-bench-") as name:
        folders = given.results
        if not folders:
            folders = [Path(name)]
            for archive in recorded():
                unpack(archive, folders[0])
        if given.write is not None or given.hosts:
            together = [run for folder in folders for run in taught(folder)]
            if given.write is not None:
                _write(given.write, together)
            else:
                _hold_hosts(together)
            return
        for folder in folders:
            runs = taught(folder)
            history = runs if given.history is None else taught(given.history)
            _print(f"{folder.name if given.results else 'recorded'}: {len(runs)} runs")
            for basis, keeps in KEEPS.items():
                found = list(errors(runs, keeps, history))
                for amount in AMOUNTS:
                    _tell(basis, amount, [one for one in found if one.amount == amount])


def _hold_hosts(runs: Sequence[Taught]) -> None:
    by_host: dict[str, list[Taught]] = {}
    for run in runs:
        by_host.setdefault(str(run.lesson.job.host), []).append(run)
    _print(f"{len(runs)} runs of {len(by_host)} hosts, each host left out in turn")
    found = {host: list(errors(own, is_other_host, runs)) for host, own in by_host.items()}
    together = [one for own in found.values() for one in own]
    for host, own in (*found.items(), ("all hosts", together)):
        count = len(by_host.get(host, runs))
        _print(f"{host}: {count} runs")
        for amount in AMOUNTS:
            _tell("other hosts", amount, [one for one in own if one.amount == amount])


def _write(path: Path, runs: Sequence[Taught]) -> None:
    document = {
        "what": "sealed runs that lie outside the tree: work, launch, and measured "
        "amounts in seconds, joules and watts as `tests.benchmarks.forecast` has them",
        "command": "python -m tests.benchmarks.forecast --write FILE RESULTS ...",
        "runs": [run.to_mapping() for run in runs],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _tell(basis: str, amount: str, found: Sequence[Error]) -> None:
    if not found:
        return
    shares = [one.share for one in found]
    inside = sum(one.foreseen.holds(one.measured) for one in found)
    wide = statistics.median(one.foreseen.high / one.foreseen.low for one in found)
    _print(
        f"{basis:<14} {amount:<9} median {statistics.median(shares):6.1%}  worst "
        f"{max(shares):6.1%}  in the interval {inside}/{len(found)}, {wide:.2f} wide"
    )


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
