"""Agreement: what a rank stands on and has loaded, held against its spec before anything counts.

A run is sealed under its spec. What a rank finds to be otherwise is said in one line before the
first batch, and never measured.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from telemetry.boards.agreement import boards_fault
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import ITEM_BYTES, RunSpec
from workers.distributed.rank import Rank
from workers.engines.base.engine import Engine
from workers.planning.arithmetic import arithmetic_of
from workers.planning.engine_facts import engine_facts
from workers.planning.own_configs import shape_of
from workers.planning.weight_formats import FP8


def ranks_fault(spec: RunSpec, launch: LaunchConfig, rank: Rank) -> str | None:
    """Why the ranks that a launcher started are not those of the spec; None when they are."""
    for name, asked, found in (
        ("gpus", spec.gpus, rank.world),
        ("gpus_per_node", spec.gpus_per_node, rank.local_world),
        ("nodes", spec.nodes, rank.nodes),
    ):
        if asked != found:
            return f"`{name}` must be {asked} ranks as in the spec, but {found} were started"
    real = spec.gpu != "cpu" and not spec.simulated
    if real != (launch.device == "cuda"):
        return (
            f"`device` must be {'cuda' if real else 'cpu'} where `gpu` is {spec.gpu}, "
            f"but is {launch.device} instead"
        )
    return None


def gpus_fault(spec: RunSpec, gpus: Sequence[Mapping[str, Any] | None]) -> str | None:
    """Why the GPUs of all ranks, by rank, are not those asked for; None when they are.

    Each is an entry of a host's inventory; None is a rank that has no GPU.
    """
    holders: dict[str, int] = {}
    for rank, gpu in enumerate(gpus):
        if gpu is None:
            if spec.gpu != "cpu":
                return f"`gpu` must be {spec.gpu}, but rank {rank} has none instead"
            continue
        uuid = str(gpu["uuid"])
        if uuid in holders:
            return (
                f"each rank must have a GPU of its own, but ranks {holders[uuid]} and {rank} "
                f"both have {uuid} instead"
            )
        holders[uuid] = rank
        if fault := _setting_fault(spec, gpu):
            return fault
    return boards_fault(spec.gpu, [gpu for gpu in gpus if gpu is not None])


def _setting_fault(spec: RunSpec, gpu: Mapping[str, Any]) -> str | None:
    """Why a GPU is not set as its spec asks; a setting that its entry does not tell is none."""
    for name, asked, key in (
        ("power_cap_w", spec.power_cap_w, "power_limit_requested_w"),
        ("sm_clock_mhz", spec.sm_clock_mhz, "sm_clock_requested_mhz"),
        ("memory_clock_mhz", spec.memory_clock_mhz, "memory_clock_requested_mhz"),
    ):
        if asked is not None and gpu.get(key) != asked:
            return (
                f"`{name}` must be set on the GPU, {asked:g} as in the spec, but {gpu['uuid']} "
                f"was set to {gpu.get(key)} instead"
            )
    return None


def loaded_fault(spec: RunSpec, weights: Mapping[str, Any], engine: Engine) -> str | None:
    """Why what a rank has loaded is not what its spec says; None when it is.

    `weights` is what their source describes. An engine that does not count the bytes of its
    weights is held to its name alone, and where their family does not, no bytes are compared.
    """
    told = engine.describe()
    name = told.get("name")
    if name != spec.engine:
        return f"`engine` must be {spec.engine} as in the spec, but {name} was opened instead"
    if engine.weight_bytes is None:
        return None
    kind = weights.get("digest", weights.get("kind"))
    if kind != spec.weights:
        return f"`weights` must be {spec.weights} as in the spec, but are {kind} instead"
    filled = weights.get("filled_as") or []
    if spec.dtype not in filled:
        return (
            f"`dtype` must be {spec.dtype} as in the spec, but weights were filled as "
            f"{', '.join(filled) or 'nothing'} instead"
        )
    # int8 takes as many bytes.
    if "fp8" in told and (told["fp8"] is not None) != (spec.quantization == FP8):
        return (
            f"`quantization` must be {spec.quantization} as in the spec, but what {name} loaded "
            f"multiplies {'no fp8' if told['fp8'] is None else 'fp8'} instead"
        )
    # Model, number format, quantization and split all show in it.
    whole = arithmetic_of(spec).weight_bytes_per_step
    if whole is None:
        return None
    expected, rest = divmod(whole, spec.gpus)
    if engine_facts(spec.engine).folds_norms:
        expected -= shape_of(spec).norm_params * ITEM_BYTES[spec.dtype]
    if rest or engine.weight_bytes != expected:
        return (
            f"a rank of {spec.model} in {spec.dtype}, quantization {spec.quantization}, over "
            f"{spec.gpus} must read {expected} bytes of weights a step, but what {name} loaded "
            f"has {engine.weight_bytes} instead"
        )
    return None
