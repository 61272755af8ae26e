"""Version: what one version of a paper names, of which no more than its abstract is known."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from analysis.claims.sample import family_of
from telemetry.nearest import one_of

ARXIV: Final = "2501.08219"
"""The paper's number."""
FIXED: Final = "fixed"
"""The data set of exact lengths: no task, but what a length or a clock costs it shows."""
# What the first paper was asked too: a run of it alone is none of this paper's.
_SHARED: Final = ("alpaca", "alpaca_seed", "gsm8k")


@dataclass(frozen=True, kw_only=True)
class Named:
    """A model or a task of a version, and what it is called here."""

    printed: str
    """As the abstract has it."""
    ours: tuple[str, ...]
    """Names of models, or of data sets that stand for the task: their choice is ours."""


@dataclass(frozen=True, kw_only=True)
class PaperVersion:
    """What a version's abstract names."""

    name: str
    """`v1` and so on."""
    date: str
    """When it was submitted, as YYYY-MM-DD."""
    title: str
    """Its title: a later one has another."""
    source: str
    """Where the abstract was read."""
    same_abstract: tuple[str, ...]
    """Versions whose abstract says the same."""
    models: tuple[Named, ...]
    """Its models; empty where the abstract names none."""
    tasks: tuple[Named, ...]
    """Its tasks; empty where the abstract names none."""
    unknown: tuple[str, ...]
    """What nobody could read of it."""

    @property
    def paper(self) -> str:
        """Which paper in which version, as tables have it."""
        return f"arXiv {ARXIV} {self.name}"

    def model_of(self, name: object) -> Named | None:
        """Its model that a run's model is; None where it is none of them."""
        return next((one for one in self.models if name in one.ours), None)

    def task_of(self, dataset: object) -> Named | None:
        """Its task that a run's data set stands for; None where it is none of them."""
        family = family_of(dataset)
        return next((one for one in self.tasks if family in one.ours), None)

    def concerns(self, model: object, dataset: object) -> bool:
        """Whether such a run is of this paper's models, or of tasks that the first has not."""
        shared = family_of(dataset) in _SHARED
        return self.model_of(model) is not None or (
            self.task_of(dataset) is not None and not shared
        )


def content() -> Mapping[str, Any]:
    """The data file."""
    text = resources.files("analysis.abstracts").joinpath("maliakel2025.json")
    found: Mapping[str, Any] = json.loads(text.read_text(encoding="utf-8"))
    return found


_KEYS: Final = (
    *("name", "date", "title", "source", "same_abstract", "models", "tasks", "unknown"),
)
_TASK_KEYS: Final = ("printed", "datasets")
_MODEL_KEYS: Final = ("printed", "names")


@cache
def versions() -> tuple[PaperVersion, ...]:
    """Every version with an abstract of its own, the first before the others.

    Raises:
        ValueError, KeyError: the data file is not what it must be.
    """
    return tuple(map(_version, content()["versions"]))


def concerned(works: Iterable[tuple[object, object]]) -> tuple[PaperVersion, ...]:
    """All versions where one of these models and data sets concerns any of them; else none."""
    found = any(one.concerns(model, dataset) for model, dataset in works for one in versions())
    return versions() if found else ()


def version_named(name: str) -> PaperVersion:
    """One of them.

    Raises:
        ValueError: there is none.
    """
    known = [one.name for one in versions()]
    if name not in known:
        raise ValueError(one_of("version", name, known, things="versions"))
    return versions()[known.index(name)]


def _version(said: Mapping[str, Any]) -> PaperVersion:
    require_keys(said, _KEYS)
    return PaperVersion(
        name=said["name"],
        date=said["date"],
        title=said["title"],
        source=said["source"],
        same_abstract=tuple(said.get("same_abstract", ())),
        models=_named(said["models"], _MODEL_KEYS),
        tasks=_named(said["tasks"], _TASK_KEYS),
        unknown=tuple(said["unknown"]),
    )


def _named(entries: Sequence[Mapping[str, Any]], keys: tuple[str, str]) -> tuple[Named, ...]:
    for entry in entries:
        require_keys(entry, keys)
    return tuple(Named(printed=one[keys[0]], ours=tuple(one[keys[1]])) for one in entries)


def require_keys(said: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse what nobody reads.

    Raises:
        ValueError: a key is unknown.
    """
    for key in said:
        if key not in known:
            raise ValueError(one_of("key", key, known, things="keys"))
