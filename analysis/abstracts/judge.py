"""Judge: from blocks of runs to a verdict on a statement, with what is behind it in a sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, Final

from analysis.abstracts.blocks import SampleBlock, counted, lacking
from analysis.abstracts.statement import TASK, AbstractStatement
from analysis.claims.decide import ClaimVerdict, Decision
from analysis.claims.estimate import Estimate, ratio_estimate
from analysis.claims.sample import Sample
from analysis.runs.labels import Label, of_words
from analysis.statistics.design import LEVEL
from analysis.statistics.ratio import holm

ENERGY: Final = "energy_per_token_j"
"""What a setting saves of."""
RATE: Final = "tokens_per_s"
"""What it has to keep."""
_UNITS: Final = {
    "sm_clock_mhz": " MHz",
    "max_gen_len": " tokens",
    "max_prompt_len": " tokens of prompt",
}
_TEST: Final = "t of logarithms against the bounds, Holm over all of them"


@dataclass(frozen=True, kw_only=True)
class _Pair:
    block: int
    """Index of the block that it is of."""
    name: str
    """Which two levels of what."""
    estimate: Estimate
    """The second over the first."""
    p_differs: float
    """Of such a ratio where both are within the tolerance."""
    p_same: float
    """Of one so near to 1 where they are not."""


def undecided(why: str, samples: Sequence[Sample] = ()) -> Decision:
    """A verdict that nobody can give, and why."""
    return Decision(
        verdict=ClaimVerdict.CANNOT_TELL,
        sentence=why,
        test="none",
        parts=0,
        tested=0,
        runs=len({run for sample in samples for run in sample.runs}),
        labels=labels_of(samples),
    )


def labels_of(samples: Sequence[Sample]) -> tuple[str, ...]:
    """What has to stand beside their numbers."""
    return words_beside(word for one in samples for word in one.labels)


def words_beside(words: Iterable[object]) -> tuple[str, ...]:
    """Labels in their order; that a board is not the first paper's says nothing of this one."""
    return tuple(one.word for one in of_words(*words) if one is not Label.OTHER_BOARD)


def judge_difference(statement: AbstractStatement, blocks: Sequence[SampleBlock]) -> Decision:
    """Whether what is varied changes the number by more than the tolerance, block by block."""
    pairs: list[_Pair] = []
    reasons: dict[str, None] = {}
    for index, block in enumerate(blocks):
        for name, estimate in _ratios(statement, block, statement.metric):
            if isinstance(estimate, str):
                reasons[estimate] = None
            elif estimate.width is None and not estimate.certain:
                reasons[str(estimate.reason)] = None
            else:
                pairs.append(_pair(index, name, estimate, 1 + statement.tolerance))
    if not pairs:
        every = [one for block in blocks for one in block.samples]
        return undecided("; ".join(reasons), every)
    beyond = holm([one.p_differs for one in pairs])
    moved = {one.block for one, p in zip(pairs, beyond, strict=True) if p < LEVEL}
    tested = {one.block for one in pairs}
    # Flat is a block of which every pair is shown to lie within the tolerance.
    flat = {
        index for index in tested if all(one.p_same < LEVEL for one in pairs if one.block == index)
    }
    chosen = min(range(len(pairs)), key=lambda at: beyond[at])
    shown = pairs[chosen]
    span = 1 + statement.tolerance
    told = f"{shown.name}: {ratio_told(shown.estimate)}"
    some = f"a change beyond {span - 1:.0%} is shown in {len(moved)} of {_points(len(tested))}"
    verdict, sentence, p = ClaimVerdict.CANNOT_TELL, f"{told}; {some}", beyond[chosen]
    if moved == tested:
        verdict = ClaimVerdict.REPRODUCED
        sentence = f"{told} (p = {p:.2g} by Holm); so in {_points(len(tested))}"
    elif flat == tested:
        verdict, p = ClaimVerdict.NOT_REPRODUCED, max(one.p_same for one in pairs)
        sentence = f"{told}; within {span - 1:.0%} in {_points(len(tested))}"
    used = [one for index in sorted(tested) for one in blocks[index].samples]
    decision = Decision(
        verdict=verdict,
        sentence=sentence,
        test=_TEST,
        parts=len(pairs) + len(reasons),
        tested=len(pairs),
        runs=len({run for one in used for run in one.runs}),
        value=shown.estimate.value,
        low=shown.estimate.low,
        high=shown.estimate.high,
        claimed_high=1 / span if shown.estimate.value < 1 else None,
        claimed_low=span if shown.estimate.value >= 1 else None,
        p=p,
        deciding=shown.name,
        labels=labels_of(used),
    )
    return with_needs(statement, decision, used)


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"


def with_needs(
    statement: AbstractStatement, decision: Decision, used: Sequence[Sample]
) -> Decision:
    """The same, but `cannot tell` where it rests on less than the statement needs."""
    short = lacking(statement, counted(statement.version, used))
    if short is None or decision.verdict is ClaimVerdict.CANNOT_TELL:
        return decision
    return replace(
        decision,
        verdict=ClaimVerdict.CANNOT_TELL,
        sentence=f"{short} have such runs, which say {decision.verdict}: {decision.sentence}",
    )


def _ratios(
    statement: AbstractStatement, block: SampleBlock, metric: str
) -> list[tuple[str, Estimate | str]]:
    found: list[tuple[str, Estimate | str]] = []
    for (low, bases), (high, others) in combinations(block.levels.items(), 2):
        for base, other in product(bases, others):
            told = level_told(statement, low), level_told(statement, high)
            name = f"{named(statement, base)}, {' to '.join(told)}"
            found.append((name, ratio(base, other, metric)))
    return found


def ratio(base: Sample, other: Sample, metric: str) -> Estimate | str:
    """One number of a sample over that of another, or why there is none."""
    one, two = base.figure(metric), other.figure(metric)
    if isinstance(one, str) or isinstance(two, str):
        return one if isinstance(one, str) else str(two)
    same = bool(base.boards) and base.boards == other.boards
    return ratio_estimate(one, two, same_boards=same)


def _pair(block: int, name: str, estimate: Estimate, span: float) -> _Pair:
    above, below = _p(estimate.p_above(span)), _p(estimate.p_below(1 / span))
    inside = max(_p(estimate.p_above(1 / span)), _p(estimate.p_below(span)))
    return _Pair(
        block=block,
        name=name,
        estimate=estimate,
        # Either side may err.
        p_differs=min(1.0, 2 * min(above, below)),
        p_same=inside,
    )


def _p(value: float | None) -> float:
    return 1.0 if value is None else value


def named(statement: AbstractStatement, sample: Sample) -> str:
    """A sample by what a statement does not vary."""
    had = sample.conditions
    words = {
        "model": str(had["model"]),
        TASK: str(had["dataset"]),
        "max_prompt_len": f"prompts to {had['max_prompt_len']}",
        "max_gen_len": f"answers to {had['max_gen_len']}",
    }
    return ", ".join(word for name, word in words.items() if name != statement.along)


def level_told(statement: AbstractStatement, level: Any) -> str:
    """One level of what a statement varies, in words."""
    if level is None:
        return "no lock"
    return f"{level}{_UNITS.get(statement.along, '')}"


def ratio_told(estimate: Estimate) -> str:
    """A ratio with its interval, in words."""
    ends = ""
    if estimate.low is not None and estimate.high is not None:
        ends = f" ({estimate.low:.4g} to {estimate.high:.4g})"
    return f"{estimate.value:.4g} times{ends}"
