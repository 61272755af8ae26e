"""Hardware: table I, what the nodes are, beside the nodes that our runs were on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from analysis.paper.point import board_name, boards_as_asked
from analysis.paper.published import Hardware, hardware
from analysis.paper.slug import slug
from analysis.runs.sealed_runs import Run
from analysis.tables.column import UNIT_OF_ROW, Column, ColumnsOf
from analysis.tables.table import Results, TableKind

# Memory is built in powers of two, and the paper's 32, 80, 384 and 503 GB count in them.
_GIB: Final = 2**30
_ITEMS: Final = {
    "cpu": "CPU",
    "cpus": "CPUs a node",
    "memory": "memory of a node",
    "cpu_tdp": "TDP of a CPU",
    "gpu": "GPU",
    "gpus": "GPUs a node",
    "gpu_memory": "memory of a GPU",
    "gpu_tdp": "power limit of a GPU",
}
# What no record has.
_NOWHERE: Final = {
    "cpus": "how many processors a node has is not on record, only its threads",
    "cpu_tdp": "a processor's TDP is not on record",
}


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """One entry of the paper's table beside ours."""

    entry: Hardware
    """The paper's."""
    ours: tuple[str | float, ...]
    """What our nodes with that kind of GPU have, each different one once; empty for none."""
    reason: str | None
    """Why none."""
    series: Mapping[str, tuple[str | float, ...]] = field(default_factory=dict)
    """The same of nodes with other boards."""

    @property
    def our_value(self) -> float | None:
        """Ours, where it is one number."""
        one = self.ours[0] if len(self.ours) == 1 else None
        return one if isinstance(one, float) else None


def _answered(results: Results) -> list[_Answer]:
    by_board: dict[str, list[Run]] = {}
    for run in results.runs:
        if run.simulated or not boards_as_asked(run, run.spec.gpu):
            continue
        by_board.setdefault(run.spec.gpu, []).append(run)
    return [_answer(entry, by_board) for entry in hardware()]


def _answer(entry: Hardware, by_board: Mapping[str, Sequence[Run]]) -> _Answer:
    own = by_board.get(entry.gpu, ())
    found = _told(entry.item, own)
    reason = None
    if not found:
        absent = _NOWHERE.get(entry.item, "the record does not say")
        nearest = next(iter(by_board.values()), None)
        reason = absent if own else f"no run on {board_name(entry.gpu)}"
        if not own and nearest:
            run = nearest[0]
            reason = f"{reason}; nearest {run.run_id}: {board_name(run.spec.gpu)}"
    series = {
        board_name(kind): told
        for kind, runs in sorted(by_board.items())
        if kind != entry.gpu and (told := _told(entry.item, runs))
    }
    return _Answer(entry=entry, ours=found, reason=reason, series=series)


def _told(item: str, runs: Iterable[Run]) -> tuple[str | float, ...]:
    """What these runs' nodes have, each different one once."""
    told: dict[str | float, None] = {}
    for run in runs:
        for record in run.hosts.values():
            for value in _of_host(item, record):
                told[value] = None
    return tuple(told)


def _of_host(item: str, record: Mapping[str, Any]) -> list[str | float]:
    platform = record.get("platform")
    platform = platform if isinstance(platform, dict) else {}
    gpus = [gpu for gpu in record.get("gpus", []) if isinstance(gpu, dict)]
    if item == "gpus":
        return [float(len(gpus))]
    found: list[object] = {
        "cpu": [platform.get("cpu_model")],
        "memory": [_gib(platform.get("memory_bytes"))],
        "gpu": [gpu.get("name") for gpu in gpus],
        "gpu_memory": [_gib(gpu.get("memory_bytes")) for gpu in gpus],
        # What a board may draw by itself is its TDP; the limit in force may be a cap.
        "gpu_tdp": [gpu.get("power_limit_default_w") or gpu.get("power_limit_w") for gpu in gpus],
    }.get(item, [])
    return [
        value if isinstance(value, str) else float(value)
        for value in found
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]


def _gib(value: object) -> float | None:
    return float(value) / _GIB if isinstance(value, int | float) else None


def _words(values: Iterable[str | float]) -> str | None:
    words = (value if isinstance(value, str) else f"{value:.4g}" for value in values)
    return " or ".join(words) or None


_OF: Final = ColumnsOf[_Answer]()

_COLUMNS: Final = (
    _OF.text("gpu", "node with", "Kind of GPU of the paper's node.", lambda one: one.entry.gpu),
    _OF.text("item", "what", "What is told of it.", lambda one: _ITEMS[one.entry.item]),
    _OF.text("paper_kind", "how published", "`printed`.", lambda _: "printed"),
    _OF.text(
        "paper_text",
        "paper",
        "What the paper says, in `unit`.",
        lambda one: one.entry.text or f"{one.entry.value:g}",
    ),
    _OF.number(
        "paper_value",
        "paper's number",
        UNIT_OF_ROW,
        "The same where it is a number.",
        lambda one: one.entry.value,
        shown=False,
    ),
    _OF.text("unit", "unit", "Of the number.", lambda one: one.entry.unit or None),
    _OF.text(
        "our_text",
        "ours",
        "What our nodes with that kind of GPU have: as their watchers told it, each different one "
        "once; a GPU's power limit is its own, or where that is not on record the one in force.",
        lambda one: _words(one.ours),
        reason="reason",
    ),
    _OF.number(
        "our_value",
        "our number",
        UNIT_OF_ROW,
        "The same where it is one number.",
        lambda one: one.our_value,
        shown=False,
        reason="reason",
    ),
    _OF.number(
        "ratio",
        "ours / paper",
        "1",
        "our_value / paper_value.",
        lambda one: (
            None
            if one.our_value is None or one.entry.value is None
            else one.our_value / one.entry.value
        ),
        reason="reason",
    ),
    _OF.text("reason", "why not", "Why there is none of ours.", lambda one: one.reason),
)


def _series_columns(told: Sequence[_Answer]) -> list[Column[_Answer]]:
    names = dict.fromkeys(name for one in told for name in one.series)
    return [_one_series(name) for name in sorted(names)]


def _one_series(name: str) -> Column[_Answer]:
    value: Callable[[_Answer], str | None] = lambda one: _words(one.series.get(name, ()))  # noqa: E731
    return _OF.text(slug(name), name, f"The same of our nodes with {name}: not the paper's.", value)


HARDWARE: Final = TableKind(
    name="paper_table1",
    title="Table I of the paper: nodes",
    columns=_COLUMNS,
    more_columns=_series_columns,
    of_results=_answered,
    section="paper",
    heading="Table I: the nodes",
    text="What the paper's nodes are, and what our runs' nodes told of themselves.",
    label="Table I of the paper, and ours",
)
"""One row an entry of table I."""
