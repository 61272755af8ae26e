"""Claim: one thing that the paper says, as data: where, in what conditions, how it is tested."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Final

from telemetry.nearest import one_of


class TestKind(StrEnum):
    """By what a claim is held against numbers: a closed list, in code."""

    # pytest would take the name for a class of tests.
    __test__ = False

    RATIO = "ratio"
    """One side over another lies within bounds."""
    MONOTONE = "monotone"
    """Each level of what is varied has more (or less) than the one before it."""
    FLAT = "flat"
    """What is varied changes the number by no more than the tolerance."""
    RANGE = "range"
    """The number itself lies within bounds."""
    FEASIBLE = "feasible"
    """Such a run can be made at all."""


class About(StrEnum):
    """What a claim is about."""

    MEASUREMENT = "measurement"
    """What the paper says of models and boards."""
    ITSELF = "itself"
    """What must hold between the paper's own numbers: a contradiction where it does not."""


class Relation(StrEnum):
    """How two of the paper's own numbers must lie to one another."""

    EQUAL = "equal"
    """They are the same."""
    AT_MOST = "at most"
    """The left is no more than the right."""
    AT_LEAST = "at least"
    """The left is no less than the right."""


class Combine(StrEnum):
    """What becomes of several numbers."""

    VALUE = "value"
    """The one that there is."""
    MEAN = "mean"
    """Their mean."""
    RATIO = "ratio"
    """The first over the second."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """One number of the paper, and how far off it may be."""

    value: float
    """In the unit of its equation."""
    half: float
    """How far off it may be by rounding or by reading a figure; 0 of what is exact."""


@dataclass(frozen=True, kw_only=True)
class ClaimTerm:
    """One side of an equation between numbers of the paper."""

    named: str
    """What it is, and where it stands."""
    combine: Combine
    """What becomes of its numbers."""
    numbers: tuple[Number, ...]
    """At least one; two of a ratio."""

    def __post_init__(self) -> None:
        least = {Combine.VALUE: 1, Combine.RATIO: 2}.get(self.combine)
        if not self.numbers or (least is not None and len(self.numbers) != least):
            raise ValueError(
                f"`numbers` of {self.named} must be {least or 'at least one'} for a "
                f"{self.combine}, but are {len(self.numbers)} instead"
            )

    @property
    def ends(self) -> tuple[float, float, float]:
        """Lowest, stated and highest value that it can have.

        What its numbers are off by is independent, one of the other: a root sum of squares
        (JCGM 100:2008, 5.1.2).
        """
        values = [one.value for one in self.numbers]
        halves = [one.half for one in self.numbers]
        if self.combine is Combine.RATIO:
            value = values[0] / values[1]
            half = abs(value) * math.hypot(halves[0] / values[0], halves[1] / values[1])
        else:
            value = math.fsum(values) / len(values)
            half = math.hypot(*halves) / len(halves)
        return value - half, value, value + half


@dataclass(frozen=True, kw_only=True)
class Equation:
    """How two terms of the paper must lie to one another."""

    left: ClaimTerm
    """What is held against the right."""
    relation: Relation
    """How it must lie."""
    right: ClaimTerm
    """What it is held against."""
    unit: str
    """Unit of both; empty for a number without one."""


@dataclass(frozen=True, kw_only=True)
class Test:
    """How a claim is held against runs, and against the paper's own cells."""

    __test__ = False

    kind: TestKind
    """Which of the tests that there are."""
    metric: str
    """Column of the table of runs, or one of `analysis.claims.metrics`; empty of `feasible`."""
    along: str | None = None
    """Field of the spec that is varied, of `monotone` and `flat`."""
    rises: bool = True
    """Of `monotone`: False where each level has less than the one before it."""
    over: Mapping[str, Any] | None = None
    """Of `ratio`: what the numerator's runs have."""
    under: Mapping[str, Any] | None = None
    """Of `ratio`: what the denominator's runs have."""
    low: float | None = None
    """Of `ratio` and `range`: the lower bound; None for none."""
    high: float | None = None
    """Of the same: the upper bound."""
    fewest_gpus: bool = False
    """Of `monotone`: each level on the fewest GPUs that it has runs on."""
    possible: bool = True
    """Of `feasible`: False where the paper says that such a run cannot be made."""
    free: tuple[str, ...] = ()
    """Fields in which two runs that are held against each other may differ beside."""

    def __post_init__(self) -> None:
        bounds = self.low is not None or self.high is not None
        wanted = {
            TestKind.RATIO: bounds and self.over is not None and self.under is not None,
            TestKind.MONOTONE: self.along is not None,
            TestKind.FLAT: self.along is not None,
            TestKind.RANGE: bounds,
            TestKind.FEASIBLE: True,
        }
        if not wanted[self.kind] or (not self.metric and self.kind is not TestKind.FEASIBLE):
            raise ValueError(f"`test` must have all that a {self.kind} needs, but is {self!r}")


@dataclass(frozen=True, kw_only=True)
class PaperClaim:
    """One thing that the paper says."""

    id: str
    """Its name: small letters and hyphens."""
    where: str
    """Section, figure or table of the paper."""
    text: str
    """What it says, in our words."""
    about: About
    """Whether it is about the world or about the paper's own numbers."""
    cells: tuple[Mapping[str, Sequence[Any]], ...]
    """Conditions that it was said of: values allowed by field of the spec; a run is in one of them
    where all fit."""
    test: Test | None
    """How runs are held against it; None where no run can say anything."""
    in_general: Mapping[str, Sequence[Any]] | None
    """What runs on other boards, or in other conditions, must have to say something of their own;
    None: it is about the paper's boards alone."""
    tolerance: float
    """Share by which a number may miss what is claimed, or which counts as no change."""
    reason: str
    """Why so much."""
    own: bool
    """Whether the test is made of the paper's own cells too."""
    equations: tuple[Equation, ...]
    """What must hold between its own numbers; empty: nothing that they decide."""

    @property
    def boards(self) -> tuple[str, ...]:
        """The boards that it was said of, each once."""
        found = (str(gpu) for cell in self.cells for gpu in cell.get("gpu", ()))
        return tuple(dict.fromkeys(found))


@cache
def in_general() -> Mapping[str, Sequence[Any]]:
    """What a run must have to say something of this paper: values allowed by field of the spec.

    Its architecture in any size, its data sets, texts of exact lengths and of a file: runs of other
    papers' models and tasks are no proof of it.
    """
    text = resources.files("analysis.claims").joinpath("claims.json").read_text(encoding="utf-8")
    found: Mapping[str, Sequence[Any]] = json.loads(text)["in_general"]
    return found


@cache
def claims() -> tuple[PaperClaim, ...]:
    """Every claim, in the order of the paper.

    Raises:
        ValueError: claims.json is not what it must be.
    """
    text = resources.files("analysis.claims").joinpath("claims.json").read_text(encoding="utf-8")
    made = tuple(map(read_claim, json.loads(text)["claims"]))
    names = [one.id for one in made]
    if len(names) > len(set(names)):
        raise ValueError(f"`id` must name one claim each, but they are {names} instead")
    return made


_CLAIM_KEYS: Final = (
    *("id", "where", "claim", "about", "cells", "test", "in_general", "tolerance", "reason"),
    *("own", "equations"),
)
_TERM_KEYS: Final = ("named", "combine", "numbers", "share", "half", "halves")
_TEST_KEYS: Final = (
    *("kind", "metric", "along", "rises", "over", "under", "low", "high", "free"),
    "possible",
    "fewest_gpus",
)


def read_claim(content: Mapping[str, Any]) -> PaperClaim:
    """One claim from its JSON form; what is unknown is refused.

    Raises:
        ValueError, KeyError: it is none.
    """
    _require_keys(content, _CLAIM_KEYS)
    test = content.get("test")
    return PaperClaim(
        id=content["id"],
        where=content["where"],
        text=content["claim"],
        about=About(content["about"]),
        cells=tuple(content.get("cells", ())),
        test=None if test is None else _test(test),
        in_general=content.get("in_general"),
        tolerance=float(content.get("tolerance", 0.0)),
        reason=content.get("reason", ""),
        own=bool(content.get("own", False)),
        equations=tuple(map(_equation, content.get("equations", ()))),
    )


def _test(content: Mapping[str, Any]) -> Test:
    _require_keys(content, _TEST_KEYS)
    return Test(
        **{
            "metric": "",
            **content,
            "kind": TestKind(content["kind"]),
            "free": tuple(content.get("free", ())),
        }
    )


def _equation(content: Mapping[str, Any]) -> Equation:
    return Equation(
        left=_term(content["left"]),
        relation=Relation(content["relation"]),
        right=_term(content["right"]),
        unit=content.get("unit", ""),
    )


def _term(content: Mapping[str, Any]) -> ClaimTerm:
    _require_keys(content, _TERM_KEYS)
    values = content["numbers"]
    # A figure is read to about 2 %, a printed number is rounded to its last digit.
    halves = content.get("halves") or [
        abs(value) * content["share"] if "share" in content else content.get("half", 0.0)
        for value in values
    ]
    return ClaimTerm(
        named=content["named"],
        combine=Combine(content.get("combine", "value")),
        numbers=tuple(
            Number(value=float(value), half=float(half))
            for value, half in zip(values, halves, strict=True)
        ),
    )


def _require_keys(content: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in content:
        if key not in known:
            raise ValueError(one_of("key", known, key, things="keys"))
