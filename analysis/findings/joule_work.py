"""Joule work: what each phase of a run took, moved and computed: what a ledger is made from.

Energy is measured, of all working GPUs. Bytes and operations are what the model needs at least
(`analysis.performance.roofline`), as the run counted its own tensors. What ranks send each other is
a formula: each token's row of the residual stream as often as the engine says that it sums one,
else twice a layer, each time to all other ranks and back (a ring's all-reduce: 2 x (ranks - 1) rows
in all). What is gathered, padding and sampling are left out. Where DCGM read the memory's and the
links' activity, that stands beside.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from analysis.energy.uncertain import Uncertain, net_energy
from analysis.findings.works import NOT_ON_RECORD
from analysis.performance.roofline import PhaseWork
from analysis.performance.run_performance import STATED
from analysis.runs.series import FloatArray
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import TableKind
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase
from telemetry.record.spec import ITEM_BYTES

WINDOW: Final = "window"
"""All of the measured window."""
PHASES: Final = (Phase.ENCODE, Phase.PREFILL, Phase.DECODE)
"""Phases whose work is known."""
# Rows of the residual stream that a layer sums over the ranks where the engine says no number:
# after attention, after the FFN.
_SUMS_A_LAYER: Final = 2
# Fewer readings in a window than this say nothing of it.
_LEAST_READINGS: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """What a phase moves and computes, over all ranks."""

    weight_bytes: float
    """Weights read."""
    kv_bytes: float
    """Keys and values read or written."""
    flops: float
    """Operations; a multiply-add is two."""
    sent_bytes: float
    """What ranks send each other; 0 on one GPU."""

    def plus(self, other: "Amounts") -> "Amounts":
        """Both together."""
        return Amounts(
            weight_bytes=self.weight_bytes + other.weight_bytes,
            kv_bytes=self.kv_bytes + other.kv_bytes,
            flops=self.flops + other.flops,
            sent_bytes=self.sent_bytes + other.sent_bytes,
        )


NOTHING: Final = Amounts(weight_bytes=0.0, kv_bytes=0.0, flops=0.0, sent_bytes=0.0)
"""No work."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One phase of one run."""

    of: Measured
    """The run."""
    phase: str
    """A phase, or `WINDOW`."""
    energy: Uncertain
    """Gross joules of all working GPUs."""
    seconds: float
    """Its time."""
    amounts: Amounts | str
    """What it moved and computed, or why that is not known."""
    fitted: bool
    """Whether costs are fitted to it: pieces that are told apart, else the window."""

    @cached_property
    def idle(self) -> Uncertain:
        """What the same GPUs draw at rest in the same time."""
        power = self.of.idle_power
        if power.value is None:
            return power
        width = None if power.plus_minus is None else power.plus_minus * self.seconds
        return Uncertain.of(power.value * self.seconds, width)

    @cached_property
    def dynamic(self) -> Uncertain:
        """What it took beyond that."""
        return net_energy(self.energy, self.of.idle_power, self.seconds)

    def amount(self, name: str) -> float | None:
        """One of the amounts."""
        return None if isinstance(self.amounts, str) else float(getattr(self.amounts, name))

    @property
    def amounts_reason(self) -> str | None:
        """Why the amounts are missing."""
        return self.amounts if isinstance(self.amounts, str) else None

    @property
    def board(self) -> str:
        """Product of the working GPUs."""
        names = sorted({gpu.name for gpu in self.of.run_energy.gpus})
        return " and ".join(names) or NOT_ON_RECORD


def pieces(one: Measured) -> Iterator[Piece]:
    """Every phase of a batch, where the sensor tells them apart; always the window."""
    amounts = {phase: _amounts(one, phase) for phase in PHASES}
    energies = {Phase.PREFILL: one.prefill, Phase.DECODE: one.decode}
    if one.performance.encodes:
        energies = {Phase.ENCODE: one.encode, **energies}
    apart = one.phased and all(energy.value is not None for energy in energies.values())
    if apart:
        for phase in energies:
            yield Piece(
                of=one,
                phase=phase.value,
                energy=energies[phase],
                seconds=one.seconds(phase),
                amounts=amounts[phase],
                fitted=True,
            )
    yield Piece(
        of=one,
        phase=WINDOW,
        energy=one.energy,
        seconds=one.duration_s,
        amounts=_both(amounts),
        fitted=not apart,
    )


def _both(amounts: dict[Phase, Amounts | str]) -> Amounts | str:
    total = NOTHING
    for found in amounts.values():
        if isinstance(found, str):
            return found
        total = total.plus(found)
    return total


def _amounts(one: Measured, phase: Phase) -> Amounts | str:
    speed = one.performance
    work, arithmetic = speed.work(phase), speed.model.arithmetic
    if work is None:
        assert isinstance(speed.latency, str)
        return speed.latency
    if isinstance(arithmetic, str):
        return arithmetic
    weights, kv = speed.model.weight_bytes, speed.model.kv_bytes
    if weights is None or kv is None:
        return f"nobody says what a step reads in {one.spec.quantization}"
    sent = _sent_bytes(one, work)
    if isinstance(sent, str):
        return sent
    return Amounts(
        weight_bytes=float(work.weight_bytes(weights, arithmetic.encoder)),
        kv_bytes=float(work.touched * kv),
        flops=float(work.flops(arithmetic)),
        sent_bytes=sent,
    )


def _sent_bytes(one: Measured, work: PhaseWork) -> float | str:
    ranks = one.spec.gpus
    if ranks == 1:
        return 0.0
    dim, layers = (one.performance.model.number("shape", name) for name in ("dim", "layers"))
    if dim is None or layers is None:
        return "model.json has no width and layers: what ranks send is not known"
    said = one.performance.model.number("engine", "sums_per_token")
    sums = layers * _SUMS_A_LAYER if said is None else said
    return work.tokens * sums * 2 * (ranks - 1) * dim * ITEM_BYTES[one.spec.dtype]


@dataclass(frozen=True, kw_only=True)
class _Recorded:
    """Mean of a counter over a window and all working GPUs, or why there is none."""

    piece: Piece
    """The window's piece."""

    def mean(self, name: str) -> Uncertain:
        """Mean of a reading over a whole window, where it was read often enough."""
        if self.piece.phase != WINDOW:
            return Uncertain.unknown("told of the window alone")
        run_energy, run = self.piece.of.run_energy, self.piece.of.run
        gpus = run_energy.gpus
        for gpu in gpus:
            period_us = run.period_us(gpu.host, gpu.uuid, name)
            if period_us is None:
                return Uncertain.unknown(f"{name} was not recorded")
            if self.piece.seconds * US_PER_S < _LEAST_READINGS * period_us:
                return Uncertain.unknown(f"{name} was read every {period_us / US_PER_S:g} s alone")
        series = run.series((name,))
        start_us, end_us = run_energy.window_us
        means = []
        for gpu in gpus:
            found = series.get((gpu.host, gpu.uuid, name))
            inside: FloatArray = (
                np.empty(0) if found is None else found.between(start_us, end_us).value
            )
            if not len(inside):
                why = None if found is None else found.null_reason
                return Uncertain.unknown(why or f"{name} has no reading in the window")
            means.append(float(inside.mean()))
        return (
            Uncertain.of(sum(means) / len(means)) if means else Uncertain.unknown("no working GPU")
        )

    def dram_bytes(self) -> Uncertain:
        """Share of time in which memory moved data, as bytes at the stated bandwidth."""
        active = self.mean("dram_active")
        peak = self.piece.of.performance.limits(STATED).bytes_per_s
        if active.value is None:
            return active
        if peak is None:
            return Uncertain.unknown("no bandwidth is stated for the board")
        return Uncertain.of(active.value * peak * self.piece.seconds)

    def sent_bytes(self) -> Uncertain:
        """What the links sent, over all GPUs."""
        rate = self.mean("nvlink_tx_bytes_per_s")
        if rate.value is None:
            return rate
        return Uncertain.of(rate.value * self.piece.seconds * len(self.piece.of.run_energy.gpus))


_OF: Final = ColumnsOf[Piece]()
_NAMED: Final = (
    *("model", "engine", "dtype", "quantization", "kv_dtype", "gpus", "batch_size"),
    "power_cap_w",
)

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    _OF.text(
        "phase",
        "phase",
        "`encode` (of a model with an encoder), `prefill` and `decode` where the sensor tells them "
        "apart; `window` is all of the measured window, what lies between batches too.",
        lambda one: one.phase,
    ),
    _OF.text("board", "board", "Product of the working GPUs.", lambda one: one.board, shown=False),
    # A run's name says most of it, and the page has its row of runs.
    *(
        replace(_OF.told(POINT_BY_NAME[name], lambda one: one.of.spec), shown=name == "engine")
        for name in _NAMED
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.number("seconds", "time", "s", "Its time, mean over ranks.", lambda one: one.seconds),
    *_OF.uncertain(
        "energy_j",
        "energy",
        "J",
        "Gross energy of all working GPUs in it.",
        lambda one: one.energy,
        reason="energy_reason",
    ),
    *_OF.uncertain(
        "idle_energy_j",
        "at rest",
        "J",
        "Their power in the run's own idle phase x seconds.",
        lambda one: one.idle,
        reason="idle_reason",
    ),
    *_OF.uncertain(
        "dynamic_energy_j",
        "beyond rest",
        "J",
        "energy_j - idle_energy_j.",
        lambda one: one.dynamic,
        reason="idle_reason",
    ),
    *(
        _OF.number(
            name,
            label,
            unit,
            meaning,
            lambda one, _name=amount: one.amount(_name),  # type: ignore[misc]
            reason="work_reason",
        )
        for name, amount, label, unit, meaning in (
            ("weight_bytes", "weight_bytes", "weights", "B", "Weights read, over all ranks."),
            ("kv_bytes", "kv_bytes", "keys, values", "B", "Keys and values read and written."),
            ("flop", "flops", "operations", "1", "Operations; a multiply-add is two."),
            (
                "sent_bytes",
                "sent_bytes",
                "sent",
                "B",
                "What ranks send each other by a ring's all-reduce: tokens x layers x 2 x 2 x "
                "(ranks - 1) x width x bytes of a number; 0 on one GPU.",
            ),
        )
    ),
    _OF.number(
        "recorded_memory_bytes",
        "memory, recorded",
        "B",
        "DCGM's share of time in which memory moved data x stated bandwidth x seconds, of the "
        "window.",
        lambda one: _Recorded(piece=one).dram_bytes().value,
        shown_with="recorded_memory_bytes",
        reason="recorded_reason",
    ),
    _OF.number(
        "recorded_sent_bytes",
        "sent, recorded",
        "B",
        "DCGM's NVLink traffic from all working GPUs x seconds, of the window.",
        lambda one: _Recorded(piece=one).sent_bytes().value,
        shown_with="recorded_sent_bytes",
        reason="recorded_reason",
    ),
    _OF.share(
        "recorded_tensor_share",
        "tensor cores, recorded",
        "DCGM's share of time in which a tensor core was active, of the window.",
        lambda one: _Recorded(piece=one).mean("tensor_active").value,
        shown_with="recorded_tensor_share",
        reason="recorded_reason",
    ),
    _OF.flag(
        "fitted",
        "fitted",
        "True where costs are fitted to this row: phases that are told apart, else the window.",
        lambda one: one.fitted,
        shown=False,
    ),
    _OF.why("energy_reason", "energy", "Why it is missing.", lambda one: one.energy.reason),
    _OF.why("idle_reason", "at rest", "Why it is missing.", lambda one: one.dynamic.reason),
    _OF.why("work_reason", "work", "Why the amounts are missing.", lambda one: one.amounts_reason),
    _OF.why(
        "recorded_reason",
        "recorded",
        "Why the recorded activity is missing.",
        lambda one: _Recorded(piece=one).dram_bytes().reason,
    ),
)

JOULE_WORK: Final = TableKind(
    name="joule_work",
    title="What phases took and did",
    columns=_COLUMNS,
    of_run=pieces,
    section="joules",
    heading="What each phase took, moved and computed",
    text="Energy as measured; bytes and operations as the model needs them at least.",
)
"""One row a run and phase, and one for its window."""
