"""How far a plan's time and energy lie from what sealed runs then took: each run left out in turn.

    python -m tests.benchmarks.forecast [RESULTS ...]

Every sealed run of each folder, or the recorded ones of tests/recorded, is foreseen from the others
of its folder: with all of them; without those of its model; without those of its engine and bits;
from the datasheet alone. For each there is the median and the worst error, as a share of what was
measured, and how many of the measured amounts lie in their 90 % interval. With `--from HISTORY` the
runs are foreseen from that folder's instead, itself left out.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from analysis.energy.run_energy import RunEnergy
from analysis.energy.spent import Spent, spent
from analysis.runs.sealed_runs import load
from launcher.forecast.forecaster import Forecaster
from launcher.forecast.learning import Lesson
from launcher.forecast.lesson import lesson
from launcher.forecast.work import Host
from telemetry.record.foreseen import Expected
from telemetry.record.launch import LaunchConfig
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
    spent: Spent


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
    """Every sealed run of a folder."""
    return [
        Taught(
            lesson=lesson(run, Host()),
            launch=LaunchConfig(**run.launch),
            passes=run.model["window"]["passes"],
            spent=spent(RunEnergy(run)),
        )
        for run in load(results).runs
    ]


def _is_other_run(one: Lesson, left: Lesson) -> bool:
    return one.run_id != left.run_id


def _is_other_model(one: Lesson, left: Lesson) -> bool:
    return one.job.spec.model != left.job.spec.model


def _is_other_engine(one: Lesson, left: Lesson) -> bool:
    spec, other = one.job.spec, left.job.spec
    return (spec.engine, spec.quantization) != (other.engine, other.quantization)


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
        others = [each.lesson for each in history if keeps(each.lesson, left)]
        forecaster = Forecaster(left.job.kind, others, Host())
        seen = forecaster.foresee(left.job.spec, one.launch, node=left.job.host)
        once = forecaster.foresee(
            left.job.spec, replace(one.launch, min_window_s=0.0), node=left.job.host
        )
        window_j = one.spent.window_energy.value
        pairs = (
            (seen.time_s, one.spent.time_s),
            (seen.energy_j, one.spent.energy.value),
            (seen.window_s, one.spent.window_s),
            (seen.window_energy_j, window_j),
            (once.window_s, one.spent.window_s / one.passes),
            (once.window_energy_j, None if window_j is None else window_j / one.passes),
        )
        for amount, (expected, measured) in zip(AMOUNTS, pairs, strict=True):
            if expected is not None and measured is not None:
                yield Error(amount=amount, foreseen=expected, measured=measured)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", nargs="*", type=Path)
    parser.add_argument("--from", dest="history", type=Path)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="jg-bench-") as name:
        folders = given.results
        if not folders:
            folders = [Path(name)]
            for archive in recorded():
                unpack(archive, folders[0])
        for folder in folders:
            runs = taught(folder)
            history = runs if given.history is None else taught(given.history)
            _print(f"{folder.name if given.results else 'recorded'}: {len(runs)} runs")
            for basis, keeps in KEEPS.items():
                found = list(errors(runs, keeps, history))
                for amount in AMOUNTS:
                    _tell(basis, amount, [one for one in found if one.amount == amount])


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
