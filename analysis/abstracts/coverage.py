"""Coverage: which of a version's models, tasks, lengths and clocks have measured runs here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.abstracts.judge import labels_of
from analysis.abstracts.table import SECTION, evidence_of
from analysis.abstracts.version import Named, PaperVersion
from analysis.claims.sample import Sample
from analysis.tables.column import ColumnsOf
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import Results, TableKind

_PRESENT: Final = "present"
_MISSING: Final = "missing"


@dataclass(frozen=True, kw_only=True)
class VersionCell:
    """One cell of a version: a model, a task, a length and a clock."""

    version: PaperVersion
    """Whose abstract names model and task."""
    model: Named
    """Its model."""
    task: Named
    """Its task."""
    length: int | None
    """Greatest length of answers that some run of the version's work has; None: none has runs."""
    clock_mhz: Any
    """Lock of a clock that some run of it has; None: none was asked for, or none has runs."""
    own: tuple[Sample, ...]
    """Measured samples in the cell."""
    reason: str | None
    """Why there are none; None where there are."""

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of its runs."""
        return tuple(run for one in self.own for run in one.runs)

    def words(self, name: str) -> str | None:
        """What its samples have of a field, each value once."""
        return ", ".join(dict.fromkeys(str(one.conditions[name]) for one in self.own)) or None


def cells(results: Results) -> Iterator[VersionCell]:
    """Every cell of every version with lists; none where no run concerns the paper."""
    evidence = evidence_of(results)
    for version in evidence.concerned:
        yield from _of_version(version, evidence.samples)


def _of_version(version: PaperVersion, samples: Sequence[Sample]) -> Iterator[VersionCell]:
    own = [
        one
        for one in samples
        if version.model_of(one.conditions["model"]) is not None
        and version.task_of(one.conditions["dataset"]) is not None
    ]
    measured = [one for one in own if not one.simulated]
    # The abstract names neither: what was run here is all that there is to cover.
    places = sorted(
        {(one.conditions["max_gen_len"], one.conditions["sm_clock_mhz"]) for one in measured},
        key=lambda one: (one[0], one[1] is not None, one[1] or 0),
    )
    lengths = sorted({length for length, _ in places})
    clocks = sorted({clock for _, clock in places}, key=lambda one: (one is not None, one or 0))
    every = [(length, clock) for length in lengths for clock in clocks] or [(None, None)]
    for model in version.models:
        for task in version.tasks:
            for length, clock in every:
                inside = [one for one in own if _fits(version, one, model, task)]
                there = tuple(
                    one
                    for one in inside
                    if not one.simulated
                    and one.conditions["max_gen_len"] == length
                    and one.conditions["sm_clock_mhz"] == clock
                )
                yield VersionCell(
                    version=version,
                    model=model,
                    task=task,
                    length=length,
                    clock_mhz=clock,
                    own=there,
                    reason=None if there else _why(version, model, task, inside, samples),
                )


def _fits(version: PaperVersion, sample: Sample, model: Named, task: Named) -> bool:
    had = sample.conditions
    return version.model_of(had["model"]) is model and version.task_of(had["dataset"]) is task


def _why(
    version: PaperVersion,
    model: Named,
    task: Named,
    inside: Sequence[Sample],
    samples: Sequence[Sample],
) -> str:
    """Why a cell has no measured run."""
    if any(not one.simulated for one in inside):
        return "its runs are of other lengths or clocks"
    if inside:
        return "its runs are simulated: no measurement"
    if any(version.model_of(one.conditions["model"]) is model for one in samples):
        return f"no sealed run of this model is of {task.printed}: {', '.join(task.ours)}"
    return f"no sealed run is of {' or '.join(model.ours)}"


_OF: Final = ColumnsOf[VersionCell]()

_COLUMNS: Final = (
    _OF.text(
        "paper",
        "paper",
        "Which paper in which version: later ones have other models and tasks.",
        lambda one: one.version.paper,
    ),
    _OF.text(
        "printed_model",
        "model",
        "The model, as the abstract has it.",
        lambda one: one.model.printed,
    ),
    _OF.text(
        "printed_task", "task", "The task, as the abstract has it.", lambda one: one.task.printed
    ),
    _OF.count(
        "max_gen_len",
        "max tokens",
        "Greatest length of answers of some run of the version's work here; empty: none has runs. "
        "The abstract names no length.",
        lambda one: one.length,
    ),
    _OF.number(
        "sm_clock_mhz",
        "clock lock",
        "MHz",
        "Lock of such a run; empty: none was asked for. The abstract names no clock.",
        lambda one: one.clock_mhz,
    ),
    _OF.text(
        "coverage",
        "coverage",
        f"`{_PRESENT}` where measured runs are there, else `{_MISSING}`.",
        lambda one: _PRESENT if one.own else _MISSING,
    ),
    _OF.text(
        "model",
        "run as",
        POINT_BY_NAME["model"].meaning,
        lambda one: one.words("model"),
        shown=False,
    ),
    _OF.text(
        "datasets",
        "asked",
        "Data sets of those runs: which stand for a task is our choice, as the abstract has none.",
        lambda one: one.words("dataset"),
    ),
    _OF.text("gpu", "GPU", "Kinds of GPU of those runs.", lambda one: one.words("gpu")),
    _OF.text("engine", "engine", "Engines of those runs.", lambda one: one.words("engine")),
    _OF.text("weights", "weights", "Their weights.", lambda one: one.words("weights"), shown=False),
    _OF.count("n", "runs", "Measured sealed runs of the cell.", lambda one: len(one.runs)),
    _OF.text(
        "labels",
        "to know",
        "What has to stand beside their numbers.",
        lambda one: ", ".join(labels_of(one.own)) or None,
    ),
    _OF.reason(lambda one: one.reason),
    _OF.text("runs", "runs' names", "Those runs.", lambda one: " ".join(one.runs), shown=False),
)

ABSTRACT_COVERAGE: Final = TableKind(
    name="abstract_coverage",
    title="Coverage of arXiv 2501.08219",
    columns=_COLUMNS,
    of_results=cells,
    section=SECTION,
    heading="Which of its models and tasks have runs here",
    text="Every model and task of each version's list, at every length and clock of such runs "
    "here: the abstracts name neither lengths nor clocks, and no data sets in the first version.",
    label="Models, tasks, lengths and clocks of arXiv 2501.08219 that have runs",
)
"""One row a version, model, task, length and clock."""
