"""Forecaster: planned points get what they are expected to take, with intervals."""

import socket
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final

from launcher.forecast.constants import CPU_CORE_FLOP_PER_S
from launcher.forecast.expectation import Beliefs, put_together, summed_up
from launcher.forecast.kernels import cold_chance, compiled
from launcher.forecast.learning import Belief, Learned, Lesson
from launcher.forecast.place import planned_place
from launcher.forecast.quantity import (
    LOAD,
    PREFILL,
    QUANTITIES,
    STEP,
    WARMUP,
    WATTS,
    Quantity,
)
from launcher.forecast.work import Host, expected_work
from launcher.forecast.workload import Workload
from launcher.plan.checkpoints import Tell, tell_nobody
from launcher.plan.cluster import Cluster
from launcher.plan.grid import Grid, PlannedPoint, Verdict
from telemetry.record.foreseen import Basis, Foreseen
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import list_runs
from telemetry.record.spec import RunSpec

COSTS: Final = (Verdict.RUN, Verdict.TOO_LONG)
"""Verdicts of points that are foreseen: what is done costs nothing, what cannot run has no time."""
# More names would say no more; the nearest come first.
_MOST_NAMED: Final = 24
# The rest is counted: a sentence is to fit a line.
_MOST_WORKS: Final = 2


_DECIDE_WORK: Final = attrgetter(
    *("model", "engine", "dtype", "quantization", "gpu", "gpus", "gpus_per_node", "dataset"),
    *("prompts", "batch_size", "max_prompt_len", "max_gen_len", "ignore_eos", "power_cap_w"),
    *("arrivals_per_s", "kv_dtype"),
)
_DECIDE_MEASURING: Final = attrgetter(
    *("idle_s", "warmup_batches", "max_warmup_batches", "max_warmup_s", "min_window_s"),
    *("logit_error", "weights_path"),
)

_DECIDE_REST: Final = attrgetter(
    *("model", "engine", "dtype", "quantization", "gpus", "gpus_per_node", "batch_size"),
    *("power_cap_w", "kv_dtype"),
)


class Forecaster:
    """What jobs of one kind of board are expected to take.

    Args:
        kind: `RunSpec.gpu` of all its points.
        lessons: sealed runs of that kind.
        host: what stands in for peaks where the ranks compute on CPU.
    """

    def __init__(self, kind: str, lessons: Sequence[Lesson], host: Host) -> None:
        self._kind = kind
        self._lessons = tuple(lessons)
        self._host = host
        self._cold = frozenset(one.run_id for one in lessons if compiled(one))
        self._learned = {
            quantity.name: Learned(
                quantity,
                [one.job for one in lessons if self._teaches(one, quantity)],
                [one.amounts[quantity.name] for one in lessons if self._teaches(one, quantity)],
            )
            for quantity in QUANTITIES
        }
        self._known: dict[Hashable, Foreseen] = {}
        self._shared: dict[Hashable, dict[str, Belief]] = {}

    def _teaches(self, lesson: Lesson, quantity: Quantity) -> bool:
        """What compiling took stands in the same seconds, and is not told apart from them."""
        mixed = quantity.name in (LOAD.name, WARMUP.name) and lesson.run_id in self._cold
        return quantity.name in lesson.amounts and not mixed

    def foresee(self, spec: RunSpec, launch: LaunchConfig, *, node: str | None) -> Foreseen:
        """What a job of that spec is expected to take; `node` is its place where that is known."""
        # Seed, repeat and temperature change no expectation, but when a served load's prompts come.
        drawn_by = None if spec.arrivals_per_s is None else spec.arrivals_drawn_by
        key = (*_DECIDE_WORK(spec), drawn_by, *_DECIDE_MEASURING(launch), node)
        if key not in self._known:
            self._known[key] = self._foresee(spec, launch, node)
        return self._known[key]

    def _foresee(self, spec: RunSpec, launch: LaunchConfig, node: str | None) -> Foreseen:
        rest = spec.prompts % spec.batch_size
        work = expected_work(spec, min(spec.batch_size, spec.prompts), self._host)
        job = Workload.of(spec, launch, work, host=node)
        expect = self._whatever_the_lengths(job)
        expect |= {name: self._learned[name].expect(job) for name in (STEP.name, PREFILL.name)}
        batch_s = expect[PREFILL.name].median + work.steps * expect[STEP.name].median
        near = job.near(work.least_s / batch_s)
        expect[WATTS.name] = self._learned[WATTS.name].expect(near)
        rest_job, of_rest = None, {}
        if rest:
            rest_work = expected_work(spec, rest, self._host)
            rest_job = Workload.of(spec, launch, rest_work, host=node)
            of_rest = {
                name: self._learned[name].expect(rest_job) for name in (STEP.name, PREFILL.name)
            }
        beliefs = Beliefs(
            full=expect, rest=of_rest, cold_chance=cold_chance(job, self._lessons, self._cold)
        )
        parts = put_together(near, rest_job, beliefs, launch)
        basis, told, runs = self._basis(spec)
        has_gpu = spec.gpu != "cpu"
        return Foreseen(
            time_s=summed_up(parts.time_s),
            energy_j=summed_up(parts.energy_j) if has_gpu else None,
            window_s=summed_up(parts.window_s),
            window_energy_j=summed_up(parts.window_energy_j) if has_gpu else None,
            basis=basis,
            told=told,
            runs=runs,
            simulated=spec.simulated,
        )

    def _whatever_the_lengths(self, job: Workload) -> dict[str, Belief]:
        """Of the quantities that no length changes: thousands of points share them."""
        key = (*_DECIDE_REST(job.spec), job.looks_at_logits, job.reads_checkpoint, job.host)
        if key not in self._shared:
            self._shared[key] = {
                quantity.name: self._learned[quantity.name].expect(job)
                for quantity in QUANTITIES
                if not quantity.of_lengths
            }
        return dict(self._shared[key])

    def _basis(self, spec: RunSpec) -> tuple[Basis, str, tuple[str, ...]]:
        """What an expectation of a spec rests on, in a word, in a sentence, and by name."""
        if not self._lessons:
            source = "core_gflops alone" if self._kind == "cpu" else "the datasheet alone"
            if spec.simulated:
                source = "core_gflops and the simulation's constants alone"
            return Basis.DATASHEET, f"from {source}", ()
        what = _work_name(spec)
        same = [one for one in self._lessons if _work_name(one.job.spec) == what]
        others = [one for one in self._lessons if one not in same]
        order = [one.run_id for one in (*same, *others)][:_MOST_NAMED]
        # What a network between ranks costs, runs of one node do not tell.
        alone = spec.nodes > 1 and all(one.job.spec.nodes == 1 for one in self._lessons)
        but = ", none over several nodes" if alone else ""
        if same:
            told = f"from {_runs(len(same))} of {what} on {self._kind}{but}"
            return Basis.SAME, told, tuple(order)
        names = sorted({_work_name(one.job.spec) for one in others})
        more = f" and {len(names) - _MOST_WORKS} more" if len(names) > _MOST_WORKS else ""
        listed = f"{', '.join(names[:_MOST_WORKS])}{more}"
        told = f"from the roofline of {self._kind} and {_runs(len(others))} of {listed}{but}"
        return Basis.BOARD, told, tuple(order)


def _work_name(spec: RunSpec) -> str:
    """Model and engine, with the bits where there are fewer."""
    bits = "" if spec.quantization == "none" else f" {spec.quantization}"
    bits += "" if spec.kv_dtype is None else f" keys {spec.kv_dtype}"
    return f"{spec.model} {spec.engine}{bits}"


def _runs(count: int) -> str:
    return f"{count} sealed run{'s' if count > 1 else ''}"


def foresee(grid: Grid, tell: Tell = tell_nobody) -> Grid:
    """The grid with what each point that is to run is expected to take; `tell` hears what it reads.

    Sealed runs of the grid's own results folder and of `grid.history` are read, where there are
    any of the same boards.
    """
    points = [point for point in grid.points if point.verdict in COSTS]
    if not points:
        return grid
    named = [grid.results, *(() if grid.history is None else (grid.history,))]
    folders = [each for each in named if next(list_runs(each), None) is not None]
    hosts = {point.spec.gpu: _host(point.cluster) for point in points}
    specs = [point.spec for point in points]
    lessons: Mapping[str, Sequence[Lesson]] = {}
    notes: tuple[str, ...] = ()
    if folders:
        # Reading runs takes Arrow and analysis: a new folder does without.
        from launcher.forecast.history import read_history  # noqa: PLC0415

        history = read_history(folders, specs, hosts, tell)
        lessons, notes = history.lessons, history.notes
    forecasters = {
        kind: Forecaster(kind, _own(lessons.get(kind, ())), host) for kind, host in hosts.items()
    }
    # Points of one plan that are on one kind of executor share the machine or the cluster.
    on_boards = {_name(one.cluster): one.cluster for one in points if not _on_cpu(one.spec)}
    places = {name: planned_place(cluster) for name, cluster in on_boards.items()}
    seen = {
        point.spec.run_id: forecasters[point.spec.gpu].foresee(
            point.spec,
            point.launch,
            node=_here(point) if _on_cpu(point.spec) else places[_name(point.cluster)],
        )
        for point in points
    }
    return replace(
        grid,
        points=tuple(
            replace(point, foreseen=seen[point.spec.run_id]) if point.spec.run_id in seen else point
            for point in grid.points
        ),
        notes=(*grid.notes, *notes),
    )


def _own(lessons: Sequence[Lesson]) -> list[Lesson]:
    """Those of CPU's work on this host alone, all of a board's."""
    here = socket.gethostname()
    return [one for one in lessons if not one.job.on_cpu or one.job.host == here]


def _on_cpu(spec: RunSpec) -> bool:
    return spec.simulated or spec.gpu == "cpu"


def _name(cluster: Cluster) -> tuple[str, str]:
    return cluster.executor, cluster.name


def _here(point: PlannedPoint) -> str | None:
    """The host of what computes on CPU; None of a batch system's, whose node nobody knows."""
    return socket.gethostname() if point.cluster.executor == "local" else None


def _host(cluster: Cluster) -> Host:
    """The cores that stand in for a GPU: all of this machine's, where the ranks share them."""
    core = CPU_CORE_FLOP_PER_S if cluster.core_gflops is None else cluster.core_gflops * 1e9
    cores = cluster.cores if cluster.executor == "local" else None
    return Host(core_flop_per_s=core, cores=cores, threads=cluster.threads)
