"""On a real GPU: what is allocated is what was estimated, within 5 %.

`python -m pytest -m gpu -s tests/gpu/test_memory_gpu.py` prints the parts of each case.
"""

import gc
from pathlib import Path

import pytest
import torch

from telemetry.boards.table import board_of
from tests.benchmarks.cases import Case, prompts_of
from tests.support.engines import open_for
from tests.support.ranks import run_gang, values_of
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.planning.engine_facts import ENGINE_FACTS
from workers.planning.memory import estimate
from workers.session.placement import take_device

pytestmark = pytest.mark.gpu

_GB = 1e9
# Least share of what CUDA's allocator holds that the plan foresees; the rest are pieces that it
# gives back before it says that memory is out. Rounding and widening leave some behind, 92 % on an
# H200, as do the reference's long prompts.
_RESERVED = {"reference": 0.9, "fast": 0.95, "fast-int8": 0.9, "fast-fp8": 0.9, "fast-int4": 0.9}
# The reference's copies of keys and values outgrow at every step the blocks kept so far: 66 % after
# 1,008 steps. With 160 rows they filled the card, and it went on (8 retries, none in vain).
_OUTGROWN = {("reference", "long answers"): 0.6}
# Each is one process and seconds of loading: few, at the corners that differ.
CASES = [
    Case(name=name, model="7b", gpus=1, batch=batch, prompt_len=prompt_len, new=new)
    for name, batch, prompt_len, new in (
        ("plain", 64, 128, 128),
        ("one row", 1, 128, 128),
        ("many rows", 512, 64, 64),
        ("long prompts", 16, 1024, 64),
        ("long answers", 32, 16, 1008),
        ("choosing", 512, 8, 8),
    )
]


def _used(rank: Rank, folder: Path, case: Case, name: str) -> dict[str, float]:
    """What a run of one batch took of a GPU, and what was foreseen, in GB."""
    engine, _, quantization = name.partition("-")
    spec = case.spec(engine, quantization or "none")
    device = take_device(rank, "cuda")
    free_before = torch.cuda.mem_get_info()[0]
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=case.gpus, device=device) as mesh,
        torch.inference_mode(),
    ):
        runner = open_for(spec, device, rank=rank.rank)
        loaded = torch.cuda.memory_allocated()
        loading = torch.cuda.max_memory_allocated()
        prefilled = 0
        for _ in range(2):
            runner.prefill(prompts_of(case), 1)
            prefilled = torch.cuda.max_memory_allocated()
            runner.decode()
        mesh.barrier()
        gc.collect()
        free, total = torch.cuda.mem_get_info()
        foreseen = estimate(spec)
        reserved = torch.cuda.memory_reserved()
        return {
            "estimated": foreseen.allocated_bytes / _GB,
            "weights": foreseen.weights_bytes / _GB,
            "cache": foreseen.kv_cache_bytes / _GB,
            "workspace": foreseen.workspace_bytes / _GB,
            "allocated": torch.cuda.max_memory_allocated() / _GB,
            "loaded": loaded / _GB,
            "peak while loading": loading / _GB,
            "peak after prefill": prefilled / _GB,
            "peak reserved": torch.cuda.max_memory_reserved() / _GB,
            "context estimated": foreseen.context_bytes / _GB,
            "context": (total - free - reserved) / _GB,
            "context before ranks met": (total - free_before) / _GB,
        }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
@pytest.mark.parametrize("name", ["reference", "fast", "fast-int8", "fast-fp8", "fast-int4"])
def test_what_is_allocated_is_within_5_percent_of_the_estimate(
    case: Case, name: str, tmp_path: Path
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU, CUDA sees none")
    if name.partition("-")[0] not in ENGINE_FACTS:
        pytest.skip(f"there is no engine {name} in this version")
    kind = board_of(torch.cuda.get_device_name())
    room = (kind.memory_bytes if kind else 0) * 0.94
    if estimate(case.spec(*_parts(name))).total_bytes > room:
        pytest.skip(f"{case.name} does not fit {torch.cuda.get_device_name()}")
    used, error = _held_against_the_estimate(case, name, tmp_path)
    assert abs(error) <= 0.05
    reserved = used["peak reserved"] + used["context"]
    least = _OUTGROWN.get((name, case.name), _RESERVED[name])
    assert used["estimated"] + used["context estimated"] >= least * reserved


@pytest.mark.parametrize("gpus", [2, 4, 8])
@pytest.mark.parametrize("name", ["reference", "fast"])
def test_the_same_holds_where_ranks_share_a_model(name: str, gpus: int, tmp_path: Path) -> None:
    if torch.cuda.device_count() < gpus:
        pytest.skip(f"needs {gpus} GPUs, CUDA sees {torch.cuda.device_count()}")
    if name not in ENGINE_FACTS:
        pytest.skip(f"there is no engine {name} in this version")
    case = Case(name="shared", model="65b", gpus=gpus, batch=64, prompt_len=128, new=128)
    _, error = _held_against_the_estimate(case, name, tmp_path)
    assert abs(error) <= 0.05


def _held_against_the_estimate(
    case: Case, name: str, folder: Path
) -> tuple[dict[str, float], float]:
    used = values_of(run_gang(case.gpus, _used, folder, case, name, timeout_s=280))[0]
    error = used["estimated"] / used["allocated"] - 1
    parts = ", ".join(f"{key} {value:.3f}" for key, value in used.items())
    shape = f"{case.model} over {case.gpus}, {case.batch} x {case.prompt_len} + {case.new}"
    print(f"\n{name}, {shape}: {error:+.2%} ({parts})")  # noqa: T201
    return used, error


def _parts(name: str) -> tuple[str, str]:
    engine, _, quantization = name.partition("-")
    return engine, quantization or "none"
