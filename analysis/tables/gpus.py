"""GPUs: the table with one row a GPU that a run was given, at work or idle."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.energy.curves import Curve
from analysis.energy.gpu_energy import Gpu
from analysis.energy.gpu_state import GpuState
from analysis.energy.methods import POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER
from analysis.energy.run_energy import RunEnergy, idle_gpu_energy
from analysis.energy.uncertain import Uncertain, gap_share
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.table import TableKind


@dataclass(frozen=True, kw_only=True)
class _GivenGpu:
    of: Measured
    """The run that it is of."""
    gpu: Gpu
    """One that the run was given."""

    def by(self, method: str) -> Uncertain:
        return self.gpu.energy(method, self.of.run_energy.window_us)

    @cached_property
    def energy(self) -> Uncertain:
        if self.gpu.rank is None:
            return idle_gpu_energy(self.gpu, self.of.run_energy.window_us)
        return self.by(self.of.run_energy.method or POWER_INTEGRAL)

    @cached_property
    def polled_counter(self) -> Uncertain:
        return self.by(POLLED_COUNTER)

    @cached_property
    def rank_counter(self) -> Uncertain:
        return self.by(RANK_COUNTER)

    @cached_property
    def power_integral(self) -> Uncertain:
        return self.by(POWER_INTEGRAL)

    @property
    def power_integral_field(self) -> str | None:
        curve = self.gpu.power_integral
        return (
            curve.method.removeprefix(f"{POWER_INTEGRAL} of ") if isinstance(curve, Curve) else None
        )

    def apart(self, method: str, reference: str) -> Uncertain:
        return gap_share(self.by(reference), self.by(method), names=(reference, method))

    @cached_property
    def state(self) -> GpuState:
        return self.of.run_energy.state(self.gpu)


_OF: Final = ColumnsOf[_GivenGpu]()

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    _OF.text("host", "host", "Node of the GPU.", lambda one: one.gpu.host),
    _OF.text("gpu_uuid", "GPU", "UUID of the GPU.", lambda one: one.gpu.uuid),
    _OF.text("product", "product", "Its name as the source has it.", lambda one: one.gpu.name),
    _OF.count(
        "rank",
        "rank",
        "The rank that worked on it; empty: none, it was allocated and idle.",
        lambda one: one.gpu.rank,
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    *_OF.uncertain(
        "energy_j",
        "energy",
        "J",
        "What is charged for it in the window: by the run's method; of an idle GPU by its "
        "polled counter, else by the integral of its power.",
        lambda one: one.energy,
        reason="reason",
    ),
    *_OF.uncertain(
        "polled_counter_energy_j",
        "polled counter",
        "J",
        "Difference of its energy counter, as the watcher read it, between the window's edges.",
        lambda one: one.polled_counter,
        reason="polled_counter_reason",
    ),
    *_OF.uncertain(
        "power_integral_energy_j",
        "power integral",
        "J",
        "Trapezoid under its power over the window; each reading stands for the middle of the time "
        "it averages over.",
        lambda one: one.power_integral,
        reason="power_integral_reason",
    ),
    _OF.text(
        "power_integral_field",
        "power integral of",
        "The power reading that was integrated.",
        lambda one: one.power_integral_field,
    ),
    *_OF.uncertain(
        "rank_counter_energy_j",
        "rank counter",
        "J",
        "Difference of its counter as its rank read it at the edges of its spans.",
        lambda one: one.rank_counter,
        reason="rank_counter_reason",
        shown_with="rank_counter_energy_j",
    ),
    _OF.share(
        "power_integral_over_polled_counter_less_1",
        "power integral vs polled counter",
        "power_integral_energy_j / polled_counter_energy_j - 1.",
        lambda one: one.apart(POWER_INTEGRAL, POLLED_COUNTER).value,
        reason="polled_counter_reason",
    ),
    _OF.share(
        "power_integral_over_rank_counter_less_1",
        "power integral vs rank counter",
        "power_integral_energy_j / rank_counter_energy_j - 1.",
        lambda one: one.apart(POWER_INTEGRAL, RANK_COUNTER).value,
        shown_with="rank_counter_energy_j",
        reason="rank_counter_reason",
    ),
    _OF.share(
        "rank_counter_over_polled_counter_less_1",
        "rank vs polled counter",
        "rank_counter_energy_j / polled_counter_energy_j - 1.",
        lambda one: one.apart(RANK_COUNTER, POLLED_COUNTER).value,
        shown_with="rank_counter_energy_j",
        reason="rank_counter_reason",
    ),
    *_OF.uncertain(
        "idle_power_w",
        "idle power",
        "W",
        "Mean power in the settled part of the IDLE phase.",
        lambda one: one.gpu.idle_power,
    ),
    _OF.number(
        "temperature_start_c",
        "from",
        "degC",
        "Temperature of its die at the window's start: the nearest reading, no further away than "
        "two of its periods.",
        lambda one: one.state.temperature_start.value,
        shown_with="temperature_start_c",
        reason="state_reason",
    ),
    _OF.number(
        "temperature_end_c",
        "to",
        "degC",
        "The same at the window's end.",
        lambda one: one.state.temperature_end.value,
        shown_with="temperature_end_c",
        reason="state_reason",
    ),
    _OF.number(
        "sm_clock_start_mhz",
        "clock from",
        "MHz",
        "Clock of its multiprocessors at the window's start.",
        lambda one: one.state.sm_clock_start.value,
        shown=False,
        reason="state_reason",
    ),
    _OF.number(
        "sm_clock_end_mhz",
        "clock to",
        "MHz",
        "The same at the window's end.",
        lambda one: one.state.sm_clock_end.value,
        shown=False,
        reason="state_reason",
    ),
    _OF.number(
        "sm_clock_mean_mhz",
        "clock",
        "MHz",
        "Mean over the window's readings.",
        lambda one: one.state.sm_clock_mean.value,
        shown_with="sm_clock_mean_mhz",
        reason="state_reason",
    ),
    _OF.share(
        "held_share",
        "clock held",
        "Share of the window's readings at which a power limit, heat, a power brake or another GPU "
        "held the clock down.",
        lambda one: one.state.held_share.value,
        shown_with="sm_clock_mean_mhz",
        reason="state_reason",
    ),
    _OF.text(
        "held_by",
        "held by",
        "What did, with its share; empty: nothing.",
        lambda one: one.state.held_by,
    ),
    _OF.reason(lambda one: one.energy.reason),
    _OF.why(
        "state_reason",
        "state",
        "Why a temperature or clock is missing.",
        lambda one: one.state.reason,
    ),
    _OF.why(
        "polled_counter_reason",
        "polled counter",
        "Why polled_counter_energy_j is missing.",
        lambda one: one.polled_counter.reason,
    ),
    _OF.why(
        "power_integral_reason",
        "power integral",
        "Why power_integral_energy_j is missing.",
        lambda one: one.power_integral.reason,
    ),
    _OF.why(
        "rank_counter_reason",
        "rank counter",
        "Why rank_counter_energy_j is missing.",
        lambda one: one.rank_counter.reason,
    ),
)


def _gpus(one: Measured) -> list[_GivenGpu]:
    given = (*one.run_energy.gpus, *one.run_energy.idle_gpus)
    return [_GivenGpu(of=one, gpu=gpu) for gpu in given]


GPUS: Final = TableKind(
    name="gpus",
    title="GPUs",
    columns=_COLUMNS,
    of_run=_gpus,
    section="gpus",
    label="Energy by GPU and reading",
)
"""One row a GPU that a run was given, at work or idle."""


def gpu_rows(run_energy: RunEnergy) -> list[Row]:
    """The rows of one run."""
    return GPUS.rows(_gpus(Measured(run_energy)))
