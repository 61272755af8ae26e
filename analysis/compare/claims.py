"""Claims: what the sides say of both papers' claims, one beside the other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from analysis.abstracts.answers import StatementEvidence, statement_answers
from analysis.claims.answers import Scope, answers_of
from analysis.claims.decide import ClaimVerdict, Decision
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
_OF_VERSION: Final = "its version's models and tasks"
# Of what nobody knows more of than its abstract.
_WHERE: Final = "abstract"
# The key of a claim's mapping that names the paper; those of the first one have none.
_PAPER: Final = "paper"


@dataclass(frozen=True, kw_only=True)
class ClaimTold:
    """One verdict of a side."""

    board: str
    """Kind of GPU of it; empty where no run could say anything."""
    engine: str
    """Engine of it; empty as well."""
    decision: Decision
    """What came of it."""


@dataclass(frozen=True, kw_only=True)
class ClaimRow:
    """One claim by the runs of every side."""

    name: str
    """What it is called."""
    paper: str | None
    """Which paper in which version says it; None of arXiv 2310.03003."""
    where: str
    """Where the paper says it."""
    text: str
    """What it says, in our words."""
    by_what: str
    """Whether the paper's conditions were asked for, or what holds on any board."""
    answers: Mapping[str, tuple[ClaimTold, ...]]
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
            **({} if self.paper is None else {_PAPER: self.paper}),
            "claim": self.name,
            "where": self.where,
            "statement": self.text,
            "by_what": self.by_what,
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
    """Every claim that a side could say something of, paper by paper, in each one's order."""
    return (*_of_first(sides), *_of_second(sides))


def _of_first(sides: Sequence[Side]) -> list[ClaimRow]:
    found: dict[tuple[str, Scope], ClaimRow] = {}
    for side in sides:
        rows = [member.row for member in side.members]
        for one in answers_of(rows, (member.run for member in side.members)):
            if one.scope is not Scope.OWN:
                made = ClaimRow(
                    name=one.claim.id,
                    paper=None,
                    where=one.claim.where,
                    text=one.claim.text,
                    by_what=str(one.scope),
                    answers={},
                )
                told = ClaimTold(board=one.board, engine=one.engine, decision=one.decision)
                key = one.claim.id, one.scope
                found[key] = _with(found.get(key, made), sides, side.letter, told)
    order = list(dict.fromkeys(name for name, _ in found))
    keys = sorted(found, key=lambda key: (order.index(key[0]), key[1] is Scope.GENERAL))
    return [found[key] for key in keys]


def _of_second(sides: Sequence[Side]) -> list[ClaimRow]:
    found: dict[str, ClaimRow] = {}
    for side in sides:
        rows = [member.row for member in side.members]
        runs = [member.run for member in side.members]
        evidence = StatementEvidence.of(rows, runs, features=side.features)
        for one in statement_answers(evidence):
            made = ClaimRow(
                name=one.statement.id,
                paper=one.statement.version.paper,
                where=_WHERE,
                text=one.statement.says,
                by_what=_OF_VERSION,
                answers={},
            )
            told = ClaimTold(board=one.board, engine=one.engine, decision=one.decision)
            key = one.statement.id
            found[key] = _with(found.get(key, made), sides, side.letter, told)
    return list(found.values())


def _with(row: ClaimRow, sides: Sequence[Side], letter: str, told: ClaimTold) -> ClaimRow:
    own = {each.letter: row.answers.get(each.letter, ()) for each in sides}
    return replace(row, answers={**own, letter: (*own[letter], told)})


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
    for paper in dict.fromkeys(one[_PAPER] for one in every if _PAPER in one):
        own = [one for one in every if one.get(_PAPER) == paper]
        yield f"claims of {paper}, its abstract alone, each on its boards: {_counts(own)}"
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
