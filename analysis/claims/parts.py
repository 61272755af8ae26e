"""Parts: what a claim is tested by: each pair of samples, or sample, that can say something."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, Final

from analysis.claims.claim import PaperClaim, Test, TestKind
from analysis.claims.estimate import Estimate, level_estimate, ratio_estimate
from analysis.claims.sample import Sample, family_of
from analysis.tables.point import model_order

# What goes with a field that is varied: nobody can hold it while that one changes.
_FOLLOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "gpus": ("gpus_per_node", "nodes", "several_nodes"),
    "model": ("weights",),
    "dataset": ("prompts_digest", "dataset_family"),
    # Another board lies in another kind of node.
    "gpu": ("gpus_per_node", "nodes", "several_nodes"),
    "power_cap_w": ("capped",),
}


@dataclass(frozen=True, kw_only=True)
class ClaimBounds:
    """Where a number has to lie."""

    low: float | None = None
    """None: as low as one likes."""
    high: float | None = None
    """None: as high as one likes."""


@dataclass(frozen=True, kw_only=True)
class ClaimPart:
    """One number that the claim is held against."""

    name: str
    """Which: the conditions that tell it from the others."""
    estimate: Estimate | str
    """The number, or why there is none."""
    inside: ClaimBounds
    """Where it lies if the claim is right."""
    beyond: ClaimBounds
    """What it must be shown to lie outside of for the claim to be wrong."""
    samples: tuple[Sample, ...]
    """What it was made of."""


def fits(sample: Sample, cell: Mapping[str, Sequence[Any]]) -> bool:
    """Whether a sample has the conditions of a cell."""
    for name, allowed in cell.items():
        value = sample.conditions.get(name)
        if name == "dataset":
            value = family_of(value)
        if value not in allowed:
            return False
    return True


def parts_of(claim: PaperClaim, samples: Sequence[Sample]) -> list[ClaimPart]:
    """Every part that these samples make; empty where they make none."""
    test = claim.test
    assert test is not None
    makers = {
        TestKind.RATIO: _ratios,
        TestKind.MONOTONE: _steps,
        TestKind.FLAT: _steps,
        TestKind.RANGE: _levels,
        TestKind.FEASIBLE: _feasible,
    }
    return list(makers[test.kind](claim, test, samples))


def _ratios(_: PaperClaim, test: Test, samples: Sequence[Sample]) -> Iterator[ClaimPart]:
    over, under = test.over or {}, test.under or {}
    free = tuple(dict.fromkeys((*over, *under, *test.free)))
    bounds = ClaimBounds(low=test.low, high=test.high)
    bottoms: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.relative_to_cap_w is None and fits(sample, _as_cell(under)):
            bottoms.setdefault(_key(sample, free), []).append(sample)
    for top in samples:
        if not fits(top, _as_cell(over)):
            continue
        cap_w = top.relative_to_cap_w
        if cap_w is not None:
            # The paper's change against that cap is the ratio already.
            if under == {"power_cap_w": cap_w}:
                yield from _level(test.metric, top, bounds)
            continue
        for bottom in bottoms.get(_key(top, free), ()):
            yield from _pair(test.metric, bottom, top, bounds, bounds)


def _steps(claim: PaperClaim, test: Test, samples: Sequence[Sample]) -> Iterator[ClaimPart]:
    assert test.along is not None
    chains: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.relative_to_cap_w is None and sample.conditions.get(test.along) is not None:
            chains.setdefault(_key(sample, (test.along, *test.free)), []).append(sample)
    span = 1 + claim.tolerance
    inside, beyond = ClaimBounds(low=1.0), ClaimBounds(low=span)
    if test.kind is TestKind.FLAT:
        inside = beyond = ClaimBounds(low=1 / span, high=span)
    elif not test.rises:
        inside, beyond = ClaimBounds(high=1.0), ClaimBounds(high=1 / span)
    for chain in chains.values():
        for bases, others in pairwise(_by_level(chain, test)):
            for base, other in product(bases, others):
                # A larger model on fewer GPUs is another question.
                if test.fewest_gpus and base.conditions["gpus"] > other.conditions["gpus"]:
                    continue
                yield from _pair(test.metric, base, other, inside, beyond)


def _by_level(chain: Sequence[Sample], test: Test) -> list[list[Sample]]:
    """Samples by what is varied, in its order; of each only those on the fewest GPUs if asked."""
    assert test.along is not None
    levels: dict[Any, list[Sample]] = {}
    for sample in sorted(chain, key=lambda one: _order(one, test.along)):
        levels.setdefault(sample.conditions[test.along], []).append(sample)
    if not test.fewest_gpus:
        return list(levels.values())
    return [
        [one for one in level if one.conditions["gpus"] == fewest]
        for level in levels.values()
        for fewest in [min(one.conditions["gpus"] for one in level)]
    ]


def _levels(_: PaperClaim, test: Test, samples: Sequence[Sample]) -> Iterator[ClaimPart]:
    for sample in samples:
        if sample.relative_to_cap_w is None:
            yield from _level(test.metric, sample, ClaimBounds(low=test.low, high=test.high))


def _level(metric: str, sample: Sample, bounds: ClaimBounds) -> Iterator[ClaimPart]:
    figure = sample.figure(metric)
    if not isinstance(figure, str) or sample.rows:
        yield ClaimPart(
            name=_name(sample, ()),
            estimate=figure if isinstance(figure, str) else level_estimate(figure),
            inside=bounds,
            beyond=bounds,
            samples=(sample,),
        )


def _feasible(_: PaperClaim, test: Test, samples: Sequence[Sample]) -> Iterator[ClaimPart]:
    bounds = ClaimBounds(low=1.0) if test.possible else ClaimBounds(high=0.0)
    for sample in samples:
        count = float(len(sample.runs))
        yield ClaimPart(
            name=f"sealed runs of {_name(sample, ())}",
            estimate=Estimate(
                value=count,
                low=count,
                high=count,
                repeats=(),
                width=None,
                by="a sealed run: what was done can be done",
                reason=None,
            ),
            inside=bounds,
            beyond=bounds,
            samples=(sample,),
        )


def _pair(
    metric: str, base: Sample, other: Sample, inside: ClaimBounds, beyond: ClaimBounds
) -> Iterator[ClaimPart]:
    one, two = base.figure(metric), other.figure(metric)
    estimate: Estimate | str
    if isinstance(one, str) or isinstance(two, str):
        # What the paper does not give is no part of what it says.
        if not base.rows:
            return
        estimate = one if isinstance(one, str) else str(two)
    else:
        same = bool(base.boards) and base.boards == other.boards
        estimate = ratio_estimate(one, two, same_boards=same)
    differing = tuple(
        name for name in _TOLD if base.conditions.get(name) != other.conditions.get(name)
    )
    between = ", ".join(
        f"{_TOLD[name](base.conditions.get(name))} to {_TOLD[name](other.conditions.get(name))}"
        for name in differing
    )
    yield ClaimPart(
        name=", ".join(filter(None, (_name(base, differing), between))),
        estimate=estimate,
        inside=inside,
        beyond=beyond,
        samples=(base, other),
    )


# What a part is named by, and how.
_TOLD: Final[Mapping[str, Callable[[Any], str]]] = {
    "model": str,
    "dataset": str,
    "gpu": str,
    "gpus": lambda count: f"{count} GPU{'' if count == 1 else 's'}",
    "batch_size": lambda rows: f"batch {rows}",
    "max_gen_len": lambda tokens: f"{tokens} tokens",
    "power_cap_w": lambda cap_w: "no cap" if cap_w is None else f"cap {cap_w:g} W",
}


def _name(sample: Sample, but: tuple[str, ...]) -> str:
    return ", ".join(
        told(sample.conditions[name])
        for name, told in _TOLD.items()
        if sample.conditions.get(name) is not None
        and name not in but
        and (sample.rows or name != "power_cap_w" or sample.relative_to_cap_w is not None)
    )


def _key(sample: Sample, but: Sequence[str]) -> str:
    """Equal for samples that differ in nothing but these fields and what follows them."""
    left = {*but, *(more for name in but for more in _FOLLOWS.get(name, ()))}
    kept = {name: value for name, value in sample.conditions.items() if name not in left}
    return json.dumps(kept, sort_keys=True, default=str)


def _as_cell(wanted: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {name: [value] for name, value in wanted.items()}


def _order(sample: Sample, along: str | None) -> tuple[Any, ...]:
    value = sample.conditions[str(along)]
    return model_order(str(value)) if along == "model" else (value,)
