"""Simulation: what the simulated source takes of a board's row, and writes into the record."""

from dataclasses import dataclass
from typing import Self

from telemetry.boards.board import Board


@dataclass(frozen=True, kw_only=True)
class SimulatedBoard:
    """The constants of the power model of one board."""

    name: str
    """Short name of the row."""
    product: str
    """Name for people."""
    driver_names: tuple[str, ...]
    """What nvmlDeviceGetName calls the board that is modelled."""
    memory_bytes: int
    """Memory the driver reports as total."""
    idle_w: float
    """Board power with nothing to do."""
    power_limit_w: float
    """Default power limit, and the highest that the model takes."""
    min_power_limit_w: float | None
    """Lowest power limit the model takes; None: nobody published one, and any is taken."""
    max_sm_clock_mhz: int
    """Highest clock that is shown."""
    sensor_period_ms: int
    """Time between two updates of the power sensor."""
    sensor_window_ms: int
    """Time that one instantaneous power reading averages over."""

    @classmethod
    def of(cls, board: Board) -> Self:
        """The model of a board.

        Raises:
            ValueError: a number that the model needs is not known of it.
        """
        needed = ("idle_w", "power_limit_w", "max_sm_clock_mhz")
        if missing := [name for name in needed if getattr(board, name) is None]:
            raise ValueError(
                f"`{missing[0]}` of {board.product} must be known to simulate it, but is not"
            )
        assert board.idle_w is not None
        assert board.power_limit_w is not None
        assert board.max_sm_clock_mhz is not None
        return cls(
            name=board.name,
            product=board.product,
            driver_names=board.driver_names,
            memory_bytes=board.memory_bytes,
            idle_w=board.idle_w,
            power_limit_w=board.power_limit_w,
            min_power_limit_w=board.min_power_limit_w,
            max_sm_clock_mhz=board.max_sm_clock_mhz,
            sensor_period_ms=board.sensor_period_ms,
            sensor_window_ms=board.sensor_window_ms,
        )

    def power_in_force_w(self, requested_w: float | None) -> float:
        """The limit the board takes when asked for `requested_w`; None asks for none."""
        if requested_w is None:
            return self.power_limit_w
        return min(max(requested_w, self.min_power_limit_w or 0.0), self.power_limit_w)
