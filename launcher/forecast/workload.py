"""Workload: all of a point, or of a sealed run, that its time and energy are expected from."""

import functools
from collections.abc import Hashable
from dataclasses import dataclass, replace

from launcher.forecast.constants import FAST, ON_CPU, OTHER, REFERENCE, UNKNOWN_LIMIT_W
from launcher.forecast.work import BatchWork
from telemetry.boards.table import BOARDS
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import ITEM_BYTES, RunSpec
from workers.planning.engine_facts import engine_facts
from workers.planning.own_configs import shape_of

_GIGA = 1e9


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What the formulas and the likeness of two runs are told."""

    spec: RunSpec
    """The work."""
    work: BatchWork
    """A batch of it at the GPUs' peaks."""
    looks_at_logits: bool
    """True where logits are held against fp32's while the model loads."""
    reads_checkpoint: bool
    """True where weights come from a disk and are not drawn."""
    host: str | None
    """Where it runs as `launcher.forecast.place` names it; None where nobody knows."""
    nearness: float | None = None
    """The batch by the roofline over what it takes; None before that is known."""

    @classmethod
    def of(
        cls, spec: RunSpec, launch: LaunchConfig, work: BatchWork, *, host: str | None
    ) -> "Workload":
        """That of a spec that is launched so."""
        whole = (spec.dtype, spec.cached_dtype, spec.quantization) == ("fp32", "fp32", "none")
        looks = launch.logit_error if launch.logit_error is not None else not whole
        return cls(
            spec=spec,
            work=work,
            looks_at_logits=looks,
            reads_checkpoint=launch.weights_path is not None,
            host=host,
        )

    def near(self, nearness: float) -> "Workload":
        """The same with how near its batches come to the roofline."""
        return replace(self, nearness=nearness)

    @property
    def on_cpu(self) -> bool:
        """True where the ranks compute on CPU, whatever board is simulated beside them."""
        return self.spec.simulated or self.spec.gpu == "cpu"

    @property
    def engine_class(self) -> str:
        """Which constants hold for its engine."""
        if self.on_cpu:
            return ON_CPU
        return self.spec.engine if self.spec.engine in (FAST, REFERENCE) else OTHER

    @property
    def host_class(self) -> str:
        """Which constants hold for what is no engine's doing."""
        return ON_CPU if self.on_cpu else OTHER

    @property
    def may_end_early(self) -> bool:
        """True where a batch ends with its last answer, and answers may end before their most."""
        whole = self.spec.ignore_eos or engine_facts(self.spec.engine).decodes_to_full_length
        return not whole and self.reads_checkpoint

    @property
    def compiles(self) -> bool:
        """True where kernels are compiled that a node may keep from before, or not."""
        return self.engine_class == FAST

    @functools.cached_property
    def parameters_g(self) -> float:
        """Thousand million parameters."""
        return shape_of(self.spec).params / _GIGA

    @property
    def rank_gb(self) -> float:
        """A rank's part of the weights in the run's numbers, unquantized."""
        return self.parameters_g * ITEM_BYTES[self.spec.dtype] / self.spec.gpus

    @property
    def limit_w(self) -> float:
        """The power limit in force on each GPU."""
        board = BOARDS.get(self.spec.gpu_kind)
        limit_w = None if board is None else board.power_limit_w
        return self.spec.power_cap_w or limit_w or UNKNOWN_LIMIT_W

    @property
    def kind(self) -> str:
        """What never teaches another kind: a board, a simulated board, or a CPU."""
        return self.spec.gpu

    @functools.cached_property
    def likeness(self) -> dict[str, Hashable]:
        """Names under which two jobs may share what no formula tells."""
        spec = self.spec
        form = (spec.engine, spec.quantization, spec.dtype, spec.kv_dtype)
        shape = (*form, spec.model, spec.gpus, spec.gpus_per_node)
        lengths = (spec.dataset, spec.max_prompt_len, spec.max_gen_len, spec.ignore_eos)
        return {
            "board": spec.gpu,
            "engine": spec.engine,
            "format": form,
            "model": (*form, spec.model),
            "shape": shape,
            "batch": (*shape, spec.batch_size),
            "config": (*shape, spec.batch_size, *lengths),
            "host": self.host,
        }
