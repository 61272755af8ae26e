"""Answers: each claim's verdict by the paper's own numbers, in its conditions, and elsewhere."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import product
from typing import Any, Final

from analysis.claims.claim import PaperClaim, claims, in_general
from analysis.claims.decide import ClaimVerdict, Decision, decide
from analysis.claims.metrics import as_the_paper
from analysis.claims.own import decide_own
from analysis.claims.parts import fits, parts_of
from analysis.claims.sample import Sample, samples_of_paper, samples_of_runs
from analysis.paper.published import paper_conditions
from analysis.runs.sealed_runs import Run
from analysis.tables.column import Row
from analysis.tables.point import (
    LOCKS,
    PAPER_ENGINE,
    RANDOM,
    engine_order,
    kept_words,
    setting_words,
)

# The format of the released checkpoints and of the code that the paper ran.
_PAPER_DTYPE: Final = "fp16"
# NVML sets milliwatts, DCGM and nvidia-smi whole watts.
_SAME_LIMIT_W: Final = 0.5
_NOT_AS_NAMED: Final = " (by its spec alone)"
# Conditions that a sentence lists; a run that differs in more is told by their number.
_MOST: Final = 4


class Scope(StrEnum):
    """By which numbers a claim was judged."""

    OWN = "its own numbers"
    """The paper's tables and figures."""
    PAPER = "the paper's conditions"
    """Runs on its boards with its code, prompts, sampling, weights and cap."""
    GENERAL = "in general"
    """Runs on one board by one engine: a verdict of their own, never the paper's boards'."""


@dataclass(frozen=True, kw_only=True)
class ClaimAnswer:
    """A claim's verdict by one set of numbers."""

    claim: PaperClaim
    """What was claimed."""
    scope: Scope
    """By which numbers it was judged."""
    board: str
    """Kind of GPU of them; several in the paper's conditions, apart by commas."""
    engine: str
    """Engine of the runs; empty of the paper's own numbers."""
    decision: Decision
    """What came of it."""


def answers_of(rows: Sequence[Row], runs: Iterable[Run]) -> tuple[ClaimAnswer, ...]:
    """Every claim's answers, in the order of the claims.

    Args:
        rows: of the table of runs, each with what other tables have of the run.
        runs: those runs.
    """
    samples = samples_of_runs(rows, {run.run_id: run for run in runs})
    return tuple(
        answer
        for claim in claims()
        for answer in (*_own(claim), *_in_paper(claim, samples), *_elsewhere(claim, samples))
    )


def _own(claim: PaperClaim) -> Iterator[ClaimAnswer]:
    decision = _own_decision(claim.id)
    if decision is not None:
        boards = ", ".join(claim.boards)
        yield ClaimAnswer(claim=claim, scope=Scope.OWN, board=boards, engine="", decision=decision)


@cache
def _own_decision(name: str) -> Decision | None:
    """What the paper's numbers say, whatever runs there are; None where they say nothing."""
    claim = next(one for one in claims() if one.id == name)
    if claim.equations:
        return decide_own(claim)
    if not claim.own or claim.test is None:
        return None
    fitting = [one for one in samples_of_paper() if any(fits(one, cell) for cell in claim.cells)]
    parts = parts_of(claim, fitting)
    return decide(parts, all_needed=True) if parts else None


def _in_paper(claim: PaperClaim, samples: Sequence[Sample]) -> Iterator[ClaimAnswer]:
    """One answer a claim, whether there are runs or not."""
    if claim.test is None:
        decision = _open("no run can show it: it is about what the paper says of itself")
    else:
        decision = _by_paper_runs(claim, samples)
    boards = ", ".join(claim.boards)
    yield ClaimAnswer(
        claim=claim, scope=Scope.PAPER, board=boards, engine=PAPER_ENGINE, decision=decision
    )


def _by_paper_runs(claim: PaperClaim, samples: Sequence[Sample]) -> Decision:
    boards = claim.boards
    simulated = tuple(f"simulated-{board}" for board in boards)
    there = [one for one in samples if one.conditions["gpu"] in boards and not one.simulated]
    if not there:
        why = f"no sealed run on {' or '.join(boards)}"
        if any(one.conditions["gpu"] in simulated for one in samples):
            why = f"{why}: simulated ones are no measurement"
        return _open(why)
    in_cells = [one for one in there if any(fits(one, cell) for cell in claim.cells)]
    if not in_cells:
        return _open(f"no run on {' or '.join(boards)} is of the claim's points")
    exact = [one for one in in_cells if not _differences(one, claim)]
    if not exact:
        nearest = min((_differences(one, claim) for one in in_cells), key=len)
        return _open(f"runs differ from the paper's in {_listed(nearest)}")
    # The paper's own way of counting, where the table has it.
    assert claim.test is not None
    metric = as_the_paper(claim.test.metric, exact[0].rows[0])
    parts = parts_of(replace(claim, test=replace(claim.test, metric=metric)), exact)
    if not parts:
        return _open("no two runs are alike but for what the claim is about")
    decision = decide(parts, all_needed=True)
    wanted, found = _wanted(claim, exact)
    if decision.verdict is ClaimVerdict.REPRODUCED and found < wanted:
        said = f"{found} of the claim's {wanted} points have runs, and those bear it out"
        return replace(
            decision, verdict=ClaimVerdict.CANNOT_TELL, sentence=f"{said}: {decision.sentence}"
        )
    return decision


def _elsewhere(claim: PaperClaim, samples: Sequence[Sample]) -> Iterator[ClaimAnswer]:
    """An answer for each board and engine of which a number can be made."""
    if claim.test is None or claim.in_general is None:
        return
    sides: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        plain = sample.conditions["quantization"] == "none" and not kept_words(sample.conditions)
        plain = plain and fits(sample, in_general())
        if not sample.simulated and plain:
            board = str(sample.conditions["gpu"])
            named = board if sample.as_asked else f"{board}{_NOT_AS_NAMED}"
            key = named, str(sample.conditions["engine"])
            sides.setdefault(key, []).append(sample)
    for (board, engine), own in sorted(sides.items(), key=lambda one: _side_order(*one[0])):
        fitting = [sample for sample in own if fits(sample, claim.in_general)]
        parts = parts_of(claim, fitting)
        if parts:
            decision = decide(parts, all_needed=False)
            if board.endswith(_NOT_AS_NAMED):
                decision = _open("the driver calls these boards something else")
            yield ClaimAnswer(
                claim=claim, scope=Scope.GENERAL, board=board, engine=engine, decision=decision
            )


def _differences(sample: Sample, claim: PaperClaim) -> list[str]:
    """In what a run of the claim's points was made otherwise than the paper's."""
    had, wanted = sample.conditions, paper_conditions()
    found = [
        f"{name} {had[name]:g} (paper {wanted[name]:g})"
        for name in ("prompts", "temperature", "top_p")
        if had[name] != wanted[name]
    ]
    if had["engine"] != PAPER_ENGINE:
        found.append(f"engine {had['engine']} (paper the public eager code)")
    if had["quantization"] != "none" or had["dtype"] != _PAPER_DTYPE:
        found.append(f"numbers in {had['dtype']} and {had['quantization']} (paper fp16)")
    found += [f"{words} (paper fp16)" for words in kept_words(had)]
    if had["weights"] == RANDOM:
        found.append("random weights (paper the released ones)")
    if not sample.as_asked:
        found.append("boards that their driver calls something else")
    if had["ignore_eos"]:
        found.append("answers in full length (paper cut at their end)")
    locks = setting_words({name: had.get(name) for name in LOCKS})
    found += [f"clock {lock} (paper none asked for)" for lock in locks]
    # A board's own limit is as good as a cap of so much.
    cap = had["power_cap_w"]
    limits = sample.limits_w if cap is None else {cap}
    if cap is not None and any(abs(limit - cap) > _SAME_LIMIT_W for limit in sample.limits_w):
        found.append(f"a cap of {cap:g} W that was not in force")
    capped = any("power_cap_w" in cell for cell in claim.cells)
    if not capped and limits != {wanted["power_cap_w"]}:
        told = " and ".join(f"{limit:g} W" for limit in sorted(limits)) or "not on record"
        found.append(f"power limit {told} (paper {wanted['power_cap_w']:g} W)")
    return found


def _wanted(claim: PaperClaim, samples: Sequence[Sample]) -> tuple[int, int]:
    """How many points the claim is about, and how many of them have runs."""
    points = [
        {name: [value] for name, value in zip(cell, values, strict=True)}
        for cell in claim.cells
        for values in product(*cell.values())
    ]
    # What only the paper's own means have, such as all lengths together, is no point of a grid.
    single = [point for point in points if not any("," in str(v[0]) for v in point.values())]
    return len(single), sum(any(fits(one, point) for one in samples) for point in single)


def _open(why: str) -> Decision:
    return Decision(
        verdict=ClaimVerdict.CANNOT_TELL, sentence=why, test="none", parts=0, tested=0, runs=0
    )


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _MOST
    return ", ".join([*words[:_MOST], *([f"and {more} more"] if more > 0 else [])])


def _side_order(board: str, engine: str) -> tuple[Any, ...]:
    return board, engine_order(engine)


def counted(answers: Iterable[ClaimAnswer], scope: Scope) -> Mapping[ClaimVerdict, int]:
    """How often each verdict was given."""
    found = dict.fromkeys(ClaimVerdict, 0)
    for answer in answers:
        if answer.scope is scope:
            found[answer.decision.verdict] += 1
    return found
