"""Distilled: models that were distilled beside the larger ones, over every pair of grid points.

Both did the same work: their specs are the same but for the model and its weights. Pairs over all
points are one sample, as those of the comparisons are; joules and seconds of a generated token are
two tests a row, corrected together. Parameters are the record's own.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from analysis.effects.comparisons import Compared
from analysis.effects.factor import Factor
from analysis.effects.pairing import Pair, PairedPoint, Points
from analysis.effects.wording import counted, labelled, per_cent, shown
from analysis.performance.model_record import ModelFacts
from analysis.statistics.design import LEVEL
from analysis.statistics.ratio import Ratio, Repeats, holm, ratio_of, ratio_of_pairs
from analysis.statistics.trend import p_told
from analysis.tables.runs import RUNS
from analysis.tables.table import Results

TWINS: Final = {
    # Every other layer of the smallest GPT-2, trained on its answers (the model card of
    # huggingface.co/distilbert/distilgpt2; the method is arXiv 1910.01108's).
    "distilgpt2": "gpt2",
    # Llama 3.2's card: 1B and 3B were pruned from Llama 3.1 8B and distilled from 8B and 70B. The
    # larger of the two stands for what such a model is held against.
    "llama-3.2-1b": "llama-3.2-3b",
}
"""The larger model of each pair, by the smaller one."""

# Within 5 % counts as the same where that is asked, as in the comparisons.
_MARGIN: Final = 0.05
# One pair is compared by its own repeats.
_SEVERAL: Final = 2


def _place(model: str) -> tuple[bool, str]:
    """What is held against stands first."""
    return model in TWINS, model


_MODEL: Final = Factor(
    name="model",
    fields=("model", "weights"),
    level=lambda row: str(row["model"]),
    order=lambda row: _place(str(row["model"])),
)


@dataclass(frozen=True, kw_only=True)
class Twins:
    """A distilled model beside its larger one, over every pair of points that differ in it."""

    compared: Compared
    """Their joules a token."""
    seconds: Mapping[str, tuple[float, ...]]
    """Seconds a generated token of each repeat, by a point's runs; empty where one has none."""
    parameters: Mapping[str, int | None]
    """Parameters of both models by name; None where the record does not say."""
    p_energy: float | None = None
    """Probability of such a ratio of joules by chance, by Holm over all tests; None: no test."""
    p_time: float | None = None
    """The same of seconds."""
    tests: int = 1
    """How many tests that is over: measured runs', or simulated ones'."""

    @property
    def pairs(self) -> Sequence[Pair]:
        """All pairs, at least one."""
        return self.compared.pairs

    @property
    def energy(self) -> Ratio:
        """Joules a token of the smaller over the larger."""
        return self.compared.ratio

    @cached_property
    def time(self) -> Ratio | None:
        """Seconds a token of the smaller over the larger; None where a run has none."""
        sides = [[self._of(pair.base) for pair in self.pairs]]
        sides.append([self._of(pair.other) for pair in self.pairs])
        if not all(values for side in sides for values in side):
            return None
        if len(self.pairs) < _SEVERAL:
            base, other = (Repeats(values=side[0], sensor=0.0) for side in sides)
            found = ratio_of(base, other, margin=_MARGIN)
            return found if found.reason is None else replace(found, low=None, high=None)
        base, other = (Repeats(values=tuple(map(_geometric, side)), sensor=0.0) for side in sides)
        return ratio_of_pairs(base, other, margin=_MARGIN)

    @property
    def parameter_ratio(self) -> float | None:
        """Parameters of the smaller over the larger."""
        base, level = (self.parameters.get(name) for name in (self.base, self.level))
        return level / base if base and level else None

    @property
    def base(self) -> str:
        """The larger model."""
        return self.compared.base

    @property
    def level(self) -> str:
        """The distilled one."""
        return self.compared.level

    @property
    def sentence(self) -> str:
        """What it says, in one sentence."""
        size = self.parameter_ratio
        of = "" if size is None else f", of {size:.2f} times the parameters,"
        ratio, *ends = shown(_known(self.energy))
        said = f"{self.level}{of} takes {ratio} times the joules a token of {self.base}"
        if ends:
            said = f"{said} (95 % interval {' to '.join(ends)})"
        if self.time is not None:
            ratio, *ends = shown(_known(self.time))
            said = f"{said} and {ratio} times the seconds"
            if ends:
                said = f"{said} ({' to '.join(ends)})"
        if self.p_energy is None:
            said = f"{said}: too few to say more: {self.compared.reason}"
        else:
            said = (
                f"{said}, over {counted(len(self.pairs), 'pair')}; of the joules "
                f"{p_told(self.p_energy)} after Holm over {counted(self.tests, 'test')}: "
                f"{self._verdict(self.p_energy)}"
            )
        return labelled(said, [point.row for point in self.compared.points])

    def mean(self, which: Callable[[Pair], PairedPoint], *, seconds: bool) -> float | None:
        """Geometric mean over one side's points of joules, or of seconds, a token."""
        points = [which(pair) for pair in self.pairs]
        each = [self._of(point) if seconds else point.values for point in points]
        return _geometric([_geometric(values) for values in each]) if all(each) else None

    def _verdict(self, p: float) -> str:
        if p >= LEVEL:
            return "no difference shown"
        saved = 1.0 - self.energy.ratio
        return f"{'saves' if saved >= 0 else 'costs'} {per_cent(abs(saved))}"

    def _of(self, point: PairedPoint) -> tuple[float, ...]:
        return self.seconds.get(str(point.row["runs"]), ())


def _geometric(values: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _known(ratio: Ratio) -> list[float]:
    return [one for one in (ratio.ratio, ratio.low, ratio.high) if one is not None]


def twins(results: Results) -> list[Twins]:
    """Every distilled model that ran what its larger one ran, measured ones first."""
    seconds = _seconds(results)
    parameters = _parameters(results)
    by_models: dict[tuple[bool, str], list[Pair]] = {}
    for pair in Points(results).pairs(_MODEL):
        base, level = str(pair.base.row["model"]), str(pair.other.row["model"])
        if TWINS.get(level) == base:
            by_models.setdefault((pair.base.simulated, level), []).append(pair)
    found = [
        Twins(
            compared=Compared(factor=_MODEL, pairs=tuple(pairs)),
            seconds=seconds,
            parameters=parameters,
        )
        for _, pairs in sorted(by_models.items(), key=lambda one: one[0])
    ]
    return [
        one
        for simulated in (False, True)
        for one in _corrected([row for row in found if row.compared.simulated is simulated])
    ]


def _corrected(found: Sequence[Twins]) -> Iterator[Twins]:
    """Each with what its tests become once any of them may err."""
    tested = [
        ratio.p_difference
        for one in found
        for ratio in (one.energy, one.time)
        if ratio is not None and ratio.p_difference is not None
    ]
    corrected = iter(holm(tested))
    for one in found:
        known = [
            None if ratio is None or ratio.p_difference is None else next(corrected)
            for ratio in (one.energy, one.time)
        ]
        yield replace(one, p_energy=known[0], p_time=known[1], tests=max(1, len(tested)))


def _seconds(results: Results) -> dict[str, tuple[float, ...]]:
    """Seconds a generated token of each run, by the runs that a point names."""
    rates = {str(row["run_id"]): row["tokens_per_s"] for row in results.rows(RUNS)}
    found: dict[str, tuple[float, ...]] = {}
    for point in Points(results).all():
        runs = str(point.row["runs"])
        known = [rates[run] for run in runs.split()]
        numbers = tuple(1.0 / rate for rate in known if isinstance(rate, float) and rate > 0)
        found[runs] = numbers if len(numbers) == len(known) else ()
    return found


def _parameters(results: Results) -> dict[str, int | None]:
    """Parameters of every model, as its first run says."""
    found: dict[str, int | None] = {}
    for run in results.runs:
        if found.get(run.spec.model) is None:
            told = ModelFacts(run).arithmetic
            found[run.spec.model] = None if isinstance(told, str) else told.parameters
    return found
