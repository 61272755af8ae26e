import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fairscale.nn.model_parallel import layers as fairscale_layers

from telemetry.record.spec import RunSpec
from tests.support.logits import Logits, our_logits, their_logits
from tests.support.ranks import run_gang, values_of
from tests.support.weights import build
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.models.llama.model import Attention, rotate
from workers.models.llama.shape import SHAPES, LlamaShape
from workers.planning.memory import estimate

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def theirs() -> Logits:
    torch.set_num_threads(1)
    return their_logits()


@pytest.mark.parametrize(("degree", "cut_whole"), [(1, True), (2, True), (2, False), (4, False)])
def test_logits_are_the_oracles_in_prefill_and_in_every_decode_step(
    tmp_path: Path, theirs: Logits, degree: int, cut_whole: bool
) -> None:
    ours = values_of(run_gang(degree, our_logits, tmp_path, "fp32", cut_whole))
    difference = np.abs(ours[0] - theirs).max()
    print(f"{degree} ranks: largest difference {difference:.1e}")  # noqa: T201 (pytest -s)
    assert difference <= 1e-5
    assert (ours[0].argmax(-1) == theirs.argmax(-1)).all()
    assert all(np.array_equal(ours[0], rank) for rank in ours[1:])


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp16", 2e-2), ("bf16", 1e-1)])
def test_half_formats_stay_near_the_oracle(
    tmp_path: Path, theirs: Logits, dtype: str, tolerance: float
) -> None:
    ours = values_of(run_gang(2, our_logits, tmp_path, dtype, False))
    assert np.isfinite(ours[0]).all()
    assert np.abs(ours[0] - theirs).max() <= tolerance


def build_uneven(rank: Rank, folder: Path) -> None:
    # 6 heads do not divide by 4, while dim, ffn and vocab do: FairScale alone would build it.
    uneven = LlamaShape(name="uneven", dim=96, layers=1, heads=6, norm_eps=1e-6, vocab=64)
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
    ):
        build(uneven, dtype="fp32", device=CPU, max_batch=1, max_len=8)


def test_heads_that_do_not_divide_are_refused_before_anything_runs(tmp_path: Path) -> None:
    outcomes = run_gang(4, build_uneven, tmp_path)
    for outcome in outcomes:
        assert "ValueError: `gpus` must divide the 6 heads of uneven" in (outcome.error or "")


def build_65b(rank: Rank, folder: Path) -> dict[str, Any]:
    import psutil  # noqa: PLC0415 (the rank's own memory)

    from workers.models.base.layers import unfilled  # noqa: PLC0415
    from workers.models.llama.model import Llama  # noqa: PLC0415

    initializer = fairscale_layers._initialize_affine_weight
    process = psutil.Process()
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
    ):
        before_bytes = process.memory_info().rss
        with unfilled(torch.float16):
            model = Llama(SHAPES["65b"])
        return {
            "params": sum(weight.numel() for weight in model.parameters()),
            "dtypes": {weight.dtype for weight in model.parameters()},
            "grown_bytes": process.memory_info().rss - before_bytes,
            "restored": fairscale_layers._initialize_affine_weight is initializer,
            "default": torch.get_default_dtype(),
        }


def test_building_a_65b_shard_takes_no_memory_and_leaves_fairscale_as_it_was(
    tmp_path: Path,
) -> None:
    for built in values_of(run_gang(2, build_65b, tmp_path)):
        norms = 161 * 8192
        assert built["params"] == (65_285_660_672 - norms) // 2 + norms
        assert built["dtypes"] == {torch.float16}
        assert built["grown_bytes"] < 200e6
        assert built["restored"]
        assert built["default"] == torch.float32


def test_rotation_turns_neighbours_and_keeps_their_length() -> None:
    x = torch.randn(1, 3, 2, 8, generator=torch.Generator().manual_seed(1))
    angle = torch.tensor(0.3).expand(3, 1, 4)
    turned = rotate(x, torch.polar(torch.ones_like(angle), angle))
    pairs, turned_pairs = x.view(1, 3, 2, 4, 2), turned.view(1, 3, 2, 4, 2)
    assert torch.allclose(pairs.norm(dim=-1), turned_pairs.norm(dim=-1))
    expected = torch.view_as_complex(pairs.contiguous()) * complex(np.exp(0.3j))
    assert torch.allclose(torch.view_as_complex(turned_pairs.contiguous()), expected)
    # The same spelled out, as `rotate` itself is a product of complex numbers.
    (even, odd), cosine, sine = pairs.unbind(-1), math.cos(0.3), math.sin(0.3)
    assert torch.allclose(turned_pairs[..., 0], even * cosine - odd * sine, atol=1e-6)
    assert torch.allclose(turned_pairs[..., 1], even * sine + odd * cosine, atol=1e-6)


def weigh(rank: Rank, folder: Path, spec: RunSpec) -> tuple[int, int]:
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
    ):
        model = build(
            SHAPES[spec.model],
            dtype=spec.dtype,
            device=CPU,
            max_batch=spec.batch_size,
            max_len=spec.max_prompt_len + spec.max_gen_len,
        )
        attentions = [module for module in model.modules() if isinstance(module, Attention)]
        caches_bytes = sum(one.keys.nbytes + one.values.nbytes for one in attentions)
        return sum(weight.nbytes for weight in model.parameters()), caches_bytes


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_a_rank_takes_the_memory_that_was_estimated(
    tmp_path: Path, spec: RunSpec, dtype: str
) -> None:
    pair = RunSpec.from_mapping(
        {**spec.to_mapping(), "dtype": dtype, "gpus": 2, "gpus_per_node": 2, "batch_size": 3}
    )
    expected = estimate(pair)
    for weights_bytes, cache_bytes in values_of(run_gang(2, weigh, tmp_path, pair)):
        assert weights_bytes == expected.weights_bytes
        assert cache_bytes == expected.kv_cache_bytes


def run_past_the_cache(rank: Rank, folder: Path) -> None:
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=1, device=CPU),
    ):
        model = build(SHAPES["nano"], dtype="fp32", device=CPU, max_batch=1, max_len=8)
        model(torch.zeros(1, 3, dtype=torch.int64), 6)


def test_a_position_beyond_the_cache_is_refused(tmp_path: Path) -> None:
    (outcome,) = run_gang(1, run_past_the_cache, tmp_path)
    assert "`start` + tokens must be at most 8, but is 6 + 3 instead" in (outcome.error or "")
