"""Works: grid points that did the same work, and so may be held against each other.

The same work is the same model and weights, the same prompts in the same number, cut and answered
at the same lengths by the same sampling, computed on the same kind of device, and either measured
or simulated. Boards, engines, numbers of GPUs, batches, formats, caps and clocks are what may be
chosen: they tell the points of one work apart.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from analysis.findings.estimate import PooledScatter, Ranged, estimate, pooled_scatter
from analysis.runs.sealed_runs import Run
from analysis.tables.column import Row
from analysis.tables.gpus import GPUS
from analysis.tables.groups import GROUPS
from analysis.tables.point import kept_words, setting_words
from analysis.tables.runs import RUNS
from analysis.tables.table import Results
from telemetry.record.spec import SETTING_FIELDS

SAME_WORK: Final = (
    *("model", "weights", "tokenizer", "dataset", "prompts", "prompts_digest", "seed"),
    *("max_prompt_len", "max_gen_len", "temperature", "top_p", "ignore_eos", "device"),
)
"""What points of one work agree in, beside being measured or simulated."""
CHOICES: Final = (
    *("gpu", "engine", "gpus", "gpus_per_node", "batch_size", "dtype", "quantization"),
    "kv_dtype",
    *SETTING_FIELDS,
)
"""What may be chosen for one work."""
SEVERAL: Final = 2
"""One point alone is no comparison."""
NOT_ON_RECORD: Final = "not on record"
"""A board of which the record has no name."""

Value = Callable[[Row], float | None]
"""A number of one run, from its row of runs."""


def energy_per_token_j(row: Row) -> float | None:
    """Joules a generated token."""
    return real(row["energy_per_token_j"])


def energy_per_token_width_j(row: Row) -> float | None:
    """What that is uncertain by, by the sensors."""
    return real(row["energy_per_token_uncertainty_j"])


def seconds_per_token(row: Row) -> float | None:
    """Seconds of the window over the tokens generated in it."""
    rate = real(row["tokens_per_s"])
    return 1.0 / rate if rate else None


def no_width(_row: Row) -> None:
    """A clock is read to microseconds: no sensor widens a time."""


def real(value: object) -> float | None:
    """A cell as a number; None when it is none."""
    return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkPoint:
    """One grid point over its repeats."""

    group: Row
    """Its row of groups."""
    runs: tuple[Run, ...]
    """Its repeats."""
    rows: tuple[Row, ...]
    """Their rows of runs."""
    board: str
    """Product of its working GPUs, as the record names it."""
    gpu_uuids: frozenset[str]
    """Those GPUs, of all repeats."""

    @property
    def simulated(self) -> bool:
        """True when a run of it is simulated."""
        return bool(self.group["simulated"])

    @cached_property
    def name(self) -> str:
        """What was chosen, in words."""
        row = self.group
        quantized = row["quantization"] != "none"
        nodes = int(row["nodes"] or 1)
        return ", ".join(
            (
                f"{row['engine']} on {row['gpus']} x {self.board}",
                *((f"{nodes} nodes",) if nodes > 1 else ()),
                f"batch {row['batch_size']}",
                f"{row['quantization']} in {row['dtype']}" if quantized else str(row["dtype"]),
                *kept_words(row),
                *setting_words(row),
            )
        )

    def numbers(self, value: Value) -> list[float] | None:
        """A number of each run, above 0; None when one lacks it, or a dead sensor told nothing."""
        found = [value(row) for row in self.rows]
        known = [each for each in found if each is not None and each > 0]
        return known if len(known) == len(found) else None

    @property
    def gain(self) -> float | None:
        """The most that the boards' gain may come to, as a share of its energy."""
        gain = real(self.group["energy_per_token_j_gain"])
        mean = real(self.group["energy_per_token_j_mean"])
        return gain / mean if gain is not None and mean else None


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """Points of the same work, in the order of the groups."""

    points: tuple[WorkPoint, ...]
    """At least one."""
    scatters: "Scatters"
    """How far runs of the same point lie apart, by boards."""
    apart: str = ""
    """What tells it from other works that would be called the same."""

    @cached_property
    def name(self) -> str:
        """The work in words."""
        row = self.points[0].group
        simulated = ", simulated" if self.points[0].simulated else ""
        random = ", random weights" if row["random_weights"] else ""
        prompts = f"{row['prompts']} prompt{'s' * (row['prompts'] != 1)} of {row['dataset']}"
        tokens = f"at most {row['max_prompt_len']} + {row['max_gen_len']} tokens"
        return f"{row['model']}, {prompts}, {tokens}{random}{simulated}{self.apart}"

    @cached_property
    def names(self) -> dict[WorkPoint, str]:
        """Each point in words, and by its first run where two would be called the same."""
        told = Counter(point.name for point in self.points)
        return {
            point: point.name if told[point.name] == 1 else f"{point.name} ({_first_run(point)})"
            for point in self.points
        }

    @cached_property
    def one_set_of_gpus(self) -> bool:
        """Whether all were measured on the same GPUs, so that their errors of gain cancel."""
        return len({point.gpu_uuids for point in self.points}) == 1

    def of(self, point: WorkPoint, value: Value, width: Value, *, energy: bool) -> Ranged | None:
        """A number of a point with its interval; None when a run of it lacks it.

        `energy` says that boards' errors of gain are in it.
        """
        values = point.numbers(value)
        if values is None:
            return None
        widths = [width(row) for row in point.rows]
        found = estimate(values, widths, self.scatters.of(point, value))
        return found.widened(point.gain) if energy and not self.one_set_of_gpus else found

    def energy(self, point: WorkPoint) -> Ranged | None:
        """Joules a token."""
        return self.of(point, energy_per_token_j, energy_per_token_width_j, energy=True)

    def time(self, point: WorkPoint) -> Ranged | None:
        """Seconds a token."""
        return self.of(point, seconds_per_token, no_width, energy=False)


class Scatters:
    """How far runs of one point lie apart, of each number and by boards."""

    def __init__(self, points: Sequence[WorkPoint]) -> None:
        self._points = tuple(points)
        self._known: dict[tuple[str, bool, Value], PooledScatter | None] = {}

    def of(self, point: WorkPoint, value: Value) -> PooledScatter | None:
        """That of the points of the same boards, measured or simulated as it was."""
        key = point.board, point.simulated, value
        if key not in self._known:
            alike = (
                other.numbers(value)
                for other in self._points
                if (other.board, other.simulated) == key[:2]
            )
            self._known[key] = pooled_scatter(each for each in alike if each is not None)
        return self._known[key]


def lacking(point: WorkPoint, *, energy: bool) -> str:
    """Why a point has no energy a token, or no time a token, above 0."""
    reasons = (row.get("energy_reason") for row in point.rows) if energy else ()
    told = next((str(reason) for reason in reasons if reason), "")
    what = "energy" if energy else "rate"
    return f"a run of it has no {what} per token above 0{f': {told}' if told else ''}"


def works(results: Results) -> list[Work]:
    """All points, by the work that they did, in the order of the groups."""
    points = all_points(results)
    scatters = Scatters(points)
    found: dict[str, list[WorkPoint]] = {}
    for point in points:
        found.setdefault(_work_key(point.group), []).append(point)
    told = [Work(points=tuple(own), scatters=scatters) for own in found.values()]
    alike: dict[str, list[Row]] = {}
    for work in told:
        alike.setdefault(work.name, []).append(work.points[0].group)
    return [replace(work, apart=_apart(work.points[0].group, alike[work.name])) for work in told]


def all_points(results: Results) -> list[WorkPoint]:
    """Every grid point with its runs and boards, in the order of the groups."""
    runs = {run.run_id: run for run in results.runs}
    rows = {str(row["run_id"]): row for row in results.rows(RUNS)}
    working: dict[str, list[Row]] = {}
    for gpu in results.rows(GPUS):
        if gpu["rank"] is not None:
            working.setdefault(str(gpu["run_id"]), []).append(gpu)
    found = []
    for group in results.rows(GROUPS):
        names = str(group["runs"]).split()
        gpus = [gpu for name in names for gpu in working.get(name, ())]
        products = sorted({str(gpu["product"]) for gpu in gpus})
        found.append(
            WorkPoint(
                group=group,
                runs=tuple(runs[name] for name in names),
                rows=tuple(rows[name] for name in names),
                board=" and ".join(products) or NOT_ON_RECORD,
                gpu_uuids=frozenset(str(gpu["gpu_uuid"]) for gpu in gpus),
            )
        )
    return found


def _work_key(group: Row) -> str:
    return json.dumps([group[name] for name in (*SAME_WORK, "simulated")])


def _apart(group: Row, alike: Sequence[Row]) -> str:
    """What a work has that others of the same name have not: `, seed 2`."""
    differing = (name for name in SAME_WORK if len({str(other[name]) for other in alike}) > 1)
    return "".join(f", {name.replace('_', ' ')} {group[name]}" for name in differing)


def _first_run(point: WorkPoint) -> str:
    return point.runs[0].run_id
