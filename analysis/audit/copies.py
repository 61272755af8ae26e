"""Copies: one trace of readings under two names is a copy, as no two measurements are alike."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from analysis.audit.campaign import Campaign, FolderCheck, RunFacts
from analysis.audit.check import Finding, Severity, failed, judged, skipped

# A copy shares all, one touched at every twentieth reading 0.95^16 = 44 %; of two GPUs at the same
# work in 34 recorded runs none shared more than 1.6 %.
_SHARED: Final = 0.3


def traces_differ(campaign: Campaign) -> dict[str, Finding]:
    """No trace of power stands under a second GPU, rank, node or run.

    Each run is held against all those before it, and against itself.
    """
    known: dict[int, tuple[str, str, str]] = {}
    return {facts.run_id: _look(facts, known) for facts in campaign.runs}


def _look(facts: RunFacts, known: dict[int, tuple[str, str, str]]) -> Finding:
    if (why := facts.missing.get("traces")) is not None:
        return failed(f"could not be checked: {why}")
    faults = []
    for trace in facts.traces:
        marks = trace.numbers
        name = (facts.run_id, trace.host, trace.device)
        seen = Counter(known[mark] for mark in marks if mark in known)
        for mark in marks:
            known.setdefault(mark, name)
        if seen and (most := seen.most_common(1)[0])[1] >= _SHARED * len(marks):
            faults.append(
                f"{trace.field} of {trace.device} on {trace.host} is a copy of "
                f"{_told(most[0], facts.run_id)}"
            )
    if not facts.traces:
        return skipped("no trace is long and varied enough to be told from another")
    return judged(faults, f"{len(facts.traces)} traces, none like another")


def _told(other: tuple[str, str, str], here: str) -> str:
    run_id, host, device = other
    elsewhere = "" if run_id == here else f" in {run_id}"
    return f"{device} on {host}{elsewhere}"


COPY_CHECKS: Final = (
    FolderCheck(
        name="copies",
        claim="no trace stands under a second name",
        severity=Severity.WRONG,
        rule=(
            "of the power of no two GPUs, ranks, nodes or runs the order of size "
            "within short stretches is the same"
        ),
        tolerance=f"{_SHARED:.0%} of a trace's marks",
        reason=(
            "a copy touched at every twentieth reading shares 44 %, two GPUs at the"
            " same work in 34 recorded runs at most 1.6 %"
        ),
        rules_out=(
            "a repeat, a node or a GPU that was copied instead of measured, shifted or scaled too"
        ),
        look=traces_differ,
        alone=True,
    ),
)
"""Checks of runs against each other."""


def is_copy(marks: Sequence[int], others: Collection[int]) -> bool:
    """Whether a trace of these digests is a copy of one of those: it shares more than chance."""
    return bool(marks) and len(set(marks) & set(others)) >= _SHARED * len(marks)
