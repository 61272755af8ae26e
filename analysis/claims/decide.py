"""Decide: from a claim's parts to a verdict, with the test behind it in one sentence.

A claim holds where every part that was tested lies inside its bounds (each one-sided test p < 0.05,
an intersection: nothing to correct); it does not where one is shown to lie outside (p < 0.05 by
Holm over the parts). Neither shown is "cannot tell".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from analysis.claims.estimate import Estimate
from analysis.claims.parts import ClaimBounds, ClaimPart
from analysis.runs.labels import of_words
from analysis.statistics.design import LEVEL
from analysis.statistics.ratio import holm

# A sentence with more of them is a table.
_NAMED: Final = 3


class ClaimVerdict(StrEnum):
    """What can be said of a claim."""

    REPRODUCED = "reproduced"
    """Measurements bear it out."""
    NOT_REPRODUCED = "not reproduced"
    """Measurements show that it is not so."""
    CANNOT_TELL = "cannot tell"
    """Neither is shown."""
    AGREES = "agrees with itself"
    """The paper's own numbers bear it out."""
    CONTRADICTS = "contradicts itself"
    """The paper's own numbers show that it is not so."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A verdict with what is behind it."""

    verdict: ClaimVerdict
    """What can be said."""
    sentence: str
    """The same in plain words, with the numbers."""
    test: str
    """What was tested by; `none` without a test."""
    parts: int
    """Numbers that the claim was held against."""
    tested: int
    """Those of them that could be tested."""
    runs: int
    """Sealed runs in them; 0 of the paper's own numbers."""
    value: float | None = None
    """The number that decided, or the first one; None without any."""
    low: float | None = None
    """Lower end of its interval."""
    high: float | None = None
    """Upper end of it."""
    claimed_low: float | None = None
    """Where it has to lie by the claim, from."""
    claimed_high: float | None = None
    """Where it has to lie by the claim, to."""
    p: float | None = None
    """Of the verdict: the largest of all parts where it holds, Holm's smallest where not; None
    where an inequality decides, and without a test."""
    deciding: str = ""
    """Which part the number is of."""
    labels: tuple[str, ...] = ()
    """What has to stand beside it."""


@dataclass(frozen=True, kw_only=True)
class _Tested:
    part: ClaimPart
    """What was tested."""
    estimate: Estimate
    """Its number."""
    p_inside: float
    """Of lying outside although it seems to lie inside."""
    p_beyond: float
    """Of lying inside although it seems to lie outside."""


def decide(parts: Sequence[ClaimPart], *, all_needed: bool) -> Decision:
    """The verdict of at least one part.

    Args:
        parts: what the claim is held against.
        all_needed: whether a part without a test leaves a claim open that all others bear out.
    """
    tested = [one for part in parts if (one := _tested(part)) is not None]
    runs = len({run for part in parts for sample in part.samples for run in sample.runs})
    words = {label for part in parts for sample in part.samples for label in sample.labels}
    labels = tuple(label.word for label in of_words(*words))
    of_paper = all(not sample.rows for part in parts for sample in part.samples)
    if not tested:
        first = parts[0]
        open_one = Decision(
            verdict=ClaimVerdict.CANNOT_TELL,
            sentence=f"{_told(first)}: {_why(parts)}",
            test="none",
            parts=len(parts),
            tested=0,
            runs=runs,
            labels=labels,
        )
        return _with_numbers(open_one, first)
    beyond = holm([one.p_beyond for one in tested])
    outside = min(range(len(tested)), key=lambda index: beyond[index])
    weakest = max(tested, key=lambda one: one.p_inside)
    missing = len(parts) - len(tested)
    if beyond[outside] < LEVEL:
        yes, no = ClaimVerdict.NOT_REPRODUCED, ClaimVerdict.CONTRADICTS
        chosen, p = tested[outside], beyond[outside]
        count = sum(each < LEVEL for each in beyond)
        verdict = no if of_paper else yes
        said = f"{_told(chosen.part)}, which is not {_bounds(chosen.part.beyond)}"
        others = f"; so in {count} of {len(parts)}" if len(parts) > 1 else ""
        sentence = f"{said}{_p(p, chosen.estimate)}{others}"
    elif weakest.p_inside < LEVEL and not (missing and all_needed):
        chosen, p = weakest, weakest.p_inside
        verdict = ClaimVerdict.AGREES if of_paper else ClaimVerdict.REPRODUCED
        several = len(tested) > 1
        least = f"; all {len(tested)} lie so, this one nearest to its bound" if several else ""
        sentence = (
            f"{_told(chosen.part)}, which is {_bounds(chosen.part.inside)}"
            f"{_p(p, chosen.estimate)}{least}"
        )
        if missing:
            sentence += f"; {missing} more could not be tested: {_why(parts)}"
    else:
        chosen, p = weakest, weakest.p_inside
        verdict = ClaimVerdict.CANNOT_TELL
        if weakest.p_inside < LEVEL:
            sentence = f"{missing} of {len(parts)} could not be tested: {_why(parts)}"
        else:
            neither = "its reading is too coarse" if of_paper else f"p = {p:.2g}"
            sentence = (
                f"{_told(chosen.part)}: neither inside nor outside of what is claimed is shown "
                f"({_bounds(chosen.part.inside)}; {neither})"
            )
    decision = Decision(
        verdict=verdict,
        sentence=sentence,
        test=chosen.estimate.by,
        parts=len(parts),
        tested=len(tested),
        runs=runs,
        p=None if chosen.estimate.certain else p,
        labels=labels,
    )
    return _with_numbers(decision, chosen.part)


def _tested(part: ClaimPart) -> _Tested | None:
    estimate = part.estimate
    if isinstance(estimate, str) or (not estimate.certain and estimate.width is None):
        return None
    return _Tested(
        part=part,
        estimate=estimate,
        p_inside=_p_inside(estimate, part.inside),
        p_beyond=_p_beyond(estimate, part.beyond),
    )


def _p_inside(estimate: Estimate, bounds: ClaimBounds) -> float:
    """Two one-sided tests: the larger p decides."""
    found = [0.0]
    if bounds.low is not None:
        found.append(_known(estimate.p_above(bounds.low)))
    if bounds.high is not None:
        found.append(_known(estimate.p_below(bounds.high)))
    return max(found)


def _p_beyond(estimate: Estimate, bounds: ClaimBounds) -> float:
    """Of either side, doubled where there are two: any one of them may err."""
    found = []
    if bounds.low is not None:
        found.append(_known(estimate.p_below(bounds.low)))
    if bounds.high is not None:
        found.append(_known(estimate.p_above(bounds.high)))
    return min(1.0, len(found) * min(found))


def _known(value: float | None) -> float:
    assert value is not None
    return value


def _with_numbers(decision: Decision, part: ClaimPart) -> Decision:
    estimate = part.estimate
    known = None if isinstance(estimate, str) else estimate
    return replace(
        decision,
        value=None if known is None else known.value,
        low=None if known is None else known.low,
        high=None if known is None else known.high,
        claimed_low=part.inside.low,
        claimed_high=part.inside.high,
        deciding=part.name,
    )


def _told(part: ClaimPart) -> str:
    estimate = part.estimate
    if isinstance(estimate, str):
        return part.name
    ends = ""
    if estimate.low is not None and estimate.high is not None:
        ends = f" ({_digits(estimate.low)} to {_digits(estimate.high)})"
        if estimate.reason is not None:
            ends = f"{ends[:-1]} by the sensors and the boards' gain alone)"
    return f"{part.name}: {_digits(estimate.value)}{ends}"


def _why(parts: Sequence[ClaimPart]) -> str:
    """Why parts could not be tested, each reason once."""
    reasons = []
    for part in parts:
        estimate = part.estimate
        reason = estimate if isinstance(estimate, str) else estimate.reason
        if reason is not None and reason not in reasons:
            reasons.append(reason)
    return "; ".join(reasons[:_NAMED])


def _bounds(bounds: ClaimBounds) -> str:
    low, high = (None if end is None else f"{end:.5g}" for end in (bounds.low, bounds.high))
    if low is not None and high is not None:
        return f"from {low} to {high}"
    return f"below {high}" if low is None else f"above {low}"


def _p(p: float, estimate: Estimate) -> str:
    return "" if estimate.certain else f" (p = {p:.2g})"


def _digits(value: float) -> str:
    return f"{value:.4g}"
