"""GPU settings: caps and clocks of a watcher's node, from before its sensors open to its end.

A run that asks for none has what dead runs left on its GPUs put back, and nothing else done.
"""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from telemetry.power.book import remembered
from telemetry.power.leftovers import put_back_leftovers
from telemetry.power.node import NodeSettings
from telemetry.power.phase_settings import PhaseSettings
from telemetry.record.spec import RunSpec
from telemetry.sources.base import Assignment

_NOTHING: Final[Mapping[str, Any]] = {}
# How many of the node's GPUs Slurm gave the job there (sbatch(1), output environment variables).
_GIVEN: Final = "SLURM_GPUS_ON_NODE"


class GpuSettings:
    """What a run asks of its GPUs, set on entering and put back on leaving; often nothing.

    Raises:
        RuntimeError: the GPUs do not stand as asked, and none of them is set; one line.
    """

    def __init__(
        self, assignment: Assignment, environment: Mapping[str, str], tell: Callable[[str], None]
    ) -> None:
        self._node: NodeSettings | None = None
        self._phases: PhaseSettings | None = None
        self._close: Callable[[], None] = _nothing
        asks = asks_real_gpus(assignment.spec)
        if not asks and not (on_real_gpus(assignment.spec) and remembered()):
            return
        # NVIDIA's library is loaded where something is to be set.
        from telemetry.sources.nvml.library import Driver  # noqa: PLC0415
        from telemetry.sources.nvml.settings import Card, is_missing, is_refusal  # noqa: PLC0415
        from telemetry.sources.nvml.visible_gpus import read_visible_gpus  # noqa: PLC0415

        driver = Driver()
        self._close = driver.close
        try:
            visible = read_visible_gpus(
                driver, environment, incomplete=assignment.before is not None
            )
            require_given(environment, len(visible.gpus))
            cards = [Card(gpu) for gpu in visible.gpus]
            if not asks:
                way = assignment.launch.power
                put_back_leftovers(assignment.attempt, way, assignment.host, cards, tell)
                return
            self._node = NodeSettings(
                assignment.attempt,
                assignment.spec,
                assignment.launch,
                assignment.host,
                cards,
                is_permission=is_refusal,
                is_missing=is_missing,
                tell=tell,
            )
            self._node.settle()
            if (asked := self._node.values_by_phase) is not None:
                self._phases = PhaseSettings(
                    self._node,
                    asked,
                    folder=assignment.attempt.folder,
                    host=assignment.host,
                    now_us=assignment.clock.now_us,
                )
        except (RuntimeError, OSError, ValueError):
            self.restore()
            driver.close()
            raise

    @property
    def requested(self) -> Mapping[str, Mapping[str, float]]:
        """By UUID what an inventory's entry is to say of what was asked."""
        return _NOTHING if self._node is None else self._node.requested()

    def restore(self) -> None:
        """Put back what stood before; a second call changes nothing."""
        if self._phases is not None:
            # First, so that nobody sets what is being put back.
            self._phases.close()
            self._phases = None
        if self._node is not None:
            self._node.restore()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.restore()
        finally:
            self._close()


def asks_real_gpus(spec: RunSpec) -> bool:
    """True where a spec asks something of GPUs that are none of a model's."""
    return bool(spec.settings) and on_real_gpus(spec)


def on_real_gpus(spec: RunSpec) -> bool:
    """True where a spec's GPUs are cards and no model's."""
    return spec.gpu != "cpu" and not spec.simulated


def _nothing() -> None:
    """No driver is open."""


def require_given(environment: Mapping[str, str], seen: int) -> None:
    """That the GPUs a watcher sees are no more than Slurm gave its job.

    Where neither cgroups nor CUDA_VISIBLE_DEVICES hide them, a neighbour's are among them.

    Raises:
        RuntimeError: they are more, and nobody knows which are the job's.
    """
    given = environment.get(_GIVEN, "")
    if given.isdecimal() and seen > int(given):
        raise RuntimeError(
            f"GPUs that are seen must be at most the {given} that Slurm gave the job on this node, "
            f"but are {seen} instead: nothing of them is set; let cgroups confine jobs "
            "(ConstrainDevices), or name the job's GPUs by CUDA_VISIBLE_DEVICES"
        )
