"""Minimum: table II, the fewest GPUs that a model ran on and its largest batch there."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from analysis.paper.origin import origin_columns, series_columns
from analysis.paper.point import GridPoint, board_name, points
from analysis.paper.published import MinimumHardware, minimum_hardware
from analysis.paper.slug import slug
from analysis.tables.column import Cell, Column, ColumnsOf
from analysis.tables.table import Results, TableKind

# The paper's "maximum response length" of the table.
_LENGTH: Final = 256
_NAME: Final = "paper_table2"


@dataclass(frozen=True, kw_only=True)
class _Largest:
    """The largest batch that ran on the fewest GPUs of one kind."""

    gpus: int
    """How many they are."""
    batch_size: int
    """The batch."""
    runs: str
    """Its runs."""
    labels: tuple[str, ...]
    """What they are not."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """One row of the paper's table beside ours."""

    minimum: MinimumHardware
    """The paper's."""
    ours: _Largest | None
    """On the paper's hardware; None where no run was."""
    reason: str | None
    """Why not."""
    series: dict[str, _Largest] = field(default_factory=dict)
    """The same on other boards, each on the fewest GPUs that the model ran on."""


def _answered(results: Results) -> list[_Answer]:
    told = [point for point in points(results) if point.as_asked and not point.simulated]
    return [_answer(minimum, told) for minimum in minimum_hardware()]


def _answer(minimum: MinimumHardware, told: Sequence[GridPoint]) -> _Answer:
    fits = [
        point
        for point in told
        if point["model"] == minimum.model and point["max_gen_len"] == _LENGTH
    ]
    own = [point for point in fits if point["gpu"] == minimum.gpu and point["gpus"] == minimum.gpus]
    boards = dict.fromkeys(point.board for point in fits if point["gpu"] != minimum.gpu)
    series = {
        board: _largest([point for point in fits if point.board == board])
        for board in sorted(boards)
    }
    return _Answer(
        minimum=minimum,
        ours=_largest(own) if own else None,
        reason=None if own else _why_none(minimum, told),
        series=series,
    )


def _largest(fits: Iterable[GridPoint]) -> _Largest:
    told = list(fits)
    fewest = min(int(str(point["gpus"])) for point in told)
    most = max(
        (point for point in told if point["gpus"] == fewest),
        key=lambda point: int(str(point["batch_size"])),
    )
    return _Largest(
        gpus=fewest,
        batch_size=int(str(most["batch_size"])),
        runs=most.runs_text,
        labels=most.labels,
    )


def _why_none(minimum: MinimumHardware, told: Sequence[GridPoint]) -> str:
    board, model, gpus = board_name(minimum.gpu), minimum.model, minimum.gpus
    conditions: tuple[tuple[str, Callable[[GridPoint], bool]], ...] = (
        (
            f"no run on {board}",
            lambda point: point["gpu"] == minimum.gpu,
        ),
        (f"no run of {model} on {board}", lambda point: point["model"] == model),
        (
            f"no run of {model} on {gpus} GPU{'s' if gpus > 1 else ''}",
            lambda point: point["gpus"] == gpus,
        ),
        (f"no run of {_LENGTH} tokens at most", lambda point: point["max_gen_len"] == _LENGTH),
    )
    left = list(told)
    for says, met in conditions:
        left = [point for point in left if met(point)]
        if not left:
            return f"{says}{_nearest(told, [met for _, met in conditions])}"
    return "no sealed run"


def _nearest(told: Sequence[GridPoint], conditions: Sequence[Callable[[GridPoint], bool]]) -> str:
    if not told:
        return ""
    nearest = max(told, key=lambda point: [met(point) for met in conditions])
    gpus, length = nearest["gpus"], nearest["max_gen_len"]
    return (
        f"; nearest {nearest.runs[0].run_id}: {nearest.board}, {gpus} GPUs, {length} tokens, "
        f"batch {nearest['batch_size']}"
    )


_OF: Final = ColumnsOf[_Answer]()

_COLUMNS: Final = (
    _OF.text("model", "model", "Name of the model's shape.", lambda one: one.minimum.model),
    _OF.text("gpu", "GPU", "The paper's kind of GPU.", lambda one: one.minimum.gpu),
    _OF.count("gpus", "GPUs", "The fewest of them, by the paper.", lambda one: one.minimum.gpus),
    _OF.text("paper_kind", "how published", "`printed`.", lambda _: "printed"),
    _OF.count(
        "paper_value",
        "paper: batch",
        f"The largest batch there at a length of {_LENGTH}, by the paper.",
        lambda one: one.minimum.max_batch,
    ),
    _OF.count(
        "our_value",
        "ours: batch",
        "The largest batch of a sealed run of ours there, of any data set and engine: what ran, "
        "not what might have.",
        lambda one: None if one.ours is None else one.ours.batch_size,
        reason="reason",
    ),
    _OF.number(
        "ratio",
        "ours / paper",
        "1",
        "our_value / paper_value; a batch has no interval.",
        lambda one: None if one.ours is None else one.ours.batch_size / one.minimum.max_batch,
        reason="reason",
    ),
    _OF.text(
        "reason",
        "why not",
        "Which of the paper's conditions no run of ours meets, and the nearest run.",
        lambda one: one.reason,
    ),
    *origin_columns(_OF, lambda one: one.ours),
)


def _one_series(name: str) -> tuple[Column[_Answer], ...]:
    stem = slug(name)

    def told(part: Callable[[_Largest], Cell]) -> Callable[[_Answer], Cell]:
        return lambda one: None if (found := one.series.get(name)) is None else part(found)

    return (
        _OF.count(
            stem,
            f"{name}: batch",
            f"The largest batch of a sealed run on the fewest {name} that the model ran on; not "
            "the paper's board, so there is no ratio.",
            told(lambda found: found.batch_size),
        ),
        _OF.count(
            f"{stem}_gpus",
            f"{name} GPUs",
            f"How many they are in {stem}.",
            told(lambda found: found.gpus),
        ),
        _OF.text(
            f"{stem}_labels",
            f"{name} labels",
            f"What {stem} is not, by the labels of its runs.",
            told(lambda found: ", ".join(found.labels) or None),
        ),
    )


MINIMUM: Final = TableKind(
    name=_NAME,
    title="Table II of the paper: least hardware",
    columns=_COLUMNS,
    more_columns=series_columns(lambda one: list(one.series), _one_series),
    of_results=_answered,
    section="paper",
    heading="Table II: least hardware and largest batch",
    text="The fewest GPUs that each model ran on at 256 tokens, and the largest batch there. The "
    "paper's text has 13B on two GPUs in each case, its table on one A100.",
    label="Table II of the paper, and ours",
)
"""One row a row of table II."""
