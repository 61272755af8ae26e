"""Weights come to a GPU as they come to a CPU, and leave no more behind than the model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.gpu.test_workers_gpu import need_gpus
from tests.support.checkpoints import TINY, write_hugging_face, write_meta
from tests.support.fuse import fuse_attention
from tests.support.ranks import run_gang, values_of
from workers.checkpoints.files import find_files
from workers.checkpoints.reader import Checkpoint
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.models.llama.model import Llama
from workers.models.llama.shape import LlamaShape
from workers.models.loading import load_model
from workers.models.random_weights import RandomWeights
from workers.planning.families import parameters_of
from workers.session.placement import take_device

pytestmark = pytest.mark.gpu

# 12 layers of 25 MB in fp16, and two tables of 65 MB.
TALL = LlamaShape(name="tall", dim=1024, layers=12, heads=8, norm_eps=1e-6)


def fill_on(rank: Rank, folder: Path) -> list[str]:
    wrong = []
    cuda = take_device(rank, "cuda")
    source = Checkpoint(find_files(folder), TINY, rank=1, degree=2, strip_bytes=1)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        for name, parameter in parameters_of(TINY).items():
            there, here = (
                torch.empty(parameter.part_size(2), dtype=dtype, device=device)
                for device in (cuda, torch.device("cpu"))
            )
            source.fill(name, there)
            source.fill(name, here)
            if not torch.equal(there.cpu(), here):
                wrong.append(f"{name} as {dtype}")
    return wrong


@pytest.mark.parametrize("write", [write_meta, write_hugging_face])
def test_a_gpu_gets_the_numbers_that_a_cpu_gets(
    tmp_path: Path, write: Callable[[Path], Any]
) -> None:
    need_gpus(1)
    write(tmp_path)
    assert values_of(run_gang(1, fill_on, tmp_path)) == [[]]


def peak_of(rank: Rank, folder: Path) -> dict[str, int]:
    device = take_device(rank, "cuda")
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=1, device=device),
    ):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        source = RandomWeights(TALL, 1, rank=0, degree=1)
        model = load_model(
            TALL,
            source,
            dtype="fp16",
            device=device,
            max_batch=0,
            max_len=8,
            prepare=fuse_attention,
        )
        assert isinstance(model, Llama)
        held = sum(weight.nbytes for weight in model.state_dict().values())
        layer = sum(weight.nbytes for weight in model.layers[0].state_dict().values())
        return {
            "peak": torch.cuda.max_memory_allocated() - before,
            "held": held,
            "layer": layer,
        }


def test_loading_holds_the_finished_model_and_no_more_than_a_layer_beside_it(
    tmp_path: Path,
) -> None:
    need_gpus(1)
    (found,) = values_of(run_gang(1, peak_of, tmp_path))
    assert found["held"] <= found["peak"] <= found["held"] + found["layer"]
