"""Conditions: the table of what each run was measured under."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.energy.gpu_state import GpuState
from analysis.energy.held import cap_bound_share
from analysis.energy.uncertain import Uncertain
from analysis.performance.model_record import ModelFacts
from analysis.performance.run_performance import Performance
from analysis.performance.warmup import (
    compile_energy,
    compile_seconds,
    warmup_energy,
    warmup_seconds,
)
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.table import TableKind


@dataclass(frozen=True, kw_only=True)
class _Conditions:
    of: Measured
    """The run that it is of."""

    @property
    def model(self) -> ModelFacts:
        return self.of.performance.model

    @cached_property
    def states(self) -> list[GpuState]:
        return [self.of.run_energy.state(gpu) for gpu in self.of.run_energy.gpus]

    @property
    def warmup(self) -> str | None:
        steady = self.model.flag("warmup", "steady")
        return None if steady is None else ("steady" if steady else "not steady")

    @cached_property
    def warmup_s(self) -> Uncertain:
        return warmup_seconds(self.of.run_energy)

    @cached_property
    def warmup_energy(self) -> Uncertain:
        return warmup_energy(self.of.run_energy)

    @cached_property
    def compile_s(self) -> Uncertain:
        return compile_seconds(self.model)

    @cached_property
    def compile_energy(self) -> Uncertain:
        return compile_energy(self.of.run_energy, self.model)

    @property
    def held_share(self) -> float | None:
        shares = [state.held_share.value for state in self.states]
        return max((share for share in shares if share is not None), default=None)

    @property
    def allocated_bytes(self) -> float | None:
        return self.model.number("memory", "peak_allocated_bytes")

    @property
    def allocated_over_estimated(self) -> float | None:
        allocated, estimated = self.allocated_bytes, expected_bytes(self.of.performance)
        return allocated / estimated - 1.0 if allocated is not None and estimated else None


def estimated_bytes(performance: Performance) -> float | None:
    """What torch was to allocate at most on a GPU: the estimate without the context."""
    return _without_context(performance, "estimated")


def expected_bytes(performance: Performance) -> float | None:
    """The same for prompts as long as they are, where the engine takes room as it needs it.

    Of other engines, and where no record tells of it, the plan's own.
    """
    at_lengths = _without_context(performance, "at_lengths")
    return estimated_bytes(performance) if at_lengths is None else at_lengths


def _without_context(performance: Performance, part: str) -> float | None:
    total = performance.model.number("memory", part, "total_bytes")
    context = performance.model.number("memory", part, "context_bytes")
    return None if total is None or context is None else total - context


def _mean(amounts: Sequence[Uncertain]) -> float | None:
    known = [amount.value for amount in amounts if amount.value is not None]
    return sum(known) / len(known) if known and len(known) == len(amounts) else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


_OF: Final = ColumnsOf[_Conditions]()

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.count(
        "warmup_batches",
        "warm-up batches",
        "Batches answered and thrown away before.",
        lambda one: _whole(one.model.number("warmup", "batches")),
    ),
    _OF.text(
        "warmup",
        "warm-up",
        "`steady`, `not steady`, or empty: not recorded or not asked for.",
        lambda one: one.warmup,
    ),
    _OF.number(
        "warmup_s",
        "warm-up time",
        "s",
        "Time in spans of warm-up, compiling included; mean over ranks. In no other figure.",
        lambda one: one.warmup_s.value,
        shown=False,
        reason="warmup_reason",
    ),
    *_OF.uncertain(
        "warmup_energy_j",
        "warm-up energy",
        "J",
        "Gross energy of all working GPUs in the same, by the method that tells phases apart. In "
        "no other figure.",
        lambda one: one.warmup_energy,
        shown=False,
        told=False,
        reason="warmup_reason",
    ),
    _OF.number(
        "compile_s",
        "compiling",
        "s",
        "Time of the steps in which the engine compiled its next ones: part of warm-up, or of "
        "loading where logits were compared.",
        lambda one: one.compile_s.value,
        shown_with="compile_s",
        reason="compile_reason",
    ),
    *_OF.uncertain(
        "compile_energy_j",
        "compiling",
        "J",
        "Gross energy of all working GPUs in the same, by the method that tells phases apart.",
        lambda one: one.compile_energy,
        shown_with="compile_s",
        reason="compile_reason",
    ),
    _OF.count(
        "passes",
        "passes",
        "How often the whole prompt set was answered.",
        lambda one: _whole(one.model.number("window", "passes")),
    ),
    _OF.number("duration_s", "window", "s", "The measured window.", lambda one: one.of.duration_s),
    _OF.number(
        "min_window_s",
        "at least",
        "s",
        "The prompt set is answered again until so much time was measured.",
        lambda one: one.model.number("window", "min_window_s"),
        reason="conditions_reason",
    ),
    _OF.number(
        "temperature_start_c",
        "GPUs from",
        "degC",
        "Temperature at the window's start: mean over working GPUs.",
        lambda one: _mean([state.temperature_start for state in one.states]),
        shown_with="temperature_start_c",
    ),
    _OF.number(
        "temperature_end_c",
        "GPUs to",
        "degC",
        "The same at its end.",
        lambda one: _mean([state.temperature_end for state in one.states]),
        shown_with="temperature_end_c",
    ),
    _OF.number(
        "sm_clock_mean_mhz",
        "clock",
        "MHz",
        "Clock of the multiprocessors: mean over window and working GPUs.",
        lambda one: _mean([state.sm_clock_mean for state in one.states]),
        shown_with="sm_clock_mean_mhz",
    ),
    _OF.share(
        "held_share",
        "clock held",
        "Share of readings at which something held a clock down: the most of all working GPUs.",
        lambda one: one.held_share,
        shown_with="sm_clock_mean_mhz",
    ),
    _OF.share(
        "cap_bound_share",
        "limit bound",
        "Share of the window's readings at which a power limit, asked for or the board's own, held "
        "a clock down: the most of all working GPUs; empty: too few readings say.",
        lambda one: cap_bound_share(one.of.run_energy),
        shown_with="sm_clock_mean_mhz",
    ),
    _OF.number(
        "memory_estimated_bytes",
        "memory, planned",
        "B",
        "What torch was to allocate on a GPU at most, by the plan's estimate: its total without "
        "the context.",
        lambda one: estimated_bytes(one.of.performance),
        reason="memory_reason",
    ),
    _OF.number(
        "memory_expected_bytes",
        "memory, expected",
        "B",
        "The same estimate for prompts as long as they are, of an engine that takes room as it "
        "needs it; of others, and where the record does not tell, memory_estimated_bytes.",
        lambda one: expected_bytes(one.of.performance),
        reason="memory_reason",
        shown=False,
    ),
    _OF.number(
        "memory_allocated_bytes",
        "memory, taken",
        "B",
        "What torch had allocated on a GPU at most: the most of all ranks.",
        lambda one: one.allocated_bytes,
        reason="memory_reason",
    ),
    _OF.share(
        "memory_allocated_over_estimated",
        "taken vs planned",
        "memory_allocated_bytes / memory_expected_bytes - 1.",
        lambda one: one.allocated_over_estimated,
        reason="memory_reason",
    ),
    _OF.number(
        "memory_device_bytes",
        "memory, GPU",
        "B",
        "What the whole GPU had in use, context and all: the most of all ranks.",
        lambda one: one.model.number("memory", "device_used_bytes"),
        shown=False,
        reason="memory_reason",
    ),
    _OF.why(
        "warmup_reason",
        "warm-up",
        "Why warmup_s, warmup_energy_j or both are missing.",
        lambda one: one.warmup_energy.reason,
    ),
    _OF.why(
        "compile_reason",
        "compiling",
        "Why compile_s, compile_energy_j or both are missing.",
        lambda one: one.compile_energy.reason,
    ),
    _OF.text(
        "conditions_reason",
        "why not",
        "Why the window's rule is missing.",
        lambda one: one.model.reason("window"),
        shown=False,
    ),
    _OF.text(
        "memory_reason",
        "memory: why not",
        "Why memory is missing.",
        lambda one: one.model.reason("memory"),
        shown=False,
    ),
)

CONDITIONS: Final = TableKind(
    name="conditions",
    title="Conditions",
    columns=_COLUMNS,
    of_run=lambda one: [_Conditions(of=one)],
    section="speed",
    text="What each run was measured under: warm-up, passes through the prompts, warmth and "
    "memory.",
)
"""One row a sealed run: what it was measured under."""
