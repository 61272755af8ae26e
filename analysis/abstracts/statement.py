"""Statement: one thing that an abstract says, as data, and the test that decides it in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from analysis.abstracts.version import PaperVersion, content, require_keys, version_named
from analysis.statistics.design import LEVEL

TASK: Final = "task"
"""What is varied where a statement is about tasks: each task's data sets are its levels."""


class StatementKind(StrEnum):
    """By what a statement is held against runs: a closed list, in code."""

    DIFFERS = "differs"
    """What is varied changes a number by more than the tolerance."""
    SAVES = "saves"
    """There is a setting that takes less energy and keeps what has to stay."""
    CORRELATES = "correlates"
    """The energy of an answer goes with a feature of its prompt."""
    UNDECIDED = "undecided"
    """The abstract names nothing that a run could be held to."""


class Need(StrEnum):
    """What a verdict has to rest on so many of."""

    MODELS = "models"
    """Models of the version."""
    TASKS = "tasks"
    """Tasks of the version."""
    LENGTHS = "lengths"
    """Greatest lengths of answers."""
    INPUTS = "inputs"
    """Greatest lengths of prompts."""
    CLOCKS = "clocks"
    """Clocks that were asked for; none asked for is one of them."""


@dataclass(frozen=True, kw_only=True)
class AbstractStatement:
    """One thing that an abstract says."""

    id: str
    """Its name: the version, then small letters and hyphens."""
    version: PaperVersion
    """Whose abstract says it."""
    says: str
    """What it says, in our words."""
    kind: StatementKind
    """How it is tested."""
    metric: str
    """Of `differs`: a column of the table of runs; empty of the others."""
    along: str
    """What is varied: a field of the spec, or `task`; empty where nothing is."""
    tolerance: float
    """Of `differs`: share that counts as no change."""
    fixed: bool
    """Whether prompts of exact lengths, which ask nothing, may decide it beside the tasks."""
    most: float
    """Of `saves`: the energy over that without the setting has to lie below it."""
    rate: float | None
    """Of `saves`: tokens a second over those without it have to lie above it; None: no matter."""
    quality: float
    """Of `saves`: by less than so much of a score of 0 to 1 may answers be worse."""
    feature: str
    """Of `correlates`: which of the table of input features."""
    needs: Mapping[Need, int]
    """On how many of each a verdict has to rest."""
    reason: str
    """Why the bounds are what they are."""

    def __post_init__(self) -> None:
        wanted = {
            StatementKind.DIFFERS: self.metric and self.along and self.tolerance > 0,
            StatementKind.SAVES: self.along and self.most > 0 and self.quality > 0,
            StatementKind.CORRELATES: self.feature,
            StatementKind.UNDECIDED: True,
        }
        if not wanted[self.kind]:
            raise ValueError(f"`test` must have all that {self.kind} needs, but is {self!r}")

    @property
    def decided_by(self) -> str:
        """The test that decides it, its statistic, threshold and needed conditions in words."""
        told = {
            StatementKind.DIFFERS: (
                f"{self.metric} of two levels of {self.along}, all else the same, differs by more "
                f"than {self.tolerance:.0%}: two one-sided t tests of logarithms, Holm over all "
                f"pairs, p < {LEVEL:g}; not so where all pairs are shown to lie within it"
            ),
            StatementKind.SAVES: (
                f"a lock of {self.along} against none, all else the same: energy_per_token_j below "
                f"{self.most:g} times"
                + (f", tokens_per_s above {self.rate:g} times" if self.rate is not None else "")
                + f", quality less than {self.quality:g} lower, each shown (p < {LEVEL:g}, Holm "
                "over the settings; quality by BCa of the prompts' differences); trained weights"
            ),
            StatementKind.CORRELATES: (
                f"Spearman's rho of {self.feature} and energy a response is not 0 "
                f"(p < {LEVEL:g} by Holm) in every family of runs; that it is 0 no such test shows"
            ),
            StatementKind.UNDECIDED: "none: the abstract names no model and no task by name",
        }[self.kind]
        needed = ", ".join(
            f"{count} {str(need).removesuffix('s') if count == 1 else need}"
            for need, count in self.needs.items()
        )
        return f"{told}; needs {needed}"


_KEYS: Final = ("id", "version", "says", "test", "needs", "reason")
_TEST_KEYS: Final = (
    *("kind", "metric", "along", "tolerance", "fixed", "most", "rate", "quality", "feature"),
)
_ALL: Final = "all"


@cache
def statements() -> tuple[AbstractStatement, ...]:
    """Every statement, in the order of the versions.

    Raises:
        ValueError, KeyError: the data file is not what it must be.
    """
    made = tuple(map(read_statement, content()["statements"]))
    names = [one.id for one in made]
    if len(names) > len(set(names)):
        raise ValueError(f"`id` must name one statement each, but they are {names} instead")
    return made


def read_statement(said: Mapping[str, Any]) -> AbstractStatement:
    """One statement from its JSON form; what is unknown is refused.

    Raises:
        ValueError, KeyError: it is none.
    """
    require_keys(said, _KEYS)
    test = said["test"]
    require_keys(test, _TEST_KEYS)
    version = version_named(said["version"])
    return AbstractStatement(
        id=said["id"],
        version=version,
        says=said["says"],
        kind=StatementKind(test["kind"]),
        metric=test.get("metric", ""),
        along=test.get("along", ""),
        tolerance=float(test.get("tolerance", 0.0)),
        fixed=bool(test.get("fixed", False)),
        most=float(test.get("most", 0.0)),
        rate=test.get("rate"),
        quality=float(test.get("quality", 0.0)),
        feature=test.get("feature", ""),
        needs={Need(name): _count(version, name, wanted) for name, wanted in said["needs"].items()},
        reason=said["reason"],
    )


def _count(version: PaperVersion, name: str, wanted: int | str) -> int:
    if wanted != _ALL:
        return int(wanted)
    found = {Need.MODELS: version.models, Need.TASKS: version.tasks}[Need(name)]
    if not found:
        raise ValueError(
            f"`{name}` must be a number where {version.name} names none, but is all instead"
        )
    return len(found)
