"""Pace checks: are times and tokens each batch's own, or another's told again?"""

from collections.abc import Mapping
from typing import Any, Final

from analysis.audit.campaign import Campaign, FolderCheck, RunFacts
from analysis.audit.check import Finding, Severity, failed, judged, skipped

# As for `answers`: from here on tokens are as good as drawn; no two draws of so many are alike.
_TELLING_TEMPERATURE: Final = 0.5
_TELLING_TOP_P: Final = 0.5
_TELLING_TOKENS: Final = 64


def batches_are_own(campaign: Campaign) -> dict[str, Finding]:
    """No batch has the times of another, and no run the tokens of one with another seed."""
    times: dict[bytes, tuple[str, int]] = {}
    tokens: dict[bytes, list[RunFacts]] = {}
    return {facts.run_id: _look(facts, times, tokens) for facts in campaign.runs}


def _look(
    facts: RunFacts,
    times: dict[bytes, tuple[str, int]],
    tokens: dict[bytes, list[RunFacts]],
) -> Finding:
    if (why := facts.missing.get("paces")) is not None or facts.paces is None:
        return failed(f"could not be checked: {why}")
    faults = []
    for batch, digest in sorted(facts.paces.steps.items()):
        run_id, other = times.setdefault(digest, (facts.run_id, batch))
        if (run_id, other) != (facts.run_id, batch):
            where = "" if run_id == facts.run_id else f" of {run_id}"
            faults.append(f"batch {batch} has the times of batch {other}{where} to the microsecond")
    drawn = _drawn(facts.spec) and facts.paces.ids_count >= _TELLING_TOKENS
    if drawn:
        alike = tokens.setdefault(facts.paces.ids, [])
        faults += [
            f"its {facts.paces.ids_count} tokens are those of {one.run_id}, drawn with seed "
            f"{one.spec.get('seed')}, not {facts.spec.get('seed')}"
            for one in alike
            if one.spec.get("seed") != facts.spec.get("seed")
        ]
        alike.append(facts)
    if not facts.paces.steps and not drawn:
        return skipped("no batch has times that vary, and no tokens were drawn")
    told = f", {facts.paces.ids_count} tokens drawn" if drawn else ""
    return judged(faults, f"{len(facts.paces.steps)} batches with times of their own{told}")


def _drawn(spec: Mapping[str, Any]) -> bool:
    temperature, top_p = spec.get("temperature"), spec.get("top_p")
    return (
        isinstance(temperature, int | float)
        and isinstance(top_p, int | float)
        and temperature >= _TELLING_TEMPERATURE
        and top_p >= _TELLING_TOP_P
    )


PACE_CHECKS: Final = (
    FolderCheck(
        name="own-batches",
        claim="no batch has another's times or draws",
        look=batches_are_own,
        alone=True,
        severity=Severity.WRONG,
        rule=(
            "the microseconds between the steps of every batch of 16 steps and more that vary are "
            "those of no second batch of the folder; the tokens of a run that drew 64 and more at "
            "temperature 0.5 and more are those of no run with another seed"
        ),
        tolerance="none: all are the same, or it is another",
        reason="16 times to the microsecond, and 64 draws of thousands of ids, do not come again",
        rules_out="a batch or a repeat told again under another name",
    ),
)
"""Checks of batches, over all runs."""
