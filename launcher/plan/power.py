"""Power: caps and clocks as points ask for them, and whether anybody can set them there."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from launcher.config.errors import BadInputError
from launcher.plan.cluster import Cluster
from launcher.plan.grid import PlannedPoint, Verdict
from telemetry.boards.table import BOARDS
from telemetry.power.advice import for_administrators, wanted
from telemetry.power.dcgm_card import engine_address
from telemetry.power.phase_values import unswitched
from telemetry.power.slurm_frequency import gpu_freq
from telemetry.power.wish import Wish, switches
from telemetry.record.launch import LaunchConfig
from telemetry.record.shares import of_board, own_value, per_cent
from telemetry.record.spec import CAP_FIELDS, SETTING_FIELDS, RunSpec


def settings_asked(
    config: Mapping[str, Any], gpu: object
) -> tuple[dict[str, Any], dict[str, float] | None]:
    """A point's caps and clocks in watts and MHz, and which were asked in per cent of the board's.

    A cap is taken of the board's default power limit, an SM clock of its highest, both as
    `telemetry.boards` has them: each node holds its cards to that before it sets anything. A cap is
    rounded to whole watts, a clock to one that boards offer.

    Raises:
        BadInputError: a percentage is none, or the board's own value is not known.
    """
    values: dict[str, Any] = {}
    shares: dict[str, float] = {}
    for name in SETTING_FIELDS:
        value = values[name] = config[name]
        if not isinstance(value, str):
            continue
        share = per_cent(value)
        if share is None or name == "memory_clock_mhz":
            unit = "watts" if name in CAP_FIELDS else "MHz"
            or_share = "" if name == "memory_clock_mhz" else " or per cent such as 70%"
            raise BadInputError(
                f"`{name}` must be a number of {unit}{or_share}, but is {value!r} instead"
            )
        cap = name in CAP_FIELDS
        own = own_value(str(gpu), name)
        if own is None:
            raise BadInputError(
                f"`{name}` must be in {'watts' if cap else 'MHz'} for gpu {gpu}, whose own "
                f"{'limit' if cap else 'clock'} is not known, but is {value!r} instead"
            )
        shares[name] = share
        values[name] = of_board(name, own, share)
    return values, shares or None


class PowerWays:
    """Whether caps and clocks can be set where a point runs; this machine's GPUs are asked once."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._told: tuple[bool, Sequence[Any]] | None = None
        self._asked = False
        self._engines: dict[tuple[str | None, str | None], bool] = {}

    def fault(self, spec: RunSpec, launch: LaunchConfig, cluster: Cluster) -> str | None:
        """Why nobody can set what a point asks for; None where somebody may."""
        if not spec.settings:
            return None
        if fault := _never(spec, launch.power):
            return fault
        wish = Wish.over_phases(spec)
        if spec.simulated or launch.power == "site":
            return None
        if launch.power == "none":
            return f"{wanted(wish)} is asked for, but power=none sets nothing"
        if launch.power in _BY_SLURM:
            return _BY_SLURM[launch.power](wish, cluster)
        return self._here(spec, launch) if cluster.executor == "local" else None

    def _here(self, spec: RunSpec, launch: LaunchConfig) -> str | None:
        """Why this process can have nothing set on this machine's GPUs; None where it may."""
        wish = Wish.over_phases(spec)
        told = self._look()
        if told is None or told[0]:
            return None
        caps, locks_memory = wish.power_cap_w, wish.memory_clock_mhz
        if caps is locks_memory is None and all(gpu.sets_application_clocks for gpu in told[1]):
            # They stand in for a lock of the SM clock.
            return None
        if locks_memory is None and self._engine(launch):
            # Whether it runs as root the node finds out, before the model loads.
            return None
        stands = launch.power == "auto" and not switches(spec)
        if stands and wish.sm_clock_mhz is wish.memory_clock_mhz is None:
            limits = [gpu.told.get("power_limit_requested_w") for gpu in told[1]]
            if limits and all(limit == wish.power_cap_w for limit in limits):
                return None
        return f"{wanted(wish)} needs CAP_SYS_ADMIN on this machine, which this process lacks"

    def _engine(self, launch: LaunchConfig) -> bool:
        """Whether a DCGM engine answers on this machine; asked once."""
        where = launch.dcgm_bindings, launch.dcgm_address
        if where not in self._engines:
            self._engines[where] = engine_address(*where)[0] is not None
        return self._engines[where]

    def _look(self) -> tuple[bool, Sequence[Any]] | None:
        """Whether this process sets limits, and its GPUs; None where the driver does not tell."""
        if not self._asked:
            self._asked = True
            # NVIDIA's library is loaded where somebody asks for a cap on this machine.
            from telemetry.sources.nvml.rights import read_rights  # noqa: PLC0415

            try:
                rights = read_rights(self._environment)
            except RuntimeError:
                # The node says so, before the model loads.
                return None
            self._told = (rights.sets_limits, rights.gpus)
        return self._told


def power_notes(points: Sequence[PlannedPoint]) -> tuple[str, ...]:
    """What to hand to administrators where a point's cap or clock can be set by nobody."""
    notes: dict[str, None] = {}
    for point in points:
        wish = Wish.over_phases(point.spec)
        kept_out = point.verdict is Verdict.UNSUPPORTED and not wish.wants_nothing
        if kept_out and point.cluster.device == "cuda":
            board = BOARDS.get(point.spec.gpu_kind)
            product = point.spec.gpu if board is None else board.product
            notes |= dict.fromkeys(for_administrators(wish, product))
    return tuple(notes)


def _slurm_fault(wish: Wish, cluster: Cluster) -> str | None:
    if cluster.slurm is None:
        return f"power=slurm needs a Slurm cluster, but {cluster.name} is none"
    if gpu_freq(wish) is None:
        return "Slurm's --gpu-freq sets clocks alone, and a power cap is asked for"
    return None


def _broker_fault(wish: Wish, cluster: Cluster) -> str | None:
    if cluster.slurm is None:
        return f"power=broker needs a Slurm cluster with its prolog, but {cluster.name} is none"
    if not cluster.slurm.exclusive:
        return "power=broker needs whole nodes: cluster.slurm.exclusive=true"
    if wish.comment is None:
        return f"the broker takes whole watts, but {wish.power_cap_w:g} W is asked for"
    return None


def _never(spec: RunSpec, power: str) -> str | None:
    """Why no way sets what a point asks for; None where one may."""
    if spec.gpu == "cpu":
        return "no GPU takes part that a cap or clock lock could act on"
    if switches(spec):
        if spec.simulated:
            return "no model of a switch between phases is simulated: it takes a GPU with a driver"
        return unswitched(power)
    if spec.simulated and spec.memory_clock_mhz is not None:
        return "no model of the memory's clock is simulated"
    return None


_BY_SLURM: Final[Mapping[str, Callable[[Wish, Cluster], str | None]]] = {
    "slurm": _slurm_fault,
    "broker": _broker_fault,
}
