"""On real GPUs: the same logits as on CPU, over NCCL where there are several."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.support.engines import open_for
from tests.support.logits import our_logits
from tests.support.ranks import run_gang, values_of
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.models.llama.shape import SHAPES
from workers.planning.memory import estimate
from workers.session.placement import take_device

pytestmark = pytest.mark.gpu

BATCH, PROMPT_LEN, NEW = 64, 128, 128


def need_gpus(count: int) -> None:
    if torch.cuda.device_count() < count:
        pytest.skip(f"needs {count} GPUs, CUDA sees {torch.cuda.device_count()}")


@pytest.mark.parametrize("degree", [1, 2, 4, 8])
def test_fp32_logits_on_gpus_are_those_on_cpu(degree: int, tmp_path: Path) -> None:
    need_gpus(degree)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cuda").mkdir()
    expected = values_of(run_gang(1, our_logits, tmp_path / "cpu", "fp32", True))[0]
    ranks = values_of(
        run_gang(degree, our_logits, tmp_path / "cuda", "fp32", True, "cuda", timeout_s=200)
    )
    for logits in ranks[1:]:
        np.testing.assert_array_equal(logits, ranks[0])
    difference = float(np.abs(ranks[0] - expected).max())
    print(f"fp32 over {degree} GPUs against CPU: max abs difference {difference:.1e}")  # noqa: T201
    # fp32 on both, summed in another order.
    assert difference <= 1e-4


def reference_rate(rank: Rank, folder: Path, model: str) -> dict[str, float]:
    """Decode tokens per second of the reference engine at batch 64, prompt 128, 128 new."""
    spec = RunSpec.from_mapping(
        {
            **SPEC,
            "model": model,
            "dtype": "fp16",
            "gpu": "h200",
            "gpus": rank.world,
            "gpus_per_node": rank.world,
            "batch_size": BATCH,
            "max_prompt_len": PROMPT_LEN,
            "max_gen_len": NEW,
            "ignore_eos": True,
        }
    )
    device = take_device(rank, "cuda")
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=device) as mesh,
        torch.inference_mode(),
    ):
        started = time.monotonic()
        engine = open_for(spec, device, rank=rank.rank)
        torch.cuda.synchronize()
        load_s = time.monotonic() - started
        ids = torch.randint(
            3, SHAPES[model].vocab, (BATCH, PROMPT_LEN), generator=torch.Generator()
        )
        rates = {"load_s": load_s}
        for name in ("warm-up", "measured"):
            mesh.barrier()
            torch.cuda.synchronize()
            started = time.monotonic()
            engine.prefill(ids.tolist(), 1)
            torch.cuda.synchronize()
            prefilled = time.monotonic()
            engine.decode()
            torch.cuda.synchronize()
            rates[f"{name} prefill_s"] = prefilled - started
            rates[f"{name} decode_tokens_per_s"] = BATCH * NEW / (time.monotonic() - prefilled)
        rates["allocated_gb"] = torch.cuda.max_memory_allocated() / 1e9
        rates["estimated_gb"] = estimate(spec).total_bytes / 1e9
    return rates


@pytest.mark.parametrize(("model", "degree"), [("7b", 1), ("7b", 2), ("65b", 4), ("65b", 8)])
def test_the_reference_engine_runs_a_true_shape_within_its_memory_estimate(
    model: str, degree: int, tmp_path: Path
) -> None:
    need_gpus(degree)
    rates = values_of(run_gang(degree, reference_rate, tmp_path, model, timeout_s=280))[0]
    print(f"{model} over {degree} GPUs: {rates}")  # noqa: T201
    assert rates["allocated_gb"] <= rates["estimated_gb"]
    assert rates["measured decode_tokens_per_s"] > 0
