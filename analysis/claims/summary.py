"""Summary: how many claims came out how, in a sentence a set of numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

from analysis.claims.answers import Scope
from analysis.claims.decide import ClaimVerdict
from analysis.tables.column import Row

_OF_RUNS: Final = (ClaimVerdict.REPRODUCED, ClaimVerdict.NOT_REPRODUCED, ClaimVerdict.CANNOT_TELL)
_OF_PAPER: Final = (ClaimVerdict.AGREES, ClaimVerdict.CONTRADICTS, ClaimVerdict.CANNOT_TELL)
_SHORT: Final[Mapping[ClaimVerdict, str]] = {
    ClaimVerdict.NOT_REPRODUCED: "not",
    ClaimVerdict.AGREES: "agree",
    ClaimVerdict.CONTRADICTS: "contradict",
}


def claim_lines(rows: Sequence[Row]) -> list[str]:
    """What came of all claims, from the rows of their table; empty where it has none.

    The paper's conditions first: that is what `reproduced` means. What holds on other boards is
    told of each board by itself.
    """
    by_paper = _counts(rows, Scope.PAPER)
    if not rows or not by_paper:
        return []
    lines = [f"claims: {_told(by_paper, _OF_RUNS)} under the paper's conditions"]
    sides = dict.fromkeys(
        (str(row["gpu"]), str(row["engine"])) for row in rows if row["by_what"] == Scope.GENERAL
    )
    lines += [
        f"claims on {board}, engine {engine}{_labels(rows, board, engine)}: "
        f"{_told(_counts(rows, Scope.GENERAL, board, engine), _OF_RUNS)} in general"
        for board, engine in sides
    ]
    own = _counts(rows, Scope.OWN)
    contradictions = [
        row
        for row in rows
        if row["by_what"] == Scope.OWN
        and row["about"] == "itself"
        and row["verdict"] == ClaimVerdict.CONTRADICTS
    ]
    lines.append(
        f"claims by the paper's own numbers: {_told(own, _OF_PAPER)}; "
        f"{len(contradictions)} of the contradictions lie between its numbers alone"
    )
    return lines


def _counts(
    rows: Sequence[Row], scope: Scope, board: str | None = None, engine: str | None = None
) -> Counter[str]:
    return Counter(
        str(row["verdict"])
        for row in rows
        if row["by_what"] == scope
        and (board is None or (row["gpu"] == board and row["engine"] == engine))
    )


def _labels(rows: Sequence[Row], board: str, engine: str) -> str:
    found = (
        str(row["labels"]).split(", ")
        for row in rows
        if row["by_what"] == Scope.GENERAL
        and (row["gpu"], row["engine"]) == (board, engine)
        and row["labels"]
    )
    return "".join(f", {label}" for label in dict.fromkeys(chain.from_iterable(found)))


def _told(counts: Mapping[str, int], verdicts: Sequence[ClaimVerdict]) -> str:
    return ", ".join(f"{counts.get(one, 0)} {_SHORT.get(one, str(one))}" for one in verdicts)
