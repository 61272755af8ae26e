"""Claims: what the sides say of the paper's claims, one beside the other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.claims.answers import ClaimAnswer, Scope, answers_of
from analysis.claims.claim import PaperClaim
from analysis.claims.decide import ClaimVerdict
from analysis.compare.sides import Side

_SHORT: Final = {
    ClaimVerdict.REPRODUCED: "reproduced",
    ClaimVerdict.NOT_REPRODUCED: "not",
    ClaimVerdict.CANNOT_TELL: "cannot tell",
}
_PLACES: Final = {
    Scope.PAPER: "in the paper's conditions",
    Scope.GENERAL: "in general, each on its boards",
}


@dataclass(frozen=True, kw_only=True)
class ClaimRow:
    """One claim by the runs of every side."""

    claim: PaperClaim
    """What the paper says."""
    scope: Scope
    """Whether the paper's conditions were asked for, or what holds on any board."""
    answers: Mapping[str, tuple[ClaimAnswer, ...]]
    """By the side's letter; in general one a board and engine, and none where no number is had."""

    @property
    def told(self) -> bool:
        """Whether a side says more than that it cannot tell."""
        return any(
            one.decision.verdict is not ClaimVerdict.CANNOT_TELL
            for each in self.answers.values()
            for one in each
        )

    @property
    def agree(self) -> bool | None:
        """Whether all sides say the same; None where one of them cannot tell."""
        found = [{one.decision.verdict for one in each} for each in self.answers.values()]
        if any(not each or ClaimVerdict.CANNOT_TELL in each for each in found):
            return None
        return len(set().union(*found)) == 1

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "claim": self.claim.id,
            "where": self.claim.where,
            "statement": self.claim.text,
            "by_what": str(self.scope),
            "agree": self.agree,
            "sides": {
                letter: [
                    {
                        "gpu": one.board,
                        "engine": one.engine,
                        "verdict": str(one.decision.verdict),
                        "evidence": one.decision.sentence,
                        "test": one.decision.test,
                        "value": one.decision.value,
                        "low": one.decision.low,
                        "high": one.decision.high,
                        "p": one.decision.p,
                        "runs": one.decision.runs,
                        "labels": list(one.decision.labels),
                    }
                    for one in each
                ]
                for letter, each in self.answers.items()
            },
        }


def claims_of(sides: Sequence[Side]) -> tuple[ClaimRow, ...]:
    """Every claim that a side could say something of, in the paper's order."""
    found: dict[tuple[str, Scope], dict[str, list[ClaimAnswer]]] = {}
    known: dict[str, PaperClaim] = {}
    for side in sides:
        rows = [member.row for member in side.members]
        for answer in answers_of(rows, (member.run for member in side.members)):
            if answer.scope is not Scope.OWN:
                known[answer.claim.id] = answer.claim
                key = answer.claim.id, answer.scope
                by_side = found.setdefault(key, {each.letter: [] for each in sides})
                by_side[side.letter].append(answer)
    order = list(known)
    return tuple(
        ClaimRow(
            claim=known[name],
            scope=scope,
            answers={letter: tuple(each) for letter, each in by_side.items()},
        )
        for (name, scope), by_side in sorted(
            found.items(), key=lambda one: (order.index(one[0][0]), one[0][1] is Scope.GENERAL)
        )
    )


def claim_lines(claims: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """How many claims came out how on each side, then those that a side can tell.

    Args:
        claims: each as `ClaimRow.to_mapping` has it.
    """
    every = list(claims)
    for scope, place in _PLACES.items():
        own = [one for one in every if one["by_what"] == scope]
        if own:
            yield f"claims of arXiv 2310.03003 {place}: {_counts(own)}"
    for one in every:
        verdicts = [each["verdict"] for answers in one["sides"].values() for each in answers]
        if any(each != ClaimVerdict.CANNOT_TELL for each in verdicts):
            yield f"{one['claim']}: {_sides(one)}{_agreement(one)}"


def _counts(claims: Sequence[Mapping[str, Any]]) -> str:
    letters = dict.fromkeys(letter for one in claims for letter in one["sides"])
    told = []
    for letter in letters:
        verdicts = [each["verdict"] for one in claims for each in one["sides"][letter]]
        counts = ", ".join(f"{verdicts.count(name)} {short}" for name, short in _SHORT.items())
        told.append(f"{letter} {counts}")
    return "; ".join(told)


def _sides(claim: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{letter} "
        + (
            ", ".join(f"{each['gpu']} {each['engine']} {each['verdict']}" for each in answers)
            or "has no such runs"
        )
        for letter, answers in claim["sides"].items()
    )


def _agreement(claim: Mapping[str, Any]) -> str:
    return {None: "", True: ": they agree", False: ": THEY DIFFER"}[claim["agree"]]
