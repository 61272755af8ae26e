"""Saving: whether a setting takes less energy and keeps what a statement says that it keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.abstracts.blocks import SampleBlock
from analysis.abstracts.judge import (
    ENERGY,
    RATE,
    labels_of,
    level_told,
    named,
    ratio,
    ratio_told,
    undecided,
    with_needs,
)
from analysis.abstracts.kept_quality import NO_QUALITY, Kept, Qualities
from analysis.abstracts.statement import AbstractStatement
from analysis.claims.decide import ClaimVerdict, Decision
from analysis.claims.estimate import Estimate
from analysis.claims.sample import Sample
from analysis.statistics.design import LEVEL
from analysis.statistics.ratio import holm

_TEST: Final = (
    "one-sided t of logarithms, Holm over the settings; quality by BCa of the prompts' differences"
)


@dataclass(frozen=True, kw_only=True)
class _Setting:
    name: str
    """Which setting of which point."""
    energy: Estimate
    """Joules a token over those without it."""
    p_good: float
    """Of what seems to be saved and kept, where one of them is not; quality aside."""
    bad: bool
    """Whether it is shown to save too little, to be too slow, or to answer worse."""
    kept: Kept
    """What is known of the answers."""
    samples: tuple[Sample, Sample]
    """Without it, and with it."""


def judge_saving(
    statement: AbstractStatement, blocks: Sequence[SampleBlock], qualities: Qualities
) -> Decision:
    """Whether there is such a setting, over all blocks."""
    settings: list[_Setting] = []
    reasons: dict[str, None] = {}
    every = [one for block in blocks for one in block.samples]
    for block in blocks:
        for base in block.levels.get(None, ()):
            for level, others in block.levels.items():
                for other in others if level is not None else ():
                    found = _setting(statement, base, other, level, qualities)
                    if isinstance(found, str):
                        reasons[found] = None
                    else:
                        settings.append(found)
    if not settings:
        return undecided("; ".join(reasons) or "no point was run without a lock too", every)
    corrected = holm([one.p_good for one in settings])
    good = [
        at
        for at, (one, p) in enumerate(zip(settings, corrected, strict=True))
        if p < LEVEL and one.kept.reason is None
    ]
    best = min(good or range(len(settings)), key=lambda at: settings[at].energy.value)
    shown = settings[best]
    sentence = f"{shown.name}: {ratio_told(shown.energy)} the joules a token"
    trained = all(one.kept.reason != NO_QUALITY for one in settings)
    verdict = ClaimVerdict.CANNOT_TELL
    if good:
        verdict = ClaimVerdict.REPRODUCED
        sentence += f", what has to stay is kept; so in {len(good)} of {len(settings)} settings"
    elif trained and all(one.bad for one in settings):
        verdict = ClaimVerdict.NOT_REPRODUCED
        sentence += f"; none of {len(settings)} settings saves so much and keeps the rest"
    elif shown.kept.reason is not None:
        sentence += f"; {shown.kept.reason}"
    else:
        sentence += f"; not shown (p = {corrected[best]:.2g} by Holm)"
    used = [sample for one in settings for sample in one.samples]
    decision = Decision(
        verdict=verdict,
        sentence=sentence,
        test=_TEST,
        parts=len(settings) + len(reasons),
        tested=len(settings),
        runs=len({run for one in used for run in one.runs}),
        value=shown.energy.value,
        low=shown.energy.low,
        high=shown.energy.high,
        claimed_high=statement.most,
        p=corrected[best],
        deciding=shown.name,
        labels=labels_of(used),
    )
    return with_needs(statement, decision, used)


def _setting(
    statement: AbstractStatement, base: Sample, other: Sample, level: object, qualities: Qualities
) -> _Setting | str:
    energy, rate = ratio(base, other, ENERGY), ratio(base, other, RATE)
    if isinstance(energy, str) or isinstance(rate, str):
        return energy if isinstance(energy, str) else str(rate)
    if energy.width is None:
        return str(energy.reason)
    parts, bad = [_p(energy.p_below(statement.most))], _p(energy.p_above(statement.most)) < LEVEL
    if statement.rate is not None:
        parts.append(_p(rate.p_above(statement.rate)))
        bad = bad or _p(rate.p_below(statement.rate)) < LEVEL
    kept = qualities.kept(base, other, statement.quality)
    return _Setting(
        name=f"{named(statement, base)}, {level_told(statement, level)} against no lock",
        energy=energy,
        p_good=max(parts),
        bad=bad or kept.worse,
        kept=kept,
        samples=(base, other),
    )


def _p(value: float | None) -> float:
    return 1.0 if value is None else value
