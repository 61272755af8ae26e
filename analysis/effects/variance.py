"""Variance: the table of how much of the scatter is between runs, nodes of a run and their GPUs.

Points that were run on the same kind and number of GPUs and nodes stand together: each keeps its
own mean, and they are taken to scatter alike. Simulated and measured ones are told apart.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.effects.wording import counted, labelled, per_cent
from analysis.statistics.components import LEVELS, Component, NestedReading, components
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.gpus import GPUS
from analysis.tables.groups import GROUPS
from analysis.tables.labels import pooled_label_columns
from analysis.tables.runs import RUNS
from analysis.tables.table import Results, TableKind

METRICS: Final = {
    "energy per token": "generated_tokens",
    "power": "duration_s",
}
"""What is split: the energy of each GPU over this column of its run."""
_BETWEEN: Final = {
    "runs": "runs of a point",
    "nodes": "nodes of a run",
    "gpus": "GPUs of a node",
}


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """Runs on the same kind and number of GPUs."""

    gpu: str
    """Kind of the boards."""
    gpus: int
    """How many each run worked on."""
    nodes: int
    """Over how many nodes."""
    simulated: bool
    """Whether any of it is."""

    @property
    def words(self) -> str:
        return f"{counted(self.gpus, 'GPU')} ({self.gpu}) of {counted(self.nodes, 'node')}"


@dataclass(frozen=True, kw_only=True)
class VariancePart:
    """One level's part of a metric's scatter on one shape."""

    shape: _Shape
    """On what."""
    metric: str
    """Of what: one of `METRICS`."""
    component: Component
    """Its part."""
    points: int
    """How many grid points are in it."""
    runs: tuple[Row, ...]
    """Their runs, as the table of runs has them."""
    boards: int
    """How many GPUs, of all runs together, by their UUIDs."""
    lacking: int
    """Runs of the shape that are left out, as a GPU has no energy or there is no token."""

    @property
    def reason(self) -> str | None:
        """Why a number of the row is missing."""
        return self.component.reason

    @property
    def sentence(self) -> str:
        """What it says, in one sentence."""
        of = f"On {self.shape.words}, {counted(len(self.runs), 'run')} of "
        of += counted(self.points, "point")
        between = f"between the {_BETWEEN[self.component.level]}"
        found = self.component
        if found.deviation is None:
            said = f"{of}: how {self.metric} scatters {between} cannot be told: {found.reason}"
            return labelled(said, self.runs)
        said = f"{of}: {self.metric} scatters by {per_cent(found.deviation)}"
        if found.low is not None and found.high is not None:
            said += f" (95 % interval {per_cent(found.low)} to {per_cent(found.high)})"
        said = f"{said} {between}"
        if found.share is not None:
            said += f", {per_cent(found.share)} of its variance"
            if found.share_low is not None and found.share_high is not None:
                said += f" ({per_cent(found.share_low)} to {per_cent(found.share_high)})"
        return labelled(said, self.runs)


def variance(results: Results) -> Iterator[VariancePart]:
    """Every level's part, of every metric, on every shape."""
    runs = {str(row["run_id"]): row for row in results.rows(RUNS)}
    gpus: dict[str, list[Row]] = defaultdict(list)
    for row in results.rows(GPUS):
        if row["rank"] is not None:
            gpus[str(row["run_id"])].append(row)
    shapes: dict[_Shape, list[tuple[str, Row]]] = {}
    for group in results.rows(GROUPS):
        shape = _Shape(
            gpu=str(group["gpu"]),
            gpus=int(group["gpus"] or 0),
            nodes=int(group["nodes"] or 0),
            simulated=bool(group["simulated"]),
        )
        names = str(group["runs"]).split()
        shapes.setdefault(shape, []).extend((names[0], runs[name]) for name in names)
    order = sorted(shapes, key=lambda one: (one.simulated, one.gpu, one.gpus, one.nodes))
    for shape in order:
        for metric, over in METRICS.items():
            yield from _parts(shape, metric, over, shapes[shape], gpus)


def _parts(
    shape: _Shape,
    metric: str,
    over: str,
    members: Sequence[tuple[str, Row]],
    gpus: dict[str, list[Row]],
) -> Iterator[VariancePart]:
    readings: list[NestedReading] = []
    counted_in: list[tuple[str, Row]] = []
    for point, run in members:
        own = _readings(point, run, over, gpus.get(str(run["run_id"]), []))
        if own:
            readings += own
            counted_in.append((point, run))
    found = components(readings) if readings else _nothing()
    uuids = {row["gpu_uuid"] for _, run in counted_in for row in gpus[str(run["run_id"])]}
    for component in found:
        yield VariancePart(
            shape=shape,
            metric=metric,
            component=component,
            points=len({point for point, _ in counted_in}),
            runs=tuple(run for _, run in counted_in),
            boards=len(uuids),
            lacking=len(members) - len(counted_in),
        )


def _readings(point: str, run: Row, over: str, gpus: Sequence[Row]) -> list[NestedReading]:
    """One for each GPU of a run; none where one of them has no energy."""
    amount = run[over]
    energies = [row["energy_j"] for row in gpus]
    if not isinstance(amount, int | float) or amount <= 0:
        return []
    if not all(isinstance(energy, float) and energy > 0 for energy in energies):
        return []
    return [
        NestedReading(
            point=point,
            run=str(run["run_id"]),
            node=str(row["host"]),
            value=math.log(float(row["energy_j"] or 0.0) / amount),
        )
        for row in gpus
    ]


def _nothing() -> tuple[Component, ...]:
    return tuple(
        Component(
            level=level,
            n=0,
            degrees=0,
            deviation=None,
            low=None,
            high=None,
            share=None,
            share_low=None,
            share_high=None,
            method=None,
            reason="no run has an energy of each of its GPUs",
        )
        for level in LEVELS
    )


_OF: Final = ColumnsOf[VariancePart]()

_COLUMNS: Final = (
    _OF.text("sentence", "in words", "What the row says.", lambda one: one.sentence),
    _OF.text(
        "metric",
        "of",
        "What scatters: the energy of each GPU over the tokens of its run (energy per token), or "
        "over the time of its window (power). Both on logarithms.",
        lambda one: one.metric,
    ),
    _OF.text("gpu", "GPU", "Kind of GPU asked for.", lambda one: one.shape.gpu),
    _OF.count("gpus", "GPUs", "GPUs that each run worked on.", lambda one: one.shape.gpus),
    _OF.count("nodes", "nodes", "Nodes that they are on.", lambda one: one.shape.nodes),
    _OF.simulated(lambda one: one.shape.simulated),
    *pooled_label_columns(_OF, lambda one, label: [run[label.name] for run in one.runs]),
    _OF.text(
        "between",
        "between",
        "Between what: the runs of a point (its repeats), the nodes of a run, or the GPUs of a "
        "node. One GPU that always takes more than its neighbour is in the last.",
        lambda one: _BETWEEN[one.component.level],
    ),
    _OF.count(
        "n",
        "of them",
        "How many there are, over all runs: runs, nodes, or GPUs.",
        lambda one: one.component.n,
    ),
    _OF.count(
        "degrees",
        "degrees",
        "Degrees of freedom of that: n less the number of what they are within; 0: it cannot be "
        "told.",
        lambda one: one.component.degrees,
        shown=False,
    ),
    _OF.share(
        "scatter",
        "scatter",
        "Standard deviation of the logarithms between them: about a relative one.",
        lambda one: one.component.deviation,
        interval=("scatter_low", "scatter_high"),
        reason="reason",
    ),
    _OF.share(
        "scatter_low",
        "from",
        "Lower end of its 95 % interval: generalised (Weerahandi), from the mean squares of the "
        "analysis of variance, where every run has as many GPUs with an energy.",
        lambda one: one.component.low,
        shown_with="scatter_low",
    ),
    _OF.share(
        "scatter_high",
        "to",
        "Upper end of the same.",
        lambda one: one.component.high,
        shown_with="scatter_low",
    ),
    _OF.share(
        "share",
        "of variance",
        "Its square over the sum of the squares of all that can be told; empty where what is "
        "between runs cannot, or nothing else.",
        lambda one: one.component.share,
        interval=("share_low", "share_high"),
        reason="reason",
    ),
    _OF.share(
        "share_low",
        "from",
        "Lower end of its 95 % interval, by the same rule.",
        lambda one: one.component.share_low,
        shown_with="share_low",
    ),
    _OF.share(
        "share_high",
        "to",
        "Upper end of the same.",
        lambda one: one.component.share_high,
        shown_with="share_low",
    ),
    _OF.count("points", "points", "Grid points in the row.", lambda one: one.points),
    _OF.count(
        "boards",
        "boards",
        "Different GPUs in the row, by UUID: repeats on other ones differ by these too.",
        lambda one: one.boards,
    ),
    _OF.count(
        "lacking",
        "left out",
        "Runs that are left out, as one of their GPUs has no energy.",
        lambda one: one.lacking,
        shown_with="lacking",
    ),
    _OF.text(
        "method",
        "by",
        "By what it was estimated: REML of statsmodels, or mean squares, and then why.",
        lambda one: one.component.method,
        shown=False,
    ),
    _OF.reason(lambda one: one.reason),
    _OF.text(
        "runs",
        "runs",
        "The runs in the row.",
        lambda one: " ".join(str(run["run_id"]) for run in one.runs),
        shown=False,
    ),
)

VARIANCE: Final = TableKind(
    name="variance",
    title="Where the scatter comes from",
    columns=_COLUMNS,
    of_results=variance,
    section="gpus",
    heading="Where the scatter comes from",
    label="Scatter between runs, nodes and GPUs",
)
"""One row a shape, metric and level."""
