"""Board shares: percentages that were asked for are of the boards that are there."""

from collections.abc import Sequence

from telemetry.power.record import GpuPower, Knob
from telemetry.record.launch import LaunchConfig
from telemetry.record.shares import of_board
from telemetry.record.spec import RunSpec


def require_shares(spec: RunSpec, launch: LaunchConfig, gpus: Sequence[GpuPower]) -> None:
    """Refuse a card whose own limit is not the one that a percentage was taken of.

    Raises:
        RuntimeError: a card says otherwise.
    """
    for name, share in (launch.power_shares or {}).items():
        quantity = Knob.POWER_LIMIT if name.endswith("cap_w") else Knob.SM_CLOCK
        asked = getattr(spec, name)
        for gpu in gpus:
            own = gpu.settings[quantity].default
            if own.value is not None and of_board(name, own.value, share) != round(asked):
                raise RuntimeError(
                    f"`{name}` must be {share:g} % of the board's own {own.value:g}, as "
                    f"{gpu.uuid} tells it, but the plan made it {asked:g}"
                )
