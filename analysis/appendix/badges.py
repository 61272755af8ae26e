"""Badges: ACM's Artifact Review and Badging, version 1.1, as far as a record can tell.

https://www.acm.org/publications/policies/artifact-review-and-badging-current. Badges are given by
people who look at an artifact; each criterion says what the record answers to it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from analysis.appendix.campaign_facts import CampaignFacts
from analysis.appendix.document import Appendix, Block, Heading, Passage, Tabular
from analysis.runs.campaign import reproduces
from analysis.runs.unreadable import UNREADABLE


class State(StrEnum):
    """What the record says of a criterion."""

    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "cannot tell by the record"


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One thing that a badge asks for."""

    asks: str
    """What it asks for."""
    state: State
    """What the record says."""
    reason: str
    """Why, by which part of the record."""


_PEOPLE: Final = "people judge it"


def badges(facts: CampaignFacts) -> Appendix:
    """The check list."""
    return Appendix(
        name="badges",
        title="ACM badges, version 1.1",
        warnings=facts.warnings(),
        blocks=tuple(_blocks(facts)),
    )


def judged(facts: CampaignFacts) -> dict[str, tuple[Criterion, ...]]:
    """The criteria of each badge, by its name."""
    functional = tuple(_functional(facts))
    usable = state_of(functional)
    return {
        "Artifacts Available": (
            Criterion(
                asks="in an archive, under a DOI or another lasting identifier",
                state=State.UNKNOWN,
                reason="no record knows where it is archived",
            ),
        ),
        "Artifacts Evaluated - Functional": functional,
        "Artifacts Evaluated - Reusable": (
            Criterion(
                asks="functional",
                state=usable,
                reason="as above",
            ),
            Criterion(
                asks="documented and structured so that reuse is easy",
                state=State.UNKNOWN,
                reason=_PEOPLE,
            ),
        ),
        "Results Reproduced": (_reproduced(facts),),
        "Results Replicated": (
            Criterion(
                asks="by another team without the authors' artifacts",
                state=State.UNKNOWN,
                reason="whatever another team measured by other means is in no record of this one",
            ),
        ),
    }


def state_of(criteria: Sequence[Criterion]) -> State:
    """A badge is met where all of it is, and not met where any part is not."""
    states = {one.state for one in criteria}
    if State.NOT_MET in states:
        return State.NOT_MET
    return State.UNKNOWN if State.UNKNOWN in states else State.MET


def _blocks(facts: CampaignFacts) -> Iterator[Block]:
    yield Passage(
        text="A badge is met where all that it asks for is, by this record; who gives badges may "
        "see more, or judge otherwise."
    )
    known = judged(facts)
    yield Tabular(
        head=("Badge", "State"),
        rows=tuple((name, state_of(criteria).value) for name, criteria in known.items()),
    )
    for name, criteria in known.items():
        yield Heading(text=name, level=1)
        yield Tabular(
            head=("Asks for", "State", "Reason"),
            rows=tuple((one.asks, one.state.value, one.reason) for one in criteria),
        )


def _functional(facts: CampaignFacts) -> Iterator[Criterion]:
    yield Criterion(asks="documented", state=State.UNKNOWN, reason=_PEOPLE)
    yield _consistent(facts)
    yield _complete(facts)
    yield _exercisable(facts)
    unsigned = len(facts.runs) - facts.signed
    yield Criterion(
        asks="evidence that it can be verified",
        state=State.NOT_MET if facts.audit_failed else State.MET,
        reason=f"every run has a seal; {unsigned} of {len(facts.runs)} have no signature",
    )


def _consistent(facts: CampaignFacts) -> Criterion:
    state = State.MET if facts.verdict.good else State.UNKNOWN
    if facts.audit_failed:
        state = State.NOT_MET
    return Criterion(asks="consistent", state=state, reason=facts.verdict.text)


def _complete(facts: CampaignFacts) -> Criterion:
    asks = "complete: whatever was planned is there"
    if facts.planned is None:
        return Criterion(asks=asks, state=State.UNKNOWN, reason="no plan is on record")
    if facts.unsealed:
        told = ", ".join(facts.unsealed[:3])
        return Criterion(
            asks=asks,
            state=State.NOT_MET,
            reason=f"{len(facts.unsealed)} of {len(facts.planned)} planned runs are not sealed, "
            f"such as {told}",
        )
    return Criterion(
        asks=asks, state=State.MET, reason=f"all {len(facts.planned)} planned runs are sealed"
    )


def _exercisable(facts: CampaignFacts) -> Criterion:
    asks = "exercisable: the program that ran can be had"
    changed = len(facts.changed_runs)
    if changed:
        return Criterion(
            asks=asks,
            state=State.NOT_MET,
            reason=f"{changed} of {len(facts.runs)} runs are from code with changes that no commit "
            "holds",
        )
    commit = facts.of_provenance("git", "commit")
    if not commit.known or commit.missing:
        return Criterion(asks=asks, state=State.UNKNOWN, reason=f"commit {commit.text}")
    return Criterion(asks=asks, state=State.MET, reason=f"commit {commit.text}, without changes")


def _reproduced(facts: CampaignFacts) -> Criterion:
    asks = "by another team with the authors' artifacts"
    told = 0
    for run in facts.runs:
        try:
            told += reproduces(run) is not None
        except UNREADABLE:
            continue
    if told:
        reason = (
            f"{told} of {len(facts.runs)} runs were made after sealed ones of another campaign; "
            "whether by another team, and with which verdict, the comparison of both tells"
        )
    else:
        reason = (
            "a reproduction is a results folder of its own; compare holds it against this, and "
            "with --key signs a verdict"
        )
    return Criterion(asks=asks, state=State.UNKNOWN, reason=reason)
