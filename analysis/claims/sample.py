"""Sample: the repeats of one grid point, or one number of the paper, with how sure it is."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from analysis.claims.metrics import EXACT, like_energy, metric_of
from analysis.paper.published import Published, published
from analysis.runs.labels import of_words
from analysis.runs.sealed_runs import Run
from analysis.statistics.ratio import Repeats
from analysis.tables.column import Row
from analysis.tables.labels import WORDS
from analysis.tables.launched import LAUNCH_SETTINGS, launch_key
from analysis.tables.point import POINT_BY_NAME, point_key
from telemetry.boards.agreement import board_fault

# A figure of the paper is read to about 2 % (analysis/paper/samsi2023.json).
_DIGITISED: Final = 0.02
# Table III is printed to a hundredth of a per cent; tables IV and V as well.
_PRINTED: Final = 0.005
_PERCENT: Final = 100.0


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a sample."""

    value: float
    """Geometric mean of the repeats, or what the paper gives."""
    repeats: Repeats | None
    """What was measured, with sensors and gain; None of the paper's, and of what is exact."""
    half: float
    """Share by which the paper's number may be off by reading or rounding, or over which an exact
    one of ours spreads; 0 of what was measured."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The repeats of one grid point, or a cell of the paper."""

    conditions: Mapping[str, Any]
    """Fields of the spec and settings of the measurement, by column."""
    rows: tuple[Row, ...]
    """Each repeat's row of the table of runs; empty of the paper's."""
    runs: tuple[str, ...]
    """Names of the repeats."""
    boards: frozenset[str]
    """GPUs that the ranks worked on, one by one."""
    simulated: bool
    """True where a repeat is simulated."""
    labels: tuple[str, ...]
    """What has to stand beside its numbers."""
    as_asked: bool
    """Whether its GPUs' driver calls them what the spec asked for."""
    limits_w: frozenset[float]
    """Power limits that its GPUs had on record."""
    published: Mapping[str, Published]
    """The paper's numbers by metric; empty of ours."""
    relative_to_cap_w: float | None = None
    """Given: the paper has its numbers as changes against that cap."""

    def figure(self, metric: str) -> Figure | str:
        """One number of it, or why there is none."""
        if not self.rows:
            found = self.published.get(metric)
            return "the paper gives no such number" if found is None else _of_paper(found)
        values = [metric_of(row, metric) for row in self.rows]
        known = [value for value in values if value is not None and math.isfinite(value)]
        if len(known) < len(values) or not all(value > 0 for value in known):
            return f"{len(values) - len(known)} of {len(values)} runs lack {metric}"
        sensor, gain = self._energy_shares() if like_energy(metric) else (0.0, 0.0)
        if metric in EXACT:
            # Of all repeats the least and the most: nothing scatters in a count.
            middle = (min(known) + max(known)) / 2
            half = (max(known) - min(known)) / 2 / middle
            return Figure(value=middle, repeats=None, half=half)
        repeats = Repeats(values=tuple(known), sensor=sensor, gain=gain)
        mean = math.exp(math.fsum(map(math.log, known)) / len(known))
        return Figure(value=mean, repeats=repeats, half=0.0)

    def _energy_shares(self) -> tuple[float, float]:
        """Share of the mean that the sensors' timing, and the boards' gain, come to."""
        widths, gains = [], []
        for row in self.rows:
            energy_j = float(row["energy_j"] or 0.0)
            if energy_j > 0:
                widths.append(float(row["energy_uncertainty_j"] or 0.0) / energy_j)
                gains.append(float(row["energy_gain_uncertainty_j"] or 0.0) / energy_j)
        sensor = math.hypot(*widths) / len(widths) if widths else 0.0
        return sensor, max(gains, default=0.0)


def samples_of_runs(rows: Sequence[Row], runs: Mapping[str, Run]) -> list[Sample]:
    """The grid points of these runs: repeats that differ in nothing but `repeat`, together.

    Args:
        rows: of the table of runs, each with what other tables have of the run.
        runs: those runs by name.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        run = runs[str(row["run_id"])]
        found.setdefault((point_key(run), launch_key(run)), []).append(row)
    return [_of_rows(members, runs) for members in found.values()]


@cache
def samples_of_paper() -> tuple[Sample, ...]:
    """The cells of the paper: one a set of conditions, with all its metrics."""
    found: dict[str, list[Published]] = {}
    for number in published():
        key = (number.model, number.gpu, number.gpus, number.datasets, number.batch_size)
        more = (number.max_gen_lens, number.power_cap_w, number.against_power_cap_w)
        found.setdefault(json.dumps((*key, *more)), []).append(number)
    made = []
    for numbers in found.values():
        one = numbers[0]
        made.append(
            Sample(
                conditions={
                    "model": one.model,
                    "gpu": one.gpu,
                    "gpus": one.gpus,
                    "dataset": ", ".join(one.datasets),
                    "batch_size": one.batch_size,
                    "max_gen_len": _one(one.max_gen_lens),
                    "power_cap_w": one.power_cap_w,
                },
                rows=(),
                runs=(),
                boards=frozenset(),
                simulated=False,
                labels=(),
                as_asked=True,
                limits_w=frozenset({one.power_cap_w}),
                published={number.metric: number for number in numbers},
                relative_to_cap_w=one.against_power_cap_w,
            )
        )
    return tuple(made)


def family_of(dataset: object) -> str:
    """A dataset's name without the digest that tells its file: `gsm8k-3c3a194e` is `gsm8k`."""
    return str(dataset).partition("-")[0]


def _one(values: tuple[int, ...]) -> Any:
    return values[0] if len(values) == 1 else ", ".join(map(str, values))


def _of_paper(number: Published) -> Figure:
    if number.against_power_cap_w is not None:
        ratio = 1.0 + number.value / _PERCENT
        return Figure(value=ratio, repeats=None, half=_PRINTED / _PERCENT / ratio)
    printed = number.kind == "printed"
    half = _PRINTED / _PERCENT / number.value if printed else _DIGITISED
    return Figure(value=number.value, repeats=None, half=half)


def _of_rows(rows: Sequence[Row], runs: Mapping[str, Run]) -> Sample:
    names = tuple(str(row["run_id"]) for row in rows)
    own = [runs[name] for name in names]
    gpus = [gpu for run in own for gpu in _gpus(run)]
    conditions = {name: rows[0][name] for name in (*POINT_BY_NAME, *LAUNCH_SETTINGS)}
    return Sample(
        conditions={
            **conditions,
            "dataset_family": family_of(rows[0]["dataset"]),
            "capped": conditions["power_cap_w"] is not None,
            "several_nodes": int(conditions["nodes"] or 1) > 1,
        },
        rows=tuple(rows),
        runs=names,
        boards=_boards(own),
        simulated=any(run.simulated for run in own),
        labels=_labels(rows),
        as_asked=bool(gpus) and not any(board_fault(str(rows[0]["gpu"]), gpu) for gpu in gpus),
        limits_w=frozenset(
            float(gpu["power_limit_w"])
            for gpu in gpus
            if type(gpu.get("power_limit_w")) in (int, float)
        ),
        published={},
    )


def _gpus(run: Run) -> Iterator[Mapping[str, Any]]:
    """The GPUs that the watchers found, of all nodes."""
    for host in run.hosts.values():
        for gpu in (host.get("gpus") if isinstance(host, dict) else None) or ():
            if isinstance(gpu, dict):
                yield gpu


def _boards(runs: Iterable[Run]) -> frozenset[str]:
    return frozenset(
        str(rank["gpu_uuid"])
        for run in runs
        for rank in run.manifest["ranks"]
        if rank.get("gpu_uuid")
    )


def _labels(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(label.word for label in of_words(*(row.get(WORDS) for row in rows)))
